"""What `make dev` does beside the suite: show its logs, and restart the processes whose source was edited.

A change of a service restarts that service, a change of the gateway the gateway, and a change of providers, libs or
protos restarts all. A new migration is applied first. It polls the files' times: a few hundred of them, twice a second,
cost less than a dependency that watches.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from local.cli.logs import Followed
from local.paths import ROOT
from local.runner.runner import Runner, StartFailed
from local.runner.supervisor import NotReady
from local.terminal import say

# The folders whose code runs in the suite's processes.
WATCHED = ("gateway", "services", "providers", "suite", "libs", "protos")
# The files that those processes read; all others change nothing that runs.
SUFFIXES = (".py", ".sql", ".json", ".html", ".js", ".css", ".svg")
# Seconds between two looks: below what a person notices after saving a file.
PERIOD = 0.5


async def beside(runner: Runner, stop: asyncio.Event) -> None:
    followed = Followed(runner.folder)
    before = await asyncio.to_thread(_times)
    while not stop.is_set():
        for line in followed.new_lines():
            say(line)
        now = await asyncio.to_thread(_times)
        edited = {path for path, time in now.items() if before.get(path) != time} | (before.keys() - now.keys())
        # Edits made during a restart differ from this and are applied next.
        before = now
        if edited:
            await _apply(runner, edited)
        try:
            await asyncio.wait_for(stop.wait(), PERIOD)
        except TimeoutError:
            continue


async def _apply(runner: Runner, edited: set[Path]) -> None:
    names = touched(edited, {name: part.service for name, part in runner.parts.items()})
    say(f"· edited: {', '.join(sorted(str(path) for path in edited)[:5])}; restarting {', '.join(names)}")
    try:
        if any(path.suffix == ".sql" for path in edited):
            await runner.migrate()
        await runner.restart(names)
    except (StartFailed, NotReady) as error:
        say(f"· {error}\n· waiting for the next edit")


def touched(edited: set[Path], services: dict[str, str]) -> list[str]:
    """The processes, by name, that run any of the edited files (paths below the project's root)."""
    rooms = {path.parts[0] if path.parts[0] != "services" else path.parts[1] for path in edited}
    # Every process imports some of these.
    if rooms & {"providers", "suite", "libs", "protos"}:
        return list(services)
    return [name for name, service in services.items() if service in rooms]


def _times() -> dict[Path, int]:
    """An editor replaces files, so one may be gone between being listed and being looked at."""
    times: dict[Path, int] = {}
    for room in WATCHED:
        for path in (ROOT / room).rglob("*"):
            if path.suffix in SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    times[path.relative_to(ROOT)] = path.stat().st_mtime_ns
    return times
