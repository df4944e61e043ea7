"""A process through the one door, whose behavior its last argument names: `python process.py serve|work BEHAVIOR`."""

import asyncio
import sys
import time
from pathlib import Path

from libs.config import ServiceSettings
from libs.runtime import Runtime, service_main

BEHAVIOR = sys.argv.pop()


class Part:
    """Says on standard output when it is closed."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def close(self) -> None:
        sys.stdout.write(f"closed {self.name}\n")
        sys.stdout.flush()


async def _part(name: str) -> Part:
    return Part(name)


async def _quiet(stop: asyncio.Event) -> None:
    await stop.wait()


async def _stubborn(stop: asyncio.Event) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def _blocking(stop: asyncio.Event) -> None:
    await asyncio.sleep(0.1)
    while True:
        time.sleep(0.01)  # noqa: ASYNC251 (the fault under test)


async def _failing(stop: asyncio.Event) -> None:
    await asyncio.sleep(0.05)
    raise ValueError("password=canary-Zq7x9Lm2Kp4R")


async def _ending(stop: asyncio.Event) -> None:
    await asyncio.sleep(0.05)


BACKGROUND = {
    "stubborn": _stubborn,
    "failed-stubborn": _stubborn,
    "blocking": _blocking,
    "failing": _failing,
    "ending": _ending,
}


async def main(runtime: Runtime[ServiceSettings]) -> None:
    await runtime.open(_part("first"))
    await runtime.open(_part("second"))
    runtime.background("background", BACKGROUND.get(BEHAVIOR, _quiet))
    if BEHAVIOR == "slow-start":
        await asyncio.Event().wait()
    if BEHAVIOR in ("failed-start", "failed-stubborn"):
        raise OSError("no database")
    if runtime.command == "serve":
        await runtime.serve_rpc([])


if __name__ == "__main__":
    service_main("example", ServiceSettings, area="example", serve=main, work=main, migrations=Path("none"))
