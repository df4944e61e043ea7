"""A leased connection: every statement has a client-side time limit, and hooks run after a commit.

A frozen server enforces no statement_timeout, so the client enforces the limit. A connection that exceeds it is
terminated, because its state is unknown. Made by libs.postgres.database and libs.postgres.leader alone.
"""

import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from libs.context import remaining_seconds
from libs.errors import AppError
from libs.postgres.errors import timed_out, translate, unavailable
from libs.telemetry import span
from libs.telemetry.metrics import DB_STATEMENT_SECONDS

if TYPE_CHECKING:
    import asyncpg

    Raw = asyncpg.Connection[asyncpg.Record]  # at run time the class takes no parameters

# Seconds that a statement may take, unless its caller allows more. Requests have 2 to 5 s.
STATEMENT_SECONDS = 5.0

Hook = Callable[[], Awaitable[None] | None]
Announce = Callable[[str], Awaitable[None] | None]
# Takes changes (libs.cache.changes), of which this package knows nothing.
Invalidate = Callable[[Sequence[Any]], Awaitable[None]]
# Writes what the audit log shall have of the current call, in its transaction; whether it did.
RecordAudit = Callable[["Connection"], Awaitable[bool]]
_savepoints = itertools.count(1)
_TIMES = {
    kind: DB_STATEMENT_SECONDS.labels(kind)
    for kind in ("execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table")
}


class Record(Protocol):
    """A row: by column name or position; a slice gives a tuple."""

    def __getitem__(self, key: str | int | slice) -> Any: ...
    def get(self, key: str, default: Any = None, /) -> Any: ...
    def keys(self) -> Iterator[str]: ...
    def values(self) -> Iterator[Any]: ...
    def items(self) -> Iterator[tuple[str, Any]]: ...
    def __len__(self) -> int: ...


@dataclass(slots=True)
class StatementCounter:
    """The statements sent while counting, in order, begin and commit among them."""

    statements: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.statements)


_counters: list[StatementCounter] = []


@contextlib.contextmanager
def count_statements() -> Iterator[StatementCounter]:
    """Count every statement that this process sends meanwhile: for tests that bound the statements of a request."""
    counter = StatementCounter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.remove(counter)


def budget(timeout: float | None) -> float:
    """Seconds that a statement may take: its own limit, cut by what remains of the call."""
    limit = STATEMENT_SECONDS if timeout is None else timeout
    remaining = remaining_seconds()
    if remaining is None:
        return limit
    if remaining <= 0:
        raise timed_out()
    return min(limit, remaining)


class Connection:
    """The connection of a transaction, valid until the transaction ends. `timeout` (seconds) may lengthen the 5 s
    limit, never the call's deadline. json and jsonb cross as text. Outages and timeouts are raised as AppError."""

    __slots__ = ("_raw", "announce", "hooks", "invalidate")

    def __init__(self, raw: "Raw", announce: Announce | None = None, invalidate: Invalidate | None = None) -> None:
        self._raw: Raw | None = raw
        self.announce = announce
        self.invalidate = invalidate
        self.hooks: dict[Hashable, Hook] = {}

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement (or, without args, several); its command tag such as "UPDATE 3"."""
        tag: str = await self._bounded("execute", query, timeout, query, *args)
        return tag

    async def change(self, query: str, *args: Any, timeout: float | None = None) -> int:
        """Run a statement that inserts, updates or deletes; the number of its rows."""
        tag = await self.execute(query, *args, timeout=timeout)
        return int(tag.rpartition(" ")[2])

    async def executemany(self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None) -> None:
        """Run a statement for each row of `args`, in one round trip."""
        await self._bounded("executemany", command, timeout, command, args)

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Record]:
        rows: list[Record] = await self._bounded("fetch", query, timeout, query, *args)
        return rows

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Record | None:
        row: Record | None = await self._bounded("fetchrow", query, timeout, query, *args)
        return row

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        return await self._bounded("fetchval", query, timeout, query, *args, column=column)

    async def enter(self, org_id: str) -> None:
        """Go on in this transaction as this organization; the caller has checked that it may."""
        await self.execute("select set_config('app.org', $1, true)", org_id)

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any]],
        columns: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> str:
        """COPY rows in binary form: for bulk, from about a hundred rows."""
        tag: str = await self._bounded(
            "copy_records_to_table", f"copy {table_name}", timeout, table_name, records=records, columns=columns
        )
        return tag

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A savepoint inside the running transaction: a failure in it undoes only its own statements."""
        return Savepoint(self)

    def end_lease(self) -> None:
        """Refuse further statements through this object: another lease owns the connection."""
        self._raw = None

    async def _bounded(self, kind: str, sql: str, timeout: float | None, *args: Any, **options: Any) -> Any:
        raw = self._raw
        if raw is None:
            raise RuntimeError("the transaction of this connection has ended")
        limit = budget(timeout)
        for counter in _counters:
            counter.statements.append(sql)
        began = time.perf_counter()
        try:
            with span("sql", kind="client", **{"db.system": "postgresql", "db.statement": sql}):
                return await getattr(raw, kind)(*args, timeout=limit, **options)
        except Exception as error:
            refusal = unavailable() if raw.is_closed() else translate(error)
            if refusal is None:
                raise
            if isinstance(error, TimeoutError):
                raw.terminate()
            raise refusal from error
        finally:
            _TIMES[kind].observe(time.perf_counter() - began)


def after_commit(conn: Connection, hook: Hook, *, once: Hashable | None = None) -> None:
    """Run `hook` after the transaction of `conn` has committed, never when it rolls back; its failure is logged, not
    raised. Of several hooks with the same `once` the first is kept."""
    conn.hooks.setdefault(object() if once is None else once, hook)


def announce_after_commit(conn: Connection, subject: str) -> None:
    """Publish an empty message on a core NATS subject after the commit, once a transaction; lost when NATS is down."""
    announce = conn.announce
    if announce is not None:
        after_commit(conn, lambda: announce(subject), once=("announce", subject))


class _Changes:
    """The hook that tells of all changes of a transaction at once."""

    def __init__(self, invalidate: Invalidate) -> None:
        self._invalidate = invalidate
        self.gathered: list[Any] = []

    async def __call__(self) -> None:
        await self._invalidate(self.gathered)


def invalidate_after_commit(conn: Connection, changes: Sequence[Any]) -> None:
    """Tell the caches of the changes after the commit; failing is fine, because the relay's leader does it again."""
    if conn.invalidate is not None and changes:
        hook = conn.hooks.setdefault("invalidate", _Changes(conn.invalidate))
        if isinstance(hook, _Changes):
            hook.gathered.extend(changes)


class Savepoint:
    """See Connection.transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._name = f"s{next(_savepoints)}"

    async def __aenter__(self) -> None:
        await self._conn.execute(f"savepoint {self._name}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is None:
            await self._conn.execute(f"release savepoint {self._name}")
        elif isinstance(error, Exception):
            with contextlib.suppress(AppError):  # keep the error of the body, which already reports the outage
                await self._conn.execute(f"rollback to savepoint {self._name}")
