"""One leader at a time for a task, by a session's advisory lock on a direct connection (never through a pooler).

A leader that dies loses its connection and the lock. A frozen leader loses both too: the server ends a session after
five idle seconds, and a live leader sends a statement every two seconds. The work must still be safe to run twice for a
moment, because a resumed leader notices the loss only at its next statement.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import asyncpg

from libs.clock import monotonic
from libs.config import ServiceSettings
from libs.errors import AppError
from libs.postgres.connection import STATEMENT_SECONDS, Connection
from libs.postgres.errors import unavailable

if TYPE_CHECKING:
    from libs.postgres.connection import Raw

# Seconds between tries to become the leader. It bounds the gap after a leader has died.
TRY_SECONDS = 0.5
# Seconds between the leader's statements. It must stay well below SESSION_IDLE.
SPEAK_SECONDS = 2.0
SESSION_IDLE = "5s"

logger = logging.getLogger(__name__)
# InternalClientError: the server died while the client began a statement; the connection is ended then.
_FAILURES = (
    OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, AppError,
)  # fmt: skip


class Lease:
    """The leader's own connection: one user at a time, one statement every two seconds at least."""

    def __init__(self, raw: "Raw") -> None:
        self._raw = raw
        self._conn = Connection(raw)
        self._turn = asyncio.Lock()
        self._spoke_at = 0.0
        self.lost = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The connection that holds the lock: a statement over it proves that this is still the leader."""
        async with self._turn:
            if self.lost.is_set() or self._raw.is_closed():
                self.lost.set()
                raise unavailable()
            yield self._conn
            self._spoke_at = monotonic()

    def end(self) -> None:
        """Give the lock up, by ending the session that holds it."""
        self.lost.set()
        self._raw.terminate()

    async def speak(self) -> None:
        """Keep the session from idling out while its user says nothing; returns when it is lost."""
        try:
            while True:
                if monotonic() - self._spoke_at >= SPEAK_SECONDS:
                    async with self.connection() as conn:
                        await conn.execute("select 1", timeout=SPEAK_SECONDS)
                await asyncio.sleep(SPEAK_SECONDS)
        except _FAILURES:
            self.lost.set()


async def lead(
    settings: ServiceSettings, task: str, work: Callable[[Lease], Awaitable[None]], stop: asyncio.Event
) -> None:
    """Run `work` whenever this process leads `task`, until `stop`. `work` returns when told to stop; when leadership
    is lost it is cancelled, and the candidate tries again."""
    while not stop.is_set():
        try:
            lease = await _candidate(settings, task, stop)
            if lease is not None:
                await _while_leading(lease, task, work, stop)
        except _FAILURES as error:
            logger.warning("leadership of %s is interrupted: %s", task, type(error).__name__)
        if not stop.is_set():
            await _pause(stop, TRY_SECONDS)


async def _candidate(settings: ServiceSettings, task: str, stop: asyncio.Event) -> Lease | None:
    """Connect and ask for the lock until it is given; None when told to stop before."""
    conn = await asyncpg.connect(
        settings.database_direct_url or settings.database_system_url,
        timeout=settings.connect_timeout,
        command_timeout=STATEMENT_SECONDS,
        server_settings={
            "application_name": f"leader {task}",
            "idle_session_timeout": SESSION_IDLE,
            # What a leader repeats finds its rows by keys: planned once, and not for a table while it was small.
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
        },
    )
    try:
        while not stop.is_set():
            if await conn.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", f"leader.{task}"):
                return Lease(conn)
            await _pause(stop, TRY_SECONDS)
    except BaseException:
        conn.terminate()
        raise
    await conn.close(timeout=1)
    return None


async def _while_leading(
    lease: Lease, task: str, work: Callable[[Lease], Awaitable[None]], stop: asyncio.Event
) -> None:
    logger.info("leading %s", task)
    working = asyncio.ensure_future(work(lease))
    speaking = asyncio.ensure_future(lease.speak())
    try:
        await asyncio.wait((working, speaking), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        else:
            logger.warning("leadership of %s is lost", task)
    finally:
        lease.end()
        await _end(working, speaking)


async def _end(*tasks: asyncio.Future[None]) -> None:
    """Cancel until they have ended: a cancellation may be swallowed (nats-py does while it flushes)."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=1.0)
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    # Not asyncio.wait_for: before Python 3.12 it swallows a cancellation that comes with the result.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
