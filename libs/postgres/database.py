"""The database of one service: a pool for the role that serves tenants and one for the system role.

Owns leasing connections, transactions and what a failure of either means. It must not know any table.
Session state is only ever changed inside transactions, so a connection goes back without a RESET round trip; one whose
state is in doubt is terminated instead.
"""

import asyncio
import inspect
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

import asyncpg

from libs.config import ServiceSettings
from libs.context import remaining_seconds
from libs.errors import Aborted, AppError
from libs.postgres.connection import STATEMENT_SECONDS, BoundedConnection, Connection, Record
from libs.postgres.errors import busy, timed_out, translate, unavailable
from libs.postgres.fence import fenced
from libs.telemetry.metrics import DB_ACQUIRE_SECONDS, DB_POOL_CONNECTIONS

ROLLBACK_SECONDS = 1.0
HOOK_SECONDS = 1.0

logger = logging.getLogger(__name__)
_ORG_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Connections of this process's pools: the configured maximum, open and idle, in use."""

    total: int
    idle: int
    active: int


class Pool:
    """asyncpg's pool with an acquire limit that tells a full pool from an absent server."""

    def __init__(self, pool: Any, name: str, acquire_seconds: float) -> None:
        self._pool = pool
        self._acquire_seconds = acquire_seconds
        self._waited = DB_ACQUIRE_SECONDS.labels(name)
        for state, figure in (("total", pool.get_max_size), ("idle", pool.get_idle_size), ("active", self._active)):
            DB_POOL_CONNECTIONS.labels(name, state).set_function(figure)
        self.announce: Callable[[str], Awaitable[None] | None] | None = None

    @classmethod
    async def open(cls, name: str, dsn: str, settings: ServiceSettings, application_name: str) -> "Pool":
        pool = asyncpg.create_pool(
            dsn,
            min_size=0,  # a process starts although the database does not answer yet; readiness tells
            max_size=settings.pool_max,
            max_inactive_connection_lifetime=settings.idle_seconds,
            timeout=settings.connect_timeout,
            command_timeout=STATEMENT_SECONDS,
            statement_cache_size=settings.statement_cache,
            max_cached_statement_lifetime=0,
            connection_class=BoundedConnection,
            server_settings={"application_name": application_name},
        )
        await pool
        return cls(pool, name, settings.acquire_timeout)

    async def acquire(self) -> Any:
        remaining = remaining_seconds()
        limit = self._acquire_seconds if remaining is None else min(self._acquire_seconds, remaining)
        if limit <= 0:
            raise timed_out()
        began = time.perf_counter()
        try:
            conn = await self._pool.acquire(timeout=limit)
        except TimeoutError as error:
            raise (busy() if self.active >= self._pool.get_max_size() else unavailable()) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise (translate(error) or unavailable()) from error
        finally:
            self._waited.observe(time.perf_counter() - began)
        conn.after_commit_hooks.clear()
        conn._con.announce = self.announce
        return conn

    async def release(self, conn: Any) -> None:
        """Give the connection back; one that does not come to rest at once is terminated by asyncpg."""
        try:
            await self._pool.release(conn, timeout=ROLLBACK_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, AppError) as error:
            logger.warning("a database connection was dropped on release: %s", type(error).__name__)

    async def warm(self, count: int) -> None:
        """Open `count` connections, so that the first requests do not pay for them."""
        leased = await asyncio.gather(*(self.acquire() for _ in range(count)), return_exceptions=True)
        for conn in leased:
            if not isinstance(conn, BaseException):
                await self.release(conn)

    @property
    def active(self) -> int:
        return self._active()

    def _active(self) -> int:
        return cast(int, self._pool.get_size() - self._pool.get_idle_size())

    @property
    def idle(self) -> int:
        return cast(int, self._pool.get_idle_size())

    async def close(self) -> None:
        try:
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await self._pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()


class Database:
    """Transactions and reads for tenants (`transaction`, `fetch*`) and for the system (`system_*`)."""

    def __init__(self, app: Pool, system: Pool, settings: ServiceSettings) -> None:
        self._app = app
        self._system = system
        self.settings = settings

    @classmethod
    async def open(cls, settings: ServiceSettings, *, application_name: str) -> "Database":
        """Open both pools; the database need not answer yet. POOL_MIN connections are opened in advance."""
        app = await Pool.open("app", settings.database_url, settings, application_name)
        system = await Pool.open("system", settings.database_system_url, settings, f"{application_name}-system")
        if settings.pool_min:
            await app.warm(settings.pool_min)
        return cls(app, system, settings)

    def announce_through(self, publish: Callable[[str], Awaitable[None] | None]) -> None:
        """Send the subjects of `announce_after_commit` through `publish`, which must not fail."""
        self._app.announce = self._system.announce = publish

    def transaction(self, org_id: str) -> AbstractAsyncContextManager[Connection]:
        """A transaction of one organisation: begins with app.org set, commits at the end, rolls back on an error."""
        return Transaction(self._app, f"begin; set local app.org = '{_checked(org_id)}'")

    def system_transaction(self, org_id: str = "") -> AbstractAsyncContextManager[Connection]:
        """A transaction that sees every organisation. Its callers are listed in a contract test."""
        begin = f"begin; set local app.org = '{_checked(org_id)}'" if org_id else "begin"
        return Transaction(self._system, begin)

    async def fetch(self, org_id: str, sql: str, *args: Any) -> list[Record]:
        """A tenant's read in one statement: `sql` filters by `o.org`; $1 is the organisation, args start at $2."""
        return await _fetch(self._app, fenced(sql), _checked(org_id), *args)

    async def fetchrow(self, org_id: str, sql: str, *args: Any) -> Record | None:
        """The first row of a tenant's read, or None."""
        rows = await self.fetch(org_id, sql, *args)
        return rows[0] if rows else None

    async def fetchval(self, org_id: str, sql: str, *args: Any) -> Any:
        """The first column of the first row of a tenant's read, or None."""
        rows = await self.fetch(org_id, sql, *args)
        return rows[0][0] if rows else None

    async def system_fetch(self, sql: str, *args: Any) -> list[Record]:
        """One statement over all organisations (read or write), outside any transaction."""
        return await _fetch(self._system, sql, *args)

    async def system_fetchrow(self, sql: str, *args: Any) -> Record | None:
        rows = await self.system_fetch(sql, *args)
        return rows[0] if rows else None

    async def system_fetchval(self, sql: str, *args: Any) -> Any:
        rows = await self.system_fetch(sql, *args)
        return rows[0][0] if rows else None

    async def ping(self) -> bool:
        """Whether the database answers a tenant connection now."""
        try:
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await _fetch(self._app, "select 1")
        except (TimeoutError, AppError):
            return False
        return True

    def pool_stats(self) -> PoolStats:
        """Of the pool that serves tenants, which is the one that the paper's figures mean."""
        return PoolStats(self.settings.pool_max, self._app.idle, self._app.active)

    async def close(self) -> None:
        await asyncio.gather(self._app.close(), self._system.close())


def _checked(org_id: str) -> str:
    """The organisation's id, safe inside a literal; anything else is a mistake of the code, not of a caller."""
    if not _ORG_ID.fullmatch(org_id):
        raise ValueError("not an organisation id")
    return org_id


async def _fetch(pool: Pool, sql: str, *args: Any) -> list[Record]:
    conn = await pool.acquire()
    try:
        return cast(list[Record], await conn.fetch(sql, *args))
    finally:
        await pool.release(conn)


class Transaction:
    """Lease, begin, commit or roll back, give back, then run the hooks."""

    __slots__ = ("_begin", "_conn", "_lease", "_pool")

    def __init__(self, pool: Pool, begin: str) -> None:
        self._pool = pool
        self._begin = begin

    async def __aenter__(self) -> Connection:
        # Callers get asyncpg's proxy, which refuses to work after the release; here the connection itself is kept.
        self._lease: Any = await self._pool.acquire()
        self._conn: BoundedConnection = self._lease._con
        try:
            await self._conn.execute(self._begin)
        except BaseException:
            await self._abandon()
            raise
        return cast(Connection, self._lease)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is not None:
            await self._abandon()
            return
        hooks = list(self._conn.after_commit_hooks.values())
        try:
            status = await self._conn.execute("commit")
        except BaseException:
            # Whether it committed is unknown; nothing may reuse the connection.
            self._conn.terminate()
            raise
        finally:
            await self._pool.release(self._lease)
        if status != "COMMIT":
            raise Aborted("transaction_aborted", "A statement failed, so nothing was saved. Try again.")
        for hook in hooks:
            await _run_hook(hook)

    async def _abandon(self) -> None:
        """Roll back within a second, also when a cancelled `begin` may or may not have begun; else terminate."""
        try:
            if not self._conn.is_closed():
                await asyncpg.Connection.execute(self._conn, "rollback", timeout=ROLLBACK_SECONDS)
        except BaseException as error:
            self._conn.terminate()
            if not isinstance(error, Exception):
                raise
        finally:
            await self._pool.release(self._lease)


async def _run_hook(hook: Callable[[], Awaitable[None] | None]) -> None:
    try:
        result = hook()
        if inspect.isawaitable(result):
            async with asyncio.timeout(HOOK_SECONDS):
                await result
    except Exception:
        logger.warning("a hook after a commit failed", exc_info=True)
