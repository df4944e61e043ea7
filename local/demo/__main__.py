"""`python -m local.demo [DOCUMENT]`: the journey against the suite that `make up` started."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx

from local.demo.api import Api
from local.demo.console import Console, StepFailed
from local.demo.journey import Journey
from local.paths import ROOT

CREDENTIALS = ROOT / "var" / "credentials.json"


async def travel(url: str, document: Path | None) -> int:
    console = Console()
    journey = Journey(Api(url, console), console, document)
    try:
        await journey.run()
    except StepFailed as failure:
        console.say(f"✗ {failure}")
        return 1
    except httpx.TransportError as error:
        console.say(f"✗ the suite does not answer ({type(error).__name__}); is it up? `make status` tells")
        return 1
    console.say(f"\nThe journey took {console.seconds:.1f} s. See {url}/docs for the whole surface.")
    return 0


def main() -> None:
    chosen = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("DOC", "")
    document = Path(chosen) if chosen else None
    if document is not None and not document.is_file():
        sys.exit(f"There is no file {chosen}.")
    if not CREDENTIALS.exists():
        sys.exit("The suite is not up: run `make up` first.")
    sys.exit(asyncio.run(travel(json.loads(CREDENTIALS.read_text("utf-8"))["url"], document)))


if __name__ == "__main__":
    main()
