"""`python -m local.demo [DOCUMENT] [--question Q] [-v]`: the journey against the suite that `make up` started.

It runs in the organization whose key `make up` printed, so that what it made can be looked at afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from clients.python.echosenseix import ConnectionFailed
from local import terminal
from local.demo.api import Api
from local.demo.console import Console, StepFailed
from local.demo.journey import Journey
from local.paths import ROOT
from local.runner.folder import Folder

MADE = """
The journey took {seconds:.1f} s. What it made is in the organization {organizationId}:
  agent     {url}/api/agents/{agent}
  document  {url}/api/documents/{document}/status
  call      {url}/api/call-logs/{call}
Ask with the key of `make up` (var/credentials.json). {url}/docs has the whole surface."""


async def travel(known: Mapping[str, str], document: Path | None, question: str, console: Console) -> int:
    """`known` is what credentials.json holds."""
    url = known["url"]
    journey = Journey(Api(url, console, known["apiKey"]), console, document, question)
    try:
        await journey.run()
    except StepFailed as failure:
        console.say(f"✗ {failure}")
        return 1
    except (httpx.TransportError, ConnectionFailed) as error:
        console.say(f"✗ the suite does not answer ({type(error).__name__}); is it up? `make status` tells")
        return 1
    made = journey.made
    terminal.say(
        MADE.format(
            seconds=console.seconds, url=url, organizationId=known["organizationId"], agent=made["agent"],
            document=made["document"], call=made["call-log"],
        )
    )  # fmt: skip
    return 0


def main() -> None:
    options = _parser().parse_args()
    document = Path(options.document) if options.document else None
    if document is not None and not document.is_file():
        sys.exit(f"There is no file {document}.")
    folder = Folder(options.var)
    known = folder.read_credentials()
    if not known or not folder.is_running():
        sys.exit("The suite is not up: run `make up` first.")
    console = Console(verbose=options.verbose)
    sys.exit(asyncio.run(travel(known, document, options.question, console)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description="A customer's journey, checked.")
    parser.add_argument("document", nargs="?", default=os.environ.get("DOC", ""), help="a document of your own")
    parser.add_argument("--question", default=os.environ.get("QUESTION", ""), help="what to ask the document")
    parser.add_argument("-v", "--verbose", action="store_true", default=bool(os.environ.get("V")), help="show bodies")
    parser.add_argument("--var", type=Path, default=ROOT / "var", help="the folder of the suite that is up")
    return parser


if __name__ == "__main__":
    terminal.run(main)
