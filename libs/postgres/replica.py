"""A read replica: which reads may go to it, and how old its data can be.

Every half second a watcher notes the place that the primary's log has reached, then asks the replica how far it has
replayed. A replica that has replayed up to a note holds everything that was committed before the note was taken, so
the note's age bounds the lag, also while nothing is written. A timestamp of the last replayed transaction would not:
it grows old on an idle primary and says nothing when the connection between the two is cut.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Any

from libs.context import current_call, remaining_seconds
from libs.errors import Aborted, AppError, Unavailable
from libs.postgres.connection import Record
from libs.postgres.pool import Pool, fetch_once
from libs.telemetry.metrics import DB_REPLICA_LAG, DB_REPLICA_READS

# Seconds between looks. It is the least lag that can be seen, so the bound must be larger.
LOOK_SECONDS = 0.5
# Seconds for one look. A frozen replica is noticed by the age of its last answer.
ANSWER_SECONDS = 1.0
# Share of a read's time for the replica; the rest is left for the primary.
SHARE = 0.5
# Notes that are kept, one a look: five minutes. A replica further behind is not used anyway.
NOTES = 600

_PRIMARY = (
    "select system_identifier, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint from pg_control_system()"
)
_REPLICA = (
    "select system_identifier, pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint "
    "from pg_control_system()"
)
_FROM_REPLICA, _FROM_PRIMARY = (DB_REPLICA_READS.labels(where) for where in ("replica", "primary"))
logger = logging.getLogger(__name__)


class NotAReplica(Exception):
    """The address answers, and is another database or has become a primary itself."""


class Replica:
    """`bound` is the largest lag in seconds with which the replica is read."""

    def __init__(self, pool: Pool, primary: Pool, bound: float) -> None:
        self._pool = pool
        self._primary = primary
        self._bound = bound
        self._notes: deque[tuple[float, int]] = deque(maxlen=NOTES)
        self._fresh_at = float("-inf")
        self._watch: asyncio.Task[None] | None = None
        self._told = ""

    @property
    def lag_seconds(self) -> float:
        """The most by which the replica can be behind now; infinite before its first answer."""
        return time.monotonic() - self._fresh_at

    def start(self) -> None:
        """Begin to watch, until `close`."""
        self._watch = asyncio.ensure_future(self._look_regularly())

    async def fetch(self, sql: str, *args: Any) -> list[Record] | None:
        """The rows, or None when the primary has to answer: the caller may not be behind, the replica lags more than
        the bound, does not answer, or cancelled the statement because of what it replayed."""
        if not current_call().may_lag:
            return None
        if self.lag_seconds > self._bound:
            _FROM_PRIMARY.inc()
            return None
        left = remaining_seconds()
        try:
            rows = await fetch_once(self._pool, sql, *args, seconds=None if left is None else max(left, 0.0) * SHARE)
        except (Unavailable, Aborted):
            # Not used again before it has answered the watcher.
            self._fresh_at = float("-inf")
            _FROM_PRIMARY.inc()
            return None
        _FROM_REPLICA.inc()
        return rows

    async def look(self) -> None:
        """Note where the primary is, then learn how far the replica has come. Raises AppError when either is away."""
        now = time.monotonic()
        [(system, place)] = await _one(self._primary, _PRIMARY)
        self._notes.append((now, place))
        [(other, recovers, replayed)] = await _one(self._pool, _REPLICA)
        if system != other or not recovers:
            raise NotAReplica("DATABASE_REPLICA_URL names no replica of DATABASE_URL")
        while self._notes and self._notes[0][1] <= (replayed or 0):
            self._fresh_at = self._notes.popleft()[0]

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._pool.close()

    async def _look_regularly(self) -> None:
        while True:
            try:
                async with asyncio.timeout(2 * ANSWER_SECONDS):
                    await self.look()
                self._tell("")
            except (AppError, TimeoutError, OSError):
                self._tell("it or the primary does not answer")
            except NotAReplica as error:
                self._tell(str(error))
            DB_REPLICA_LAG.set(self.lag_seconds)
            await asyncio.sleep(LOOK_SECONDS)

    def _tell(self, trouble: str) -> None:
        """Log a change, not every look."""
        if trouble != self._told:
            self._told = trouble
            if trouble:
                logger.warning("the replica is not read: %s", trouble)
            else:
                logger.info("the replica is read again")


async def _one(pool: Pool, sql: str) -> list[Any]:
    return [tuple(row.values()) for row in await fetch_once(pool, sql, seconds=ANSWER_SECONDS)]
