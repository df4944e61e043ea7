"""Leases: which worker may finish a job. Every statement that ends or renews a claim is fenced by its token.

Owns heartbeat, finish, settling of other outcomes, release and the sweep of expired leases. Times are PostgreSQL's.
A row has a token exactly while it runs, so the token stands for the state.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.jobs.errors import LeaseLost
from libs.jobs.job import MAX_STALLS, Job, encode_json
from libs.postgres import Connection, Database, Record

# Seconds of a lease. It bounds how long a dead worker's job waits, and how long a worker may freeze: three missed
# heartbeats.
LEASE_SECONDS = 10.0
# Seconds between heartbeats, and the longest until a cancellation is seen. Shorter: more statements per worker.
HEARTBEAT_SECONDS = 3.0
# Expired leases that one sweep takes back. More would hold more row locks in one statement.
SWEEP_AT_ONCE = 500

_HELD = "select org_id from job where id = $1 and lease_token = $2 and lease_until > clock_timestamp()"
_COMPLETE = """
update job set
    state = 'completed', progress = 100, finished_at = clock_timestamp(), lease_token = null, lease_until = null,
    error_code = null, error_message = null, result = $3::text::jsonb
where org_id = $4 and id = $1 and lease_token = $2
returning id"""
_COMPLETE_MANY = "select job_complete as id from job_complete($1, $2, $3, $4)"
# A row that is being finished is locked by its own transaction: skip it rather than wait, it needs no heartbeat.
_HEARTBEAT = """
with held as (select h.org_id, h.id, h.token from unnest($1::text[], $2::text[], $3::uuid[]) as h(org_id, id, token)),
kept as (
    update job set lease_until = clock_timestamp() + make_interval(secs => $4)
    where ctid = any(array(
        select j.ctid from held join job j on j.org_id = held.org_id and j.id = held.id and j.lease_token = held.token
        for update of j skip locked))
)
select j.id, j.cancel_requested
from held join job j on j.org_id = held.org_id and j.id = held.id and j.lease_token = held.token"""
_SETTLE = """
with v as (
    select v.org_id, v.id, v.token, v.state, v.outcome, v.delay, v.charged, v.code, v.message
    from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::float8[], $7::bool[], $8::text[],
        $9::text[]) as v(org_id, id, token, state, outcome, delay, charged, code, message)
), settled as (
    update job j set
        state = case when v.state <> 'queued' then v.state when j.cancel_requested then 'cancelled'
            when v.delay > 10 then 'scheduled' else 'queued' end,
        run_at = case when v.state = 'queued' then clock_timestamp() + make_interval(secs => v.delay) else j.run_at end,
        finished_at = case when v.state <> 'queued' or j.cancel_requested then clock_timestamp() end,
        attempt = case when v.charged then j.attempt else greatest(j.attempt - 1, 0) end,
        error_code = coalesce(v.code, j.error_code), error_message = coalesce(v.message, j.error_message),
        lease_token = null, lease_until = null
    from v where j.org_id = v.org_id and j.id = v.id and j.lease_token = v.token
    returning j.id, j.attempt + case when v.charged then 0 else 1 end as attempt, j.worker, j.started_at, v.outcome,
        v.code, v.message
), history as (
    insert into job_attempt (job_id, attempt, worker, started_at, outcome, error_code, error_message)
    select id, attempt, worker, started_at, outcome, code, message from settled
)
select id from settled"""
_SWEEP = f"""
with expired as (
    select ctid from job where state = 'running' and (lease_until < clock_timestamp() or worker = $2)
    order by started_at limit {SWEEP_AT_ONCE} for update skip locked
), swept as (
    update job j set
        stalls = j.stalls + 1, attempt = greatest(j.attempt - 1, 0), lease_token = null, lease_until = null,
        state = case when j.stalls + 1 >= $1 then 'failed' when j.cancel_requested then 'cancelled' else 'queued' end,
        finished_at = case when j.stalls + 1 >= $1 or j.cancel_requested then clock_timestamp() end,
        error_code = case when j.stalls + 1 >= $1 then 'job_stalled' else j.error_code end,
        error_message = case when j.stalls + 1 >= $1
            then 'Its worker died or froze too often while running this job; it is quarantined.'
            else j.error_message end
    where ctid = any(array(select ctid from expired))
    returning j.id, j.queue, j.kind, j.org_id, j.state, j.attempt + 1 as attempt, j.worker, j.started_at
), history as (
    insert into job_attempt (job_id, attempt, worker, started_at, outcome, error_code)
    select id, attempt, worker, started_at, 'stalled', 'job_stalled' from swept
)
select id, queue, kind, org_id, state from swept"""
_PROMOTE = """
update job set state = 'queued'
where ctid = any(array(
    select ctid from job where state = 'scheduled' and run_at <= clock_timestamp() + interval '8 seconds'
    order by run_at limit 2000 for update skip locked))
returning queue, extract(epoch from run_at - clock_timestamp())::float8 as delay"""
_PENDING = """
select exists (select 1 from job where state = 'running' and lease_until < clock_timestamp()) as expired,
    exists (select 1 from job where state = 'scheduled' and run_at <= clock_timestamp() + interval '8 seconds') as soon,
    exists (select 1 from job_schedule where name = any($1::text[]) and next_fire_at <= clock_timestamp()) as firing"""
_PROGRESS = """
update job set progress = $4 where org_id = $1 and id = $2 and lease_token = $3"""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended, other than by success. `state` is the job's next one: queued, failed or cancelled."""

    job: Job
    state: str
    outcome: str
    delay: float = 0.0
    charged: bool = True
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    id: str
    queue: str
    kind: str
    org_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Leases that ran out, delayed jobs that come near, schedules whose tick has come."""

    expired: bool
    soon: bool
    firing: bool


async def by_index(db: Database, sql: str, *args: Any) -> list[Record]:
    """One statement in a transaction of its own, without sequential scans."""
    async with db.system_transaction(by_index=True) as conn:
        return await conn.fetch(sql, *args)


async def organization_of_held(db: Database, job_id: str, lease: str) -> str | None:
    """The organization of a job that a worker holds by this lease now; None when no worker does."""
    try:
        token = uuid.UUID(lease)
    except ValueError:
        return None
    row = await db.system_fetchrow(_HELD, job_id, token)
    return str(row["org_id"]) if row else None


async def complete(conn: Connection, job: Job, result: Mapping[str, Any] | None) -> None:
    """End the job as completed in the open transaction; LeaseLost (so that nothing commits) if it is not ours."""
    text = None if result is None else encode_json(result, "result")
    if await conn.fetchval(_COMPLETE, job.id, job.token, text, job.org_id) is None:
        raise LeaseLost


async def complete_many(db: Database, done: Sequence[tuple[Job, str | None]]) -> set[str]:
    """End jobs that wrote nothing here, in one statement; the ids that were still ours."""
    columns = zip(*((job.org_id, job.id, job.token, result) for job, result in done), strict=True)
    return {row["id"] for row in await db.system_fetch(_COMPLETE_MANY, *map(list, columns))}


async def settle(db: Database, settlements: Sequence[Settlement]) -> set[str]:
    """Record other endings with their attempts; the ids that were still ours."""
    columns = zip(
        *(
            (s.job.org_id, s.job.id, s.job.token, s.state, s.outcome, s.delay, s.charged, s.code, s.message)
            for s in settlements
        ),
        strict=True,
    )
    return {row["id"] for row in await by_index(db, _SETTLE, *map(list, columns))}


async def heartbeat(db: Database, jobs: Sequence[Job]) -> tuple[set[str], set[str]]:
    """Keep all these leases; (ids still ours, ids among them whose cancellation was asked for)."""
    columns = zip(*((job.org_id, job.id, job.token) for job in jobs), strict=True)
    rows = await by_index(db, _HEARTBEAT, *map(list, columns), LEASE_SECONDS)
    return {row["id"] for row in rows}, {row["id"] for row in rows if row["cancel_requested"]}


async def sweep(db: Database, worker: str | None = None) -> list[Swept]:
    """Take expired leases back, and those of a worker known to be dead; a job's third stall quarantines it."""
    rows: list[Record] = []
    while len(batch := await by_index(db, _SWEEP, MAX_STALLS, worker)) == SWEEP_AT_ONCE:
        rows += batch
    rows += batch
    return [Swept(row["id"], row["queue"], row["kind"], row["org_id"], row["state"]) for row in rows]


async def pending(db: Database, schedules: list[str]) -> Pending:
    """Which steps of a round have something to do: one statement, because most rounds have nothing."""
    [row] = await by_index(db, _PENDING, schedules)
    return Pending(row["expired"], row["soon"], row["firing"])


async def promote(db: Database) -> list[tuple[str, float]]:
    """Queue the jobs that are due soon; (queue, seconds until due) of each."""
    return [(row["queue"], row["delay"]) for row in await by_index(db, _PROMOTE)]


async def record_progress(db: Database, job: Job, percent: int) -> None:
    await db.system_fetch(_PROGRESS, job.org_id, job.id, job.token, percent)
