"""Every list of the suite: one statement behind the tenant fence for the rows, and for their count where wanted.

Both modes of libs.paging: by page number (OFFSET, bounded by 10,000 rows) and by signed keyset cursor, whose cost does
not grow with depth. It must not know what is listed. Rows whose sort value is null come last in either direction.

The estimated total of a list that page numbers do not reach the end of is kept for LIST_TOTAL_SECONDS: only the first
page in that time counts. The rows are read each time, and a page that shows the end of the list has its exact total.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from libs.paging import MAX_PAGED_ROWS, CursorCodec, ListRules, Page, PageRequest, invalid_cursor
from libs.postgres.connection import Record
from libs.postgres.database import Database

Filter = tuple[str, Any]
_FENCED_ORG = re.compile(r"\bo\.org\b")


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its columns, its FROM clause and what it may be sorted by.

    `tie` is a unique column that orders rows with equal sort values, `org` and `created` are the columns of tenant and
    creation time, `nullable` names the sorts whose column may be null. With `may_lag` a replica may answer. With an
    index on (org, sort column, tie) pages cost the same at any depth."""

    select: str
    source: str
    rules: ListRules
    tie: str = "id"
    org: str = "org_id"
    created: str = "created_at"
    nullable: frozenset[str] = frozenset()
    may_lag: bool = False


async def fetch_page(
    db: Database,
    org_id: str,
    listing: Listing,
    request: PageRequest,
    filters: Sequence[Filter],
    codec: CursorCodec,
    scope_parts: Sequence[str] = (),
    walked: Sequence[Filter] = (),
) -> Page[Record]:
    """The rows that `request` asks for. A filter is SQL with `{}` for its value ("a.status = {}"), or without for a
    condition that has none. `walked` are conditions on `_tie` that are asked of each row in the list's order until
    the page is full, for functions that are too slow for all rows; such a list has no total. Raises
    InvalidArgument("invalid_cursor") for another list's cursor."""
    query = _Query(listing, request, filters, walked)
    scope = _scope(org_id, listing, request, [*filters, *walked], scope_parts)
    after = _decode(codec, scope, request.cursor) if request.cursor_mode and request.cursor else None
    counts = request.counts and not walked
    rows, total, estimate = await _rows(db, org_id, query, after, counts=counts, may_lag=listing.may_lag)
    has_more = query.has_more(rows)
    items = rows[: request.limit]
    return Page(
        items=items,
        page=0 if request.cursor_mode else request.page,
        limit=request.limit,
        total=total,
        total_is_estimate=estimate,
        has_more=has_more,
        next_cursor=codec.encode(scope, _position(items[-1])) if has_more else "",
    )


class _Query:
    """The SQL of one request; parameters are numbered from $2, because $1 is the organization."""

    def __init__(
        self, listing: Listing, request: PageRequest, filters: Sequence[Filter], walked: Sequence[Filter] = ()
    ) -> None:
        self._listing = listing
        self._request = request
        self._sort = listing.rules.sorts[request.sort]
        self._args: list[Any] = []
        conditions = [f"{listing.org} = o.org"]
        conditions += [self._bind(clause, value) for clause, value in filters]
        if request.created_at_ge is not None:
            conditions.append(self._bind(f"{listing.created} >= {{}}", request.created_at_ge))
        if request.created_at_lt is not None:
            conditions.append(self._bind(f"{listing.created} < {{}}", request.created_at_lt))
        self._conditions = conditions
        self._walked = [self._bind(clause, value) for clause, value in walked]

    def rows(self, after: tuple[Any, Any] | None) -> tuple[Any, ...]:
        """Statement and arguments for one row more than the limit, after a position or from the request's offset."""
        args, offset = list(self._args), self.offset
        if self._request.sort in self._listing.nullable:
            sql = self._rows_nulls_last(after, offset, args)
        else:
            sql = self._leg(self._after(after, args) if after else [], self._request.limit + 1 + offset)
        if offset:
            args.append(offset)
            sql = f"{sql} offset ${len(args) + 1}"
        return sql, *args

    @property
    def offset(self) -> int:
        """The rows before the page of a number."""
        return 0 if self._request.cursor_mode else self._request.offset

    def has_more(self, rows: Sequence[Record]) -> bool:
        """Whether the list goes on after the page that is the first of these rows."""
        return len(rows) > self._request.limit

    def key(self, org_id: str) -> bytes:
        """16 bytes that differ where another list, organization or filter is counted."""
        counted = repr((org_id, self.counted(), self._args))
        return hashlib.blake2b(counted.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def counted(self) -> str:
        """The rows that count: up to one past the last that page numbers reach. Its arguments begin those of `rows`."""
        return f"select 1 from {self._listing.source} where {self._where([])} limit {MAX_PAGED_ROWS + 1}"

    def estimate(self) -> tuple[Any, ...]:
        """Asks the planner; for a plain transaction, where the organization is $1 and no `o` exists."""
        where = _FENCED_ORG.sub("$1", self._where([]))
        return f"explain (format json) select 1 from {self._listing.source} where {where}", *self._args

    def _bind(self, clause: str, value: Any) -> str:
        if "{}" not in clause:
            return clause
        self._args.append(value)
        return clause.replace("{}", f"${len(self._args) + 1}")

    def _after(self, after: tuple[Any, Any], args: list[Any]) -> list[str]:
        args.extend(after)
        last, beyond = len(args) + 1, "<" if self._request.descending else ">"
        return [f"({self._sort}, {self._listing.tie}) {beyond} (${last - 1}, ${last})"]

    def _leg(self, extra: list[str], limit: int) -> str:
        """An ordered run of the index; the direction covers both columns, so that one index serves both ways."""
        way = "desc" if self._request.descending else "asc"
        rows = (
            f"select {self._listing.select}, {self._sort} as _sort, {self._listing.tie} as _tie "
            f"from {self._listing.source} where {self._where(extra)} "
            f"order by {self._sort} {way}, {self._listing.tie} {way}"
        )
        if self._walked:
            # A plan that was made for few rows would sort them after it asked each. `offset 0` keeps the condition
            # outside. A second order would have all rows sorted, and the rows stay as they come.
            rows = f"select w.* from ({rows} offset 0) w where {' and '.join(self._walked)}"
        return f"{rows} limit {limit}"

    def _rows_nulls_last(self, after: tuple[Any, Any] | None, offset: int, args: list[Any]) -> str:
        """Two runs of the index, values and then nulls: one condition over both could not use it as a range."""
        limit = self._request.limit + 1
        nulls = [f"{self._sort} is null"]
        if after is not None and after[0] is None:
            args.append(after[1])
            beyond = "<" if self._request.descending else ">"
            return self._leg([*nulls, f"{self._listing.tie} {beyond} ${len(args) + 1}"], limit)
        values = [f"{self._sort} is not null", *(self._after(after, args) if after else [])]
        way = "desc" if self._request.descending else "asc"
        return (
            f"select u.* from (select v.*, 0 as _leg from ({self._leg(values, limit + offset)}) v union all "
            f"select n.*, 1 as _leg from ({self._leg(nulls, limit + offset)}) n) u "
            f"order by _leg, _sort {way}, _tie {way} limit {limit}"
        )

    def _where(self, extra: list[str]) -> str:
        return " and ".join([*self._conditions, *extra])


async def _rows(
    db: Database, org_id: str, query: _Query, after: tuple[Any, Any] | None, *, counts: bool, may_lag: bool
) -> tuple[list[Record], int | None, bool]:
    """The rows, how many there are in all where that is wanted, and whether this is an estimate."""
    sql, *args = query.rows(after)
    if not counts:
        return await db.fetch(org_id, sql, *args, may_lag=may_lag), None, False
    key, kept = query.key(org_id), db.list_totals
    if kept is not None and (total := kept.get(key)) is not None:
        rows = await db.fetch(org_id, sql, *args, may_lag=may_lag)
        if query.has_more(rows) or after is not None:
            return rows, total, True
        kept.pop(key)
        # The list has shrunk to this page, whose first row has a known number. None says only that it ends before.
        if rows or not query.offset:
            return rows, query.offset + len(rows), False
    rows, counted = await db.fetch_counted(org_id, sql, query.counted(), *args, may_lag=may_lag)
    if counted <= MAX_PAGED_ROWS:
        return rows, counted, False
    total = await _estimate(db, org_id, query, counted)
    if kept is not None:
        kept.put(key, total, db.settings.list_total_seconds)
    return rows, total, True


async def _estimate(db: Database, org_id: str, query: _Query, counted: int) -> int:
    sql, *args = query.estimate()
    async with db.transaction(org_id) as conn:
        explained = json.loads(await conn.fetchval(sql, org_id, *args))
    return max(counted, int(explained[0]["Plan"]["Plan Rows"]))


def _scope(org_id: str, listing: Listing, request: PageRequest, filters: Sequence[Filter], parts: Sequence[str]) -> str:
    """All that decides which rows follow which. With the columns, because a sort may mean another one after an
    upgrade: an old cursor's values would not fit it, and might not even be of its type."""
    window = (request.created_at_ge, request.created_at_lt)
    order = [request.sort, listing.rules.sorts[request.sort], listing.tie, request.descending]
    bound = [org_id, listing.source, *order, list(filters), window, list(parts)]
    return json.dumps(bound, default=str, separators=(",", ":"))


def _position(row: Record) -> tuple[Any, Any]:
    sort = row["_sort"]
    return (str(sort) if isinstance(sort, Decimal) else sort, row["_tie"])


def _decode(codec: CursorCodec, scope: str, cursor: str) -> tuple[Any, Any]:
    values = codec.decode(scope, cursor)
    if len(values) != 2:
        raise invalid_cursor()
    return values[0], values[1]
