"""Sums of usage by group. A row is one meter at one value of each wanted group, by day as asked, then by name.

Both paging modes are kept by the group's own key: day, meter, agent, provider. Sums are numeric, because a dozen of the
largest quantities exceed a bigint.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Database, Record
from services.billing.domain.usage_sums import UsageSum

USAGE_LIST = ListRules(sorts={"day": "day"}, default_sort="day")
_DAY = "(u.event_time at time zone 'UTC')::date"
# Not the first day of all, which asyncpg sends as -infinity: a cursor would come before or behind every row.
_NO_DAY = "date '1970-01-01'"
_SUMS = """
select g.day, g.meter, g.agent_id, g.provider, sum(g.quantity_micros)::numeric as quantity_micros,
    coalesce(sum(g.amount_micros), 0)::numeric as amount_micros, coalesce(max(g.currency), '') as currency,
    count(*) as events, count(*) over () as groups
from (
    select {day} as day, u.meter, {agent} collate "C" as agent_id, {provider} collate "C" as provider,
        u.quantity_micros, r.amount_micros, r.currency
    from usage_event u
    left join usage_rating r on r.org_id = u.org_id and r.usage_event_id = u.id
    where u.org_id = o.org and u.event_time >= $2 and u.event_time < $3
) g
where $4::date is null or g.day {beyond} $4 or (g.day = $4 and (g.meter, g.agent_id, g.provider) > ($5, $6, $7))
group by g.day, g.meter, g.agent_id, g.provider
order by g.day {way}, g.meter, g.agent_id, g.provider
limit $8 offset $9"""


class UsageSums:
    def __init__(self, db: Database, cursors: CursorCodec) -> None:
        self._db = db
        self._cursors = cursors

    async def page(
        self, org_id: str, request: PageRequest, groups: Sequence[str], start: datetime, end: datetime
    ) -> Page[UsageSum]:
        way = "desc" if request.descending else "asc"
        scope = "|".join(("usage", org_id, way, *sorted(groups), start.isoformat(), end.isoformat()))
        after: tuple[Any, ...] = (None, "", "", "")
        if request.cursor_mode and request.cursor:
            day, *names = self._cursors.decode(scope, request.cursor)
            after = (date.fromisoformat(day), *names)
        offset = 0 if request.cursor_mode else request.offset
        rows = await self._db.fetch(
            org_id, _sql(groups, way), start, end, *after, request.limit + 1, offset, may_lag=True
        )
        # One row more than asked tells whether there is a next page.
        has_more = len(rows) > request.limit
        items = rows[: request.limit]
        return Page(
            items=[_sum_from_row(row, groups) for row in items],
            page=0 if request.cursor_mode else request.page,
            limit=request.limit,
            total=await self._total(org_id, request, groups, start, end, rows),
            total_is_estimate=False,
            has_more=has_more,
            next_cursor=self._cursors.encode(scope, _position(items[-1])) if has_more else "",
        )

    async def _total(
        self, org_id: str, request: PageRequest, groups: Sequence[str], start: datetime, end: datetime,
        rows: Sequence[Record],
    ) -> int | None:  # fmt: skip
        """The number of groups, returned with each row of the first pass over the window."""
        if not request.counts:
            return None
        if rows and not (request.cursor_mode and request.cursor):
            return int(rows[0]["groups"])
        first = await self._db.fetch(org_id, _sql(groups, "desc"), start, end, None, "", "", "", 1, 0, may_lag=True)
        return int(first[0]["groups"]) if first else 0


def _sql(groups: Sequence[str], way: str) -> str:
    return _SUMS.format(
        way=way,
        beyond="<" if way == "desc" else ">",
        day=_DAY if "day" in groups else _NO_DAY,
        agent="u.agent_id" if "agentId" in groups else "''",
        provider="u.provider" if "provider" in groups else "''",
    )


def _position(row: Record) -> tuple[Any, ...]:
    return row["day"].isoformat(), row["meter"], row["agent_id"], row["provider"]


def _sum_from_row(row: Record, groups: Sequence[str]) -> UsageSum:
    return UsageSum(
        row["meter"], int(row["quantity_micros"]), int(row["amount_micros"]), row["currency"], row["events"],
        row["agent_id"], row["provider"], row["day"] if "day" in groups else None,
    )  # fmt: skip
