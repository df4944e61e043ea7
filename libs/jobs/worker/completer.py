"""Endings in batches: jobs that wrote nothing here are finished together, after 5 ms (about 20x cheaper than singly).

While more is due than the last claim took, the batch waits longer: under load, starting jobs comes before finishing
them. A batch is retried until the database accepts it; meanwhile the jobs stay held, so that heartbeats renew their
leases.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from libs.clock import monotonic
from libs.jobs.job import Job
from libs.jobs.store.leases import Settlement, complete_many, settle
from libs.postgres import Database

# Endings in one statement: as many as a claim takes.
BATCH = 512
MOST = 8 * BATCH
# Bytes of results in one statement. Larger: fewer statements, longer locks.
BATCH_BYTES = 4 * 1024 * 1024
# Seconds that an ending waits for others. `make bench-jobs` measured about 20x less CPU per ending than single writes.
WINDOW_SECONDS = 0.005
# Seconds that endings wait while a backlog remains. Longer: cheaper endings, later results, more held leases.
FLOODED_SECONDS = 0.5
# Seconds before a failed write of endings is repeated.
RETRY_SECONDS = 0.2
_log = logging.getLogger("jobs")

Ended = Callable[[Sequence[tuple[Job, Settlement | None]], set[str]], None]


class Completer:
    """Collects endings; `ended(endings, ours)` is called for each written batch with the endings that were still
    ours."""

    def __init__(self, db: Database, ended: Ended, flooded: Callable[[], bool]) -> None:
        self._db = db
        self._ended = ended
        self._flooded = flooded
        self._done: list[tuple[Job, str | None]] = []
        self._settled: list[Settlement] = []
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._closing = False

    def complete(self, job: Job, result: str | None) -> None:
        self._done.append((job, result))
        self._notice()

    def settle(self, settlement: Settlement) -> None:
        self._settled.append(settlement)
        self._notice()

    def hurry(self) -> None:
        """Write the collected endings now, because a job waits for one of them."""
        self._full.set()

    def close(self) -> None:
        """Let `run` end once everything collected is written."""
        self._closing = True
        self._some.set()
        self._full.set()

    async def run(self) -> None:
        while self._done or self._settled or not self._closing:
            await self._some.wait()
            await self._gather()
            try:
                await self._flush()
            except Exception:
                _log.warning("could not write how jobs ended; trying again", exc_info=True)
                self._some.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _gather(self) -> None:
        """Wait for more endings to share the commit."""
        until = monotonic() + FLOODED_SECONDS
        while not self._full.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WINDOW_SECONDS):
                    await self._full.wait()
            if monotonic() > until or not self._flooded():
                return

    def _notice(self) -> None:
        self._some.set()
        count = len(self._done) + len(self._settled)
        if count >= MOST or (count % BATCH == 0 and not self._flooded()):
            self._full.set()

    async def _flush(self) -> None:
        """On an error everything stays collected; a second write is harmless, because it is fenced."""
        if not self._closing:
            self._some.clear()
            self._full.clear()
        settled = tuple(self._settled)
        left = len(self._done)
        while left > 0:
            done = batch(self._done[:left])
            left -= len(done)
            ours = await complete_many(self._db, done)
            del self._done[: len(done)]
            self._ended([(job, None) for job, _ in done], ours)
        if settled:
            ours = await settle(self._db, settled)
            del self._settled[: len(settled)]
            self._ended([(settlement.job, settlement) for settlement in settled], ours)


def batch(done: Sequence[tuple[Job, str | None]]) -> Sequence[tuple[Job, str | None]]:
    """As many as one statement takes in its time: a number of them, or fewer with large results."""
    size = 0
    for count, (_, result) in enumerate(done[:BATCH]):
        size += len(result or "")
        if count and size > BATCH_BYTES:
            return done[:count]
    return done[:BATCH]
