"""How long finished jobs stay readable, and how deep the queues are.

Per queue the newest 100 completed (and cancelled) and the newest 500 failed are kept. All jobs that ended in the last
ten minutes are kept, so that a caller that received a job's address can read its result. None is kept longer than 30
days.
"""

from collections.abc import Iterable

from libs.jobs.queues import QueuePolicy
from libs.jobs.store.leases import by_index
from libs.postgres import Database

# Seconds that every ended job stays, so that a client that received a 202 can read the result.
GRACE_SECONDS = 600.0
# Days that any ended job stays.
MAX_AGE_DAYS = 30
# Rows per DELETE. Larger: longer locks. Smaller: more statements.
BATCH = 2_000
# Bounds one sweep, so that a large backlog does not delay the other maintenance. The next sweep continues.
BATCHES = 20

_FORGET = """
with gone as (
    delete from job where ctid = any(array(
        select ctid from job
        where queue = $1 and state = $2 and finished_at < least(
            clock_timestamp() - make_interval(secs => $4),
            coalesce((select k.finished_at from job k where k.queue = $1 and k.state = $2
                and k.finished_at > clock_timestamp() - make_interval(days => $5)
                order by k.finished_at desc offset $3 - 1 limit 1), clock_timestamp() - make_interval(days => $5)))
        order by finished_at limit $6 for update skip locked))
    returning id
), attempts as (
    delete from job_attempt where job_id = any(array(select id from gone))
)
select count(*)::int as gone from gone"""
_DEPTHS = """
select q.name, count(capped.run_at)::int as depth,
    coalesce(extract(epoch from clock_timestamp() - min(capped.run_at)), 0)::float8 as oldest
from unnest($1::text[]) as q(name)
left join lateral (select run_at from job where queue = q.name and state = 'queued' limit 100000) capped on true
group by q.name"""
# The row behind the newest that are kept, or one that is older than any may be.
_EXPIRED = """
select distinct q.name from unnest($1::text[], $2::text[], $3::int[]) as q(name, state, kept)
where exists (select 1 from (select finished_at from job where queue = q.name and state = q.state
        order by finished_at desc offset q.kept limit 1) as next
    where next.finished_at < clock_timestamp() - make_interval(secs => $4))
    or exists (select 1 from job where queue = q.name and state = q.state
        and finished_at < clock_timestamp() - make_interval(days => $5))"""
_DECLARE = "insert into job_queue (name) select unnest($1::text[]) on conflict do nothing"
# A loose index scan over the names of queues with something waiting.
_UNSERVED = """
with recursive waiting as (
    (select queue from job where state = 'queued' and stalls < 2 order by queue limit 1)
    union all
    select (select j.queue from job j where j.state = 'queued' and j.stalls < 2 and j.queue > w.queue
        order by j.queue limit 1)
    from waiting w where w.queue is not null
)
insert into job_queue (name) select queue from waiting where queue is not null on conflict do nothing returning name"""
_KEPT_STATES = ("completed", "cancelled", "failed")


async def declare(db: Database, queues: list[str]) -> None:
    """Make these queues known to GET /api/admin/queues, also while they are empty."""
    await db.system_fetch(_DECLARE, queues)


async def declare_unserved(db: Database) -> list[str]:
    """Queues with waiting jobs that no worker ever served, each returned once. From then on the list of queues shows
    them."""
    return [row["name"] for row in await by_index(db, _UNSERVED)]


async def forget(db: Database, policy: QueuePolicy, grace_seconds: float | None = None) -> int:
    """Delete expired jobs of one queue in batches; returns how many."""
    grace = GRACE_SECONDS if grace_seconds is None else grace_seconds
    total = 0
    for _ in range(BATCHES):
        async with db.system_transaction(by_index=True) as conn:
            gone = [
                await conn.fetchval(_FORGET, policy.name, state, newest, grace, MAX_AGE_DAYS, BATCH)
                for state, newest in _kept(policy).items()
            ]
        total += sum(gone)
        if max(gone) < BATCH:
            break
    return total


async def depths(db: Database, queues: list[str]) -> dict[str, tuple[int, float]]:
    """By queue: queued jobs, counted to 100,000, and seconds since the oldest of them was due (negative when none is
    due yet)."""
    return {row["name"]: (row["depth"], row["oldest"]) for row in await db.system_fetch(_DEPTHS, queues)}


async def expired(db: Database, policies: Iterable[QueuePolicy]) -> set[str]:
    """Which of these queues have ended jobs that are not kept."""
    kept = [(policy.name, state, newest) for policy in policies for state, newest in _kept(policy).items()]
    columns = map(list, zip(*kept, strict=True))
    return {row["name"] for row in await by_index(db, _EXPIRED, *columns, GRACE_SECONDS, MAX_AGE_DAYS)}


def _kept(policy: QueuePolicy) -> dict[str, int]:
    """How many of the newest stay, by state."""
    newest = {state: policy.keep_failed if state == "failed" else policy.keep_completed for state in _KEPT_STATES}
    return {state: max(1, count) for state, count in newest.items()}
