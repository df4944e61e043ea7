"""One connection: every statement has a client-side time limit, and hooks run after a commit.

A frozen server enforces no statement_timeout, so the limit is kept here; a connection that missed it is terminated,
because nobody knows what it is still doing. Leased by libs.postgres.database alone.
"""

import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, TypeVar

import asyncpg

from libs.context import remaining_seconds
from libs.postgres.errors import timed_out, translate, unavailable
from libs.telemetry import span
from libs.telemetry.metrics import DB_STATEMENT_SECONDS

STATEMENT_SECONDS = 5.0

T = TypeVar("T")
Hook = Callable[[], Awaitable[None] | None]
_savepoints = itertools.count(1)


class Record(Protocol):
    """A row: by column name or position."""

    def __getitem__(self, key: str | int) -> Any: ...
    def get(self, key: str, default: Any = None, /) -> Any: ...
    def keys(self) -> Iterator[str]: ...
    def values(self) -> Iterator[Any]: ...
    def items(self) -> Iterator[tuple[str, Any]]: ...
    def __len__(self) -> int: ...


class Connection(Protocol):
    """What a transaction hands out. `timeout` (seconds) may lengthen the 5 s limit, never the call's deadline.
    json and jsonb cross as text."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...
    async def executemany(
        self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None: ...
    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Record]: ...
    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Record | None: ...
    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any]],
        columns: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> str: ...
    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """A savepoint inside the running transaction."""
        ...


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


def after_commit(conn: Connection, hook: Hook, *, once: Hashable | None = None) -> None:
    """Run `hook` after the transaction of `conn` has committed, never when it rolls back; its failure is logged, not
    raised. Of several hooks with the same `once` the first is kept."""
    hooks: dict[Hashable, Hook] = conn.after_commit_hooks  # type: ignore[attr-defined]
    hooks.setdefault(object() if once is None else once, hook)


def announce_after_commit(conn: Connection, subject: str) -> None:
    """Publish an empty message on a core NATS subject after the commit, once a transaction; lost when NATS is down."""
    announce = conn.announce  # type: ignore[attr-defined]
    if announce is not None:
        after_commit(conn, lambda: announce(subject), once=("announce", subject))


def budget(timeout: float | None) -> float:
    """Seconds that a statement may take: its own limit, cut by what remains of the call."""
    limit = STATEMENT_SECONDS if timeout is None else timeout
    remaining = remaining_seconds()
    if remaining is None:
        return limit
    if remaining <= 0:
        raise timed_out()
    return min(limit, remaining)


class BoundedConnection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's connection with time limits, counting, spans, and outages told as AppError."""

    __slots__ = ("after_commit_hooks", "announce")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.after_commit_hooks: dict[Hashable, Hook] = {}
        self.announce: Callable[[str], Awaitable[None] | None] | None = None

    def get_reset_query(self) -> str:
        """No RESET on release: session state is only ever changed inside transactions, which end with the lease."""
        return ""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        status: str = await self._bounded(query, timeout, asyncpg.Connection.execute, query, *args)
        return status

    async def executemany(self, command: str, args: Any, *, timeout: float | None = None) -> None:
        await self._bounded(command, timeout, asyncpg.Connection.executemany, command, args)

    async def fetch(self, query: str, *args: Any, timeout: float | None = None, record_class: Any = None) -> Any:
        return await self._bounded(query, timeout, asyncpg.Connection.fetch, query, *args, record_class=record_class)

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None, record_class: Any = None) -> Any:
        return await self._bounded(query, timeout, asyncpg.Connection.fetchrow, query, *args, record_class=record_class)

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        return await self._bounded(query, timeout, asyncpg.Connection.fetchval, query, *args, column=column)

    async def copy_records_to_table(self, table_name: str, *, timeout: float | None = None, **options: Any) -> Any:
        copy = asyncpg.Connection.copy_records_to_table
        return await self._bounded(f"copy {table_name}", timeout, copy, table_name, **options)

    def transaction(self, **options: Any) -> Any:
        """Inside a transaction of libs.postgres (begun by a plain statement) a savepoint; else asyncpg's own."""
        if self._top_xact is None and self.is_in_transaction():
            return Savepoint(self)
        return super().transaction(**options)

    async def _bounded(
        self, sql: str, timeout: float | None, run: Callable[..., Awaitable[T]], *args: Any, **options: Any
    ) -> T:
        limit = budget(timeout)
        for counter in _counters:
            counter.statements.append(sql)
        began = time.perf_counter()
        try:
            with span("sql", kind="client", **{"db.system": "postgresql", "db.statement": sql}):
                return await run(self, *args, timeout=limit, **options)
        except Exception as error:
            refusal = unavailable() if self.is_closed() else translate(error)
            if refusal is None:
                raise
            if isinstance(error, TimeoutError):
                self.terminate()
            raise refusal from error
        finally:
            DB_STATEMENT_SECONDS.labels(run.__name__).observe(time.perf_counter() - began)


class Savepoint:
    """`async with conn.transaction():` inside a transaction: what fails in it leaves the rest as it was."""

    def __init__(self, conn: BoundedConnection) -> None:
        self._conn = conn
        self._name = f"s{next(_savepoints)}"

    async def __aenter__(self) -> None:
        await self._conn.execute(f"savepoint {self._name}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if error is None:
            await self._conn.execute(f"release savepoint {self._name}")
        elif not self._conn.is_closed():
            await self._conn.execute(f"rollback to savepoint {self._name}")
