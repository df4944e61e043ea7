"""The live view: every part asked for itself, so that one that does not answer leaves the others standing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Mapping
from typing import Any

from libs.errors import AppError, Code
from local.ops import stores
from local.ops.caches import cache_rows
from local.ops.dead_events import DeadEvents
from local.ops.keys import key_rows
from local.ops.load import load_rows
from local.ops.queues import Queues
from local.ops.screen import dead_count_row, queue_row, table
from local.ops.services import Answers
from local.runner.folder import Folder
from local.stores import StoreFailed

# A part that hangs (a paused process, a store that swaps) holds the screen up no longer than this.
PART_SECONDS = 5.0
_SILENT = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)


async def view(folder: Folder) -> str:
    """Everything at a glance, as it is now."""
    parts: dict[str, Awaitable[str]] = {
        "Queues": queues(folder),
        "Dead events": dead_events(folder),
        "Connections": rows(folder, stores.POOL),
        "Buffer hits": rows(folder, stores.HIT_RATIO),
        "Slowest statements (mean above 100 ms)": rows(folder, stores.SLOW.format(least_ms=100, limit=5)),
        "Largest tables": rows(folder, stores.TABLES.format(limit=5)),
        "Redis": redis(folder),
        "Load of the gateways (places held/limit)": load(folder),
        "Caches of the gateways": caches(folder),
        "Keys": keys(folder),
    }
    return f"EchoSenseiX  {time.strftime('%H:%M:%S')}\n\n{await render(parts)}"


async def render(parts: Mapping[str, Awaitable[str]]) -> str:
    """The parts under their titles; in place of one that fails, why."""
    bodies = await asyncio.gather(*(_body(part) for part in parts.values()))
    return "\n".join(f"{title}\n{body}" for title, body in zip(parts, bodies, strict=True))


async def queues(folder: Folder) -> str:
    async with Queues.connect(folder) as reached:
        answers = await reached.all()
    return table([queue_row(queue) for queue in answers.found]) + missing(answers)


async def dead_events(folder: Folder) -> str:
    async with DeadEvents.connect(folder) as reached:
        answers = await reached.counts()
    return table([dead_count_row(count) for count in answers.found]) + missing(answers)


async def rows(folder: Folder, sql: str) -> str:
    return table(await asyncio.to_thread(stores.rows, _store(folder, "postgres")["adminUrl"], sql))


async def caches(folder: Folder) -> str:
    return table(await cache_rows(folder))


async def load(folder: Folder) -> str:
    return table(await load_rows(folder))


async def keys(folder: Folder) -> str:
    return table(await asyncio.to_thread(key_rows, folder))


async def redis(folder: Folder) -> str:
    return table([await asyncio.to_thread(stores.redis_figures, _store(folder, "redis")["url"])])


def missing(answers: Answers[object]) -> str:
    """A line for each service that gave no answer."""
    return "".join(
        f"  {service} {'is unreachable' if error.code in _SILENT else 'refuses'}: {_why(error)}\n"
        for service, error in answers.missing.items()
    )


def finish(answers: Answers[object]) -> None:
    """What was not reached is said, and shows in the exit status: the answer is not whole."""
    if answers.missing:
        sys.stdout.flush()
        sys.exit(missing(answers).rstrip())


def _store(folder: Folder, name: str) -> Any:
    found = folder.read_run().get("stores", {}).get(name)
    if not found:
        raise StoreFailed("the suite is down")
    return found


async def _body(part: Awaitable[str]) -> str:
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await part
    except Exception as error:  # whatever it is, it is this part's trouble and not the view's
        return f"  unreachable: {_why(error)}\n"


def _why(error: Exception) -> str:
    """One line of it: psql says several."""
    text = error.detail if isinstance(error, AppError) else str(error)
    return (text.strip() or type(error).__name__).splitlines()[0]
