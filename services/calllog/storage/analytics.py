"""Roll-ups of calls. A trigger notes what each change of a call adds or takes away, in the change's transaction; `fold`
adds the notes up. An hour can also be recomputed from its calls, which makes its notes void.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from libs.postgres import Connection, Database, Record
from services.calllog.domain.analytics import Totals, Window, floor_to
from services.calllog.domain.calls import Cost

# What one call adds. An unanswered call has failed, whether or not the provider judged it.
_SUMS = """count(*) as calls, count(*) filter (where c.successful) as successful_calls,
    count(*) filter (where c.successful is false or c.status in ('failed', 'no_answer', 'busy')) as failed_calls,
    count(c.duration_seconds) as measured_calls, coalesce(sum(c.duration_seconds), 0) as seconds,
    count(c.cost_micros) as rated_calls, coalesce(sum(c.cost_micros), 0)::bigint as cost_micros,
    coalesce(max(c.cost_currency), '') as cost_currency"""
_COLUMNS = """calls, successful_calls, failed_calls, measured_calls, seconds, rated_calls, cost_micros, cost_currency"""
_ADDED = """coalesce(sum(b.calls), 0)::bigint as calls,
    coalesce(sum(b.successful_calls), 0)::bigint as successful_calls,
    coalesce(sum(b.failed_calls), 0)::bigint as failed_calls,
    coalesce(sum(b.measured_calls), 0)::bigint as measured_calls, coalesce(sum(b.seconds), 0) as seconds,
    coalesce(sum(b.rated_calls), 0)::bigint as rated_calls, coalesce(sum(b.cost_micros), 0)::bigint as cost_micros,
    coalesce(max(b.cost_currency), '') as cost_currency,
    count(distinct b.agent_id) filter (where b.agent_id <> '' and b.calls > 0) as active_agents"""
# Foldings and recomputations follow each other, because both write the rows of a day.
_TURN = "select pg_advisory_xact_lock(hashtextextended('analytics', 0))"
_FOLD = """
with taken as (
    delete from analytics_change where id in (select c.id from analytics_change c order by c.id limit $2)
    returning org_id, hour, agent_id, calls, successful_calls, failed_calls, measured_calls, seconds, rated_calls,
        cost_micros, cost_currency
), added as (
    insert into analytics_rollup as r (org_id, period, bucket, agent_id, calls, successful_calls, failed_calls,
        measured_calls, seconds, rated_calls, cost_micros, cost_currency)
    select t.org_id, p.period, date_bin(p.length, t.hour, timestamptz '2000-01-01Z'), t.agent_id, sum(t.calls),
        sum(t.successful_calls), sum(t.failed_calls), sum(t.measured_calls), sum(t.seconds), sum(t.rated_calls),
        sum(t.cost_micros), max(t.cost_currency)
    from taken t cross join (values ('hour', interval '1 hour'), ('day', interval '1 day')) as p(period, length)
    group by 1, 2, 3, 4
    on conflict (org_id, period, bucket, agent_id) do update set calls = r.calls + excluded.calls,
        successful_calls = r.successful_calls + excluded.successful_calls,
        failed_calls = r.failed_calls + excluded.failed_calls,
        measured_calls = r.measured_calls + excluded.measured_calls, seconds = r.seconds + excluded.seconds,
        rated_calls = r.rated_calls + excluded.rated_calls, cost_micros = r.cost_micros + excluded.cost_micros,
        cost_currency = greatest(r.cost_currency, excluded.cost_currency)
)
insert into analytics_state (org_id, synced_at) select distinct t.org_id, $1::timestamptz from taken t
on conflict (org_id) do update set synced_at = greatest(analytics_state.synced_at, excluded.synced_at)
returning org_id"""
_CLEAR = "delete from analytics_rollup where org_id = $1 and period = $2 and bucket = $3"
# One statement and so one snapshot: the notes that it deletes are those of the changes that it counts.
_ROLL_HOUR = f"""
with void as (delete from analytics_change n where n.org_id = $1 and n.hour = $2::timestamptz)
insert into analytics_rollup (org_id, period, bucket, agent_id, {_COLUMNS})
select $1, 'hour', $2::timestamptz, coalesce(c.agent_id, ''), {_SUMS}
from call c
where c.org_id = $1 and coalesce(c.started_at, c.created_at) >= $2::timestamptz
    and coalesce(c.started_at, c.created_at) < $2::timestamptz + interval '1 hour'
group by 4"""
_ROLL_DAY = f"""
insert into analytics_rollup (org_id, period, bucket, agent_id, {_COLUMNS})
select $1, 'day', $2::timestamptz, b.agent_id, {_ADDED.rpartition(",")[0]}
from analytics_rollup b
where b.org_id = $1 and b.period = 'hour' and b.bucket >= $2::timestamptz
    and b.bucket < $2::timestamptz + interval '1 day'
group by b.agent_id"""
_SYNCED = """
insert into analytics_state (org_id, synced_at) values ($1, $2)
on conflict (org_id) do update set synced_at = greatest(analytics_state.synced_at, excluded.synced_at)"""
_ALL_TIME = f"""
select {_ADDED} from analytics_rollup b
where b.org_id = o.org and b.period = 'day' and ($2::text[] is null or b.agent_id = any($2))"""
_WINDOW = f"""
select {_ADDED} from (
    select r.agent_id, {_COLUMNS} from analytics_rollup r
    where r.org_id = o.org and r.period = 'hour' and r.bucket >= $2 and r.bucket < $3
        and ($8::text[] is null or r.agent_id = any($8))
    union all
    select coalesce(c.agent_id, '') as agent_id, {_SUMS} from call c
    where c.org_id = o.org and (
        (coalesce(c.started_at, c.created_at) >= $4 and coalesce(c.started_at, c.created_at) < $5)
        or (coalesce(c.started_at, c.created_at) >= $6 and coalesce(c.started_at, c.created_at) < $7))
        and ($8::text[] is null or c.agent_id = any($8))
    group by 1
) b"""
_SERIES = f"""
select b.bucket, {_ADDED} from analytics_rollup b
where b.org_id = o.org and b.period = $2 and b.bucket >= $3 and b.bucket < $4 and ($5 = '' or b.agent_id = $5)
    and ($6::text[] is null or b.agent_id = any($6))
group by b.bucket"""
_SYNC_TIME = "select s.synced_at from analytics_state s where s.org_id = o.org"
_CHANGED = """
select distinct c.org_id, date_bin('1 hour', coalesce(c.started_at, c.created_at), timestamptz '2000-01-01Z') as hour
from call c where c.updated_at >= $1"""


class Analytics:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def changed(self) -> bool:
        """Whether there are notes to add."""
        return bool(await self._db.system_fetchval("select exists (select 1 from analytics_change)"))

    async def fold(self, conn: Connection, now: datetime, at_most: int) -> list[str]:
        """Add the oldest notes to the roll-ups, over all organizations; whose roll-ups changed."""
        await conn.execute(_TURN)
        return [row["org_id"] for row in await conn.fetch(_FOLD, now, at_most)]

    async def recompute(self, conn: Connection, org_id: str, hour: datetime, now: datetime) -> None:
        """Recompute the roll-ups of the hour and of its day from the calls."""
        await conn.execute(_TURN)
        day = floor_to(hour, "day")
        await conn.execute(_CLEAR, org_id, "hour", hour)
        await conn.execute(_ROLL_HOUR, org_id, hour)
        await conn.execute(_CLEAR, org_id, "day", day)
        await conn.execute(_ROLL_DAY, org_id, day)
        await conn.execute(_SYNCED, org_id, now)

    async def all_time(self, org_id: str, agent_ids: list[str] | None = None) -> Totals:
        """`agent_ids`: of the calls of these agents alone, here and below."""
        return _totals(await self._db.fetchrow(org_id, _ALL_TIME, agent_ids, may_lag=True))

    async def window(self, org_id: str, window: Window, agent_ids: list[str] | None = None) -> Totals:
        """Exact for any window: whole hours from the roll-ups, the parts of hours at its ends from the calls."""
        head, tail = window.edges()
        hours = window.first_hour, window.last_hour
        row = await self._db.fetchrow(org_id, _WINDOW, *hours, *head, *tail, agent_ids, may_lag=True)
        return _totals(row)

    async def series(
        self, org_id: str, interval: str, start: datetime, end: datetime, agent_id: str,
        agent_ids: list[str] | None = None,
    ) -> dict[datetime, Totals]:  # fmt: skip
        """The buckets that hold calls, by their start."""
        first = floor_to(start, interval)
        rows = await self._db.fetch(org_id, _SERIES, interval, first, end, agent_id, agent_ids, may_lag=True)
        return {row["bucket"]: _totals(row) for row in rows}

    async def synced_at(self, org_id: str) -> datetime | None:
        moment: datetime | None = await self._db.fetchval(org_id, _SYNC_TIME, may_lag=True)
        return moment

    async def hours_changed_since(self, since: datetime) -> list[tuple[str, datetime]]:
        """(organization, hour) of every call written since, over all organizations."""
        rows = await self._db.system_fetch(_CHANGED, since)
        return [(row["org_id"], row["hour"]) for row in rows]


def _totals(row: Record | None) -> Totals:
    if row is None:
        return Totals()
    values: dict[str, Any] = {name: row[name] for name in _TOTALS}
    cost = Cost(row["cost_micros"], row["cost_currency"]) if row["rated_calls"] else None
    return Totals(**values, cost=cost)


_TOTALS = ("calls", "successful_calls", "failed_calls", "measured_calls", "seconds", "active_agents")
