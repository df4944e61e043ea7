"""The database of one service: a pool for the role that serves tenants and one for the system role.

Owns transactions and what their failures mean. It must not know any table.
"""

import asyncio
import inspect
import logging
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from libs.config import ServiceSettings
from libs.context import current_call
from libs.errors import Aborted, AppError
from libs.postgres.connection import Announce, Connection, Hook, Invalidate, Record, RecordAudit
from libs.postgres.fence import fenced, fenced_with_total
from libs.postgres.pool import Pool, fetch_once
from libs.postgres.quotas import Quotas
from libs.postgres.replica import Replica

# Seconds for a hook after a commit. Hooks only send messages that may be lost.
HOOK_SECONDS = 1.0
# Seconds for the health check's statement.
PING_SECONDS = 1.0

logger = logging.getLogger(__name__)
# For arrays of keys PostgreSQL would plan each execution anew, because it takes them for longer than they are. Planning
# costs as much as the statement.
_BY_INDEX = "; set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off"
_ORG_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Connections of this process's pools: the configured maximum, open and idle, in use."""

    total: int
    idle: int
    active: int


class ListTotals(Protocol):
    """Estimated totals of lists by the digest of what is counted, each for some seconds: a libs.cache.Memory."""

    def get(self, key: bytes) -> int | None: ...
    def put(self, key: bytes, value: int, ttl_seconds: float) -> None: ...
    def pop(self, key: bytes) -> int | None: ...


class Database:
    """Transactions and reads for tenants (`transaction`, `fetch*`) and for the system (`system_*`)."""

    def __init__(self, app: Pool, system: Pool, settings: ServiceSettings) -> None:
        self._app = app
        self._system = system
        self.settings = settings
        self.quotas = Quotas()
        self.replica: Replica | None = None
        self.list_totals: ListTotals | None = None

    @classmethod
    async def open(cls, settings: ServiceSettings, *, application_name: str) -> "Database":
        """Open the pools; the database need not answer yet. POOL_MIN connections are opened in advance."""
        app = Pool("app", settings.database_url, settings, application_name)
        system = Pool("system", settings.database_system_url, settings, f"{application_name}-system")
        if settings.pool_min:
            await app.warm(settings.pool_min)
        database = cls(app, system, settings)
        if settings.database_replica_url:
            pool = Pool("replica", settings.database_replica_url, settings, f"{application_name}-replica")
            database.replica = Replica(pool, app, settings.replica_lag_seconds)
            database.replica.start()
        return database

    def announce_through(self, publish: Announce) -> None:
        """Send the subjects of `announce_after_commit` through `publish`, which must not fail."""
        self._app.announce = self._system.announce = publish

    def invalidate_through(self, tell: Invalidate) -> None:
        """Tell the caches of committed changes through `tell`, before the writer is answered; it must not fail."""
        self._app.invalidate = self._system.invalidate = tell

    def audit_through(self, record: RecordAudit) -> None:
        """Before the commit of a write that is audited, write its record through `record`."""
        self._app.audit = self._system.audit = record

    @property
    def audits(self) -> bool:
        """Whether writes are recorded for the audit log."""
        return self._app.audit is not None

    def transaction(
        self, org_id: str, *, audited: bool = True, by_index: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """A transaction of one organization: begins with app.org set, commits at the end, rolls back on an error. With
        `audited` false it is not the write that the call was made for, so the audit log does not have it. `by_index`
        as in `system_transaction`."""
        begin = f"begin; set local app.org = '{_checked(org_id)}'"
        return Transaction(self._app, f"{begin}{_BY_INDEX}" if by_index else begin, audited=audited)

    def system_transaction(
        self, org_id: str = "", *, by_index: bool = False
    ) -> AbstractAsyncContextManager[Connection]:
        """A transaction that sees every organization. Its callers are listed in a contract test. `by_index`
        is for statements that run often and find their rows by keys: each is planned once a connection, and without
        sequential scans, because a plan made while a table was small would be kept after it has grown."""
        begin = f"begin; set local app.org = '{_checked(org_id)}'" if org_id else "begin"
        return Transaction(self._system, f"{begin}{_BY_INDEX}" if by_index else begin)

    async def fetch(self, org_id: str, sql: str, *args: Any, may_lag: bool = False) -> list[Record]:
        """A tenant's read in one statement: `sql` filters by `o.org`; $1 is the organization, args start at $2.
        With `may_lag` a replica answers, if there is one and the call allows it (libs.postgres.replica)."""
        return await self._fetch(may_lag, fenced(sql), _checked(org_id), *args)

    async def fetch_counted(
        self, org_id: str, sql: str, counted: str, *args: Any, may_lag: bool = False
    ) -> tuple[list[Record], int]:
        """The rows of a tenant's read and the number of those of `counted`, which takes the same args. `sql` has a
        column `_tie` that is never null."""
        rows = await self._fetch(may_lag, fenced_with_total(sql, counted), _checked(org_id), *args)
        total: int = rows[0]["_total"]
        return ([] if rows[0]["_tie"] is None else rows), total

    async def _fetch(self, may_lag: bool, sql: str, *args: Any) -> list[Record]:
        if may_lag and self.replica is not None:
            rows = await self.replica.fetch(sql, *args)
            if rows is not None:
                return rows
        return await fetch_once(self._app, sql, *args)

    async def fetchrow(self, org_id: str, sql: str, *args: Any, may_lag: bool = False) -> Record | None:
        """The first row of a tenant's read, or None."""
        rows = await self.fetch(org_id, sql, *args, may_lag=may_lag)
        return rows[0] if rows else None

    async def fetchval(self, org_id: str, sql: str, *args: Any, may_lag: bool = False) -> Any:
        """The first column of the first row of a tenant's read, or None."""
        rows = await self.fetch(org_id, sql, *args, may_lag=may_lag)
        return rows[0][0] if rows else None

    async def write_once(self, org_id: str, sql: str, *args: Any, changes: Sequence[Any], announce: str) -> bool:
        """A tenant's write in one statement, which is its whole transaction. `sql` sets app.org from $1, and its only
        value is whether it wrote. Then the caches are told of `changes`, and `announce` is published."""
        rows = await fetch_once(self._app, sql, _checked(org_id), *args)
        if not rows[0][0]:
            return False
        invalidate, publish = self._app.invalidate, self._app.announce
        if invalidate is not None and changes:
            await _run_hook(partial(invalidate, changes))
        if publish is not None:
            await _run_hook(partial(publish, announce))
        return True

    async def system_fetch(self, sql: str, *args: Any) -> list[Record]:
        """One statement over all organizations (read or write), outside any transaction."""
        return await fetch_once(self._system, sql, *args)

    async def system_fetchrow(self, sql: str, *args: Any) -> Record | None:
        rows = await self.system_fetch(sql, *args)
        return rows[0] if rows else None

    async def system_fetchval(self, sql: str, *args: Any) -> Any:
        rows = await self.system_fetch(sql, *args)
        return rows[0][0] if rows else None

    async def ping(self) -> bool:
        """Whether the database answers a tenant connection now."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await fetch_once(self._app, "select 1")
        except (TimeoutError, AppError):
            return False
        return True

    def pool_stats(self) -> PoolStats:
        """Figures of the pool that serves tenants, which /metrics reports."""
        return PoolStats(self.settings.pool_max, self._app.idle, self._app.active)

    async def close(self) -> None:
        if self.replica is not None:
            await self.replica.close()
        await asyncio.gather(self._app.close(), self._system.close())


def _checked(org_id: str) -> str:
    """The organization's id, safe inside a literal; anything else is a mistake of the code, not of a caller."""
    if not _ORG_ID.fullmatch(org_id):
        raise ValueError("not an organization id")
    return org_id


class Transaction:
    """Lease, begin, record for the audit log, commit or roll back, give back, then run the hooks. A call is recorded by
    its first transaction of an organization that commits."""

    __slots__ = ("_audits", "_begin", "_conn", "_pool", "_raw")

    def __init__(self, pool: Pool, begin: str, *, audited: bool = True) -> None:
        self._pool = pool
        self._audits = audited and pool.audit is not None and current_call().audited is not None
        self._begin = f"{begin}; set local app.audited = 'on'" if self._audits else begin

    async def __aenter__(self) -> Connection:
        self._raw = await self._pool.lease()
        self._conn = Connection(self._raw, self._pool.announce, self._pool.invalidate)
        try:
            await self._conn.execute(self._begin)
        except BaseException as error:
            await self._abandon(error)
            raise
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is not None:
            await self._abandon(error)
            return
        recorded = False
        if self._audits and self._pool.audit is not None:
            try:
                recorded = await self._pool.audit(self._conn)
            except BaseException as failure:
                await self._abandon(failure)
                raise
        try:
            status = await self._conn.execute("commit")
        except BaseException:
            # Whether it committed is unknown; nothing may reuse the connection.
            self._pool.discard(self._raw)
            raise
        finally:
            self._conn.end_lease()
        self._pool.give_back(self._raw)
        if recorded:
            current_call().audited = None
        if status != "COMMIT":
            raise Aborted("transaction_aborted", "A statement failed, so nothing was saved. Try again.")
        for hook in self._conn.hooks.values():
            await _run_hook(hook)

    async def _abandon(self, error: BaseException) -> None:
        """Roll back before the error is raised, so that its locks are free. After a cancellation the rollback runs in
        the background."""
        self._conn.end_lease()
        if isinstance(error, Exception):
            await self._pool.clean(self._raw, "rollback")
        else:
            self._pool.rest(self._raw, "rollback")


async def _run_hook(hook: Hook) -> None:
    try:
        result = hook()
        if inspect.isawaitable(result):
            async with asyncio.timeout(HOOK_SECONDS):
                await result
    except Exception:
        logger.warning("a hook after a commit failed", exc_info=True)
