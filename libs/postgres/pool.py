"""The pool of one role: leases connections, keeps clean ones, closes the others.

asyncpg's pool spends a task, a timeout and a RESET round trip on every release, which costs more than the read itself
(docs/adr/0016-own-pool.md). A connection returns clean, because session state is only changed inside transactions. One
whose statement was cancelled is cleaned in the background; one in doubt is terminated.
"""

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import asyncpg

from libs.config import ServiceSettings
from libs.context import remaining_seconds
from libs.postgres.connection import STATEMENT_SECONDS, Announce, Connection, Invalidate, Record, RecordAudit
from libs.postgres.errors import busy, timed_out, translate, unavailable
from libs.postgres.silence import Silence
from libs.telemetry.metrics import DB_ACQUIRE_SECONDS, DB_POOL_CONNECTIONS

if TYPE_CHECKING:
    from libs.postgres.connection import Raw

# Seconds for a cancelled statement to answer before its connection is terminated.
REST_SECONDS = 1.0
# Seconds between log lines about the same outage.
TELL_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Pool:
    """At most `pool_max` connections, opened on demand. The one used last is used next, so that the others idle out.
    Each lease ends exactly once: returned, cleaned in the background, or discarded."""

    def __init__(self, name: str, dsn: str, settings: ServiceSettings, application_name: str) -> None:
        self._dsn = dsn
        self._settings = settings
        self._application_name = application_name
        self._idle: deque[tuple[Raw, float]] = deque()
        self._waiters: deque[asyncio.Future[Raw | None]] = deque()
        self._resting: set[asyncio.Task[None]] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._size = 0
        self._closing = False
        self._told_at = -TELL_SECONDS
        self._silence = Silence(self._ask, self._refuse_waiters)
        self._waited = DB_ACQUIRE_SECONDS.labels(name)
        self.announce: Announce | None = None
        self.invalidate: Invalidate | None = None
        self.audit: RecordAudit | None = None
        for state, figure in (("total", self._maximum), ("idle", self._idle.__len__), ("active", self._in_use)):
            DB_POOL_CONNECTIONS.labels(name, state).set_function(figure)

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def active(self) -> int:
        """Leased, being opened or being cleaned."""
        return self._in_use()

    def _in_use(self) -> int:
        return self._size - len(self._idle)

    def _maximum(self) -> int:
        return self._settings.pool_max

    async def lease(self) -> "Raw":
        """A connection of asyncpg. Raises Unavailable("database_busy") when none is free in time,
        Unavailable("database_unavailable") when none can be opened or the server has gone silent."""
        self._silence.watch()
        if self._closing or self._silence.is_silent:
            raise unavailable()
        while self._idle:
            raw, _ = self._idle.pop()
            if not raw.is_closed():
                self._waited.observe(0.0)
                return raw
            self._size -= 1
        began = time.perf_counter()
        try:
            if self._size < self._settings.pool_max:
                self._size += 1
                return await self._open()
            return await self._wait() or await self._open()
        finally:
            self._waited.observe(time.perf_counter() - began)

    def give_back(self, raw: "Raw") -> None:
        """Return a connection whose last statement has ended; one that was closed meanwhile has answered nothing."""
        if raw.is_closed():
            self.discard(raw)
            return
        self._silence.answered()
        if self._closing or raw.is_in_transaction():
            self.discard(raw)
        elif waiter := self._next_waiter():
            waiter.set_result(raw)
        else:
            self._idle.append((raw, time.monotonic()))
            self._arm_reaper()

    def rest(self, raw: "Raw", sql: str) -> None:
        """As `clean`, in the background: the caller does not wait."""
        task = asyncio.create_task(self.clean(raw, sql))
        self._resting.add(task)
        task.add_done_callback(self._resting.discard)

    async def clean(self, raw: "Raw", sql: str) -> None:
        """Return a connection on which a statement may still run, when it has answered `sql`. One that does not is
        discarded whatever the error: asyncpg's InternalClientError is none of its other classes, and a slot that no one
        frees is lost until the process ends."""
        try:
            await raw.execute(sql, timeout=REST_SECONDS)
        except BaseException as failure:
            self.discard(raw)
            if not isinstance(failure, Exception):
                raise
        else:
            self.give_back(raw)

    def discard(self, raw: "Raw") -> None:
        """Drop a connection; a waiter may open another in its place."""
        raw.terminate()
        self._free_slot()

    async def warm(self, count: int) -> None:
        """Open connections in advance, as far as the server lets us."""
        leases = await asyncio.gather(*(self.lease() for _ in range(count)), return_exceptions=True)
        for lease in leases:
            if not isinstance(lease, BaseException):
                self.give_back(lease)

    async def close(self) -> None:
        """End idle connections properly and all others when they come back."""
        self._closing = True
        await self._silence.close()
        if self._reaper is not None:
            self._reaper.cancel()
        for task in self._resting:
            task.cancel()
        idle = [raw for raw, _ in self._idle]
        self._size -= len(idle)
        self._idle.clear()
        ending = (raw.close(timeout=REST_SECONDS) for raw in idle)
        await asyncio.gather(*ending, *self._resting, return_exceptions=True)

    async def _open(self) -> "Raw":
        """Open a connection in a slot that is already counted."""
        settings = self._settings
        try:
            return await asyncpg.connect(
                self._dsn,
                timeout=_limit(settings.connect_timeout),
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=settings.statement_cache,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": self._application_name},
            )
        except BaseException as error:
            self._free_slot()
            if isinstance(error, TimeoutError):
                raise unavailable() from error
            if isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError):
                self._tell(error)
                raise (translate(error) or unavailable()) from error
            raise

    async def _ask(self) -> None:
        raw = await asyncpg.connect(self._dsn, server_settings={"application_name": self._application_name})
        try:
            await raw.execute("select 1")
        finally:
            raw.terminate()

    def _refuse_waiters(self) -> None:
        """The server has gone silent: no connection will be returned in time."""
        self._tell(TimeoutError())
        while waiter := self._next_waiter():
            waiter.set_exception(unavailable())

    def _tell(self, error: Exception) -> None:
        """Log an outage once in a while, because it fails every request."""
        now = time.monotonic()
        if now - self._told_at > TELL_SECONDS:
            self._told_at = now
            logger.warning("no database connection: %s", type(error).__name__)

    async def _wait(self) -> "Raw | None":
        """A returned connection, or None for a free slot."""
        waiter: asyncio.Future[Raw | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(_limit(self._settings.acquire_timeout)):
                return await waiter
        except BaseException as error:
            self._withdraw(waiter)
            if isinstance(error, TimeoutError):
                raise busy() from error
            raise

    def _withdraw(self, waiter: asyncio.Future["Raw | None"]) -> None:
        """Leave the queue; a connection that was handed over in the same instant goes to the next waiter."""
        if not waiter.done() or waiter.cancelled():
            waiter.cancel()
        elif waiter.exception() is not None:
            return
        elif (raw := waiter.result()) is None:
            self._free_slot()
        else:
            self.give_back(raw)

    def _next_waiter(self) -> asyncio.Future["Raw | None"] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _free_slot(self) -> None:
        if not self._closing and (waiter := self._next_waiter()):
            waiter.set_result(None)
        else:
            self._size -= 1

    def _arm_reaper(self) -> None:
        if self._reaper is None and self._idle:
            due = self._idle[0][1] + self._settings.idle_seconds - time.monotonic()
            self._reaper = asyncio.get_running_loop().call_later(max(due, 0.01), self._reap)

    def _reap(self) -> None:
        """Close connections that were idle for POOL_IDLE_SECONDS, down to POOL_MIN."""
        self._reaper = None
        horizon = time.monotonic() - self._settings.idle_seconds
        while self._idle and self._idle[0][1] <= horizon and self._size > self._settings.pool_min:
            raw, _ = self._idle.popleft()
            self._size -= 1
            raw.terminate()
        if self._idle and self._idle[0][1] <= horizon:
            self._idle = deque((raw, time.monotonic()) for raw, _ in self._idle)
        self._arm_reaper()


def _limit(seconds: float) -> float:
    """At most what remains of the call."""
    remaining = remaining_seconds()
    if remaining is None:
        return seconds
    if remaining <= 0:
        raise timed_out()
    return min(seconds, remaining)


async def fetch_once(pool: Pool, sql: str, *args: Any, seconds: float | None = None) -> list[Record]:
    """The rows of one statement on a connection of its own, outside any transaction."""
    raw = await pool.lease()
    try:
        rows = await Connection(raw).fetch(sql, *args, timeout=seconds)
    except BaseException as error:
        if isinstance(error.__cause__ or error, asyncpg.PostgresError):
            pool.give_back(raw)
        else:  # Ended here and not by the server, which may still be at it, or silent.
            pool.rest(raw, "select 1")
        raise
    pool.give_back(raw)
    return rows
