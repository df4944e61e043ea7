"""Statements about jobs and queues: read, count, pause, cancel, retry, redrive.

Every function takes the organization that the caller may see; None (operators' tools, as a service principal) means
all.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from libs.bus.subjects import job_wakeup
from libs.errors import Aborted, FailedPrecondition, NotFound
from libs.jobs.admin.list_rows import JOB_COLUMNS, JOB_STATE
from libs.paging import CursorCodec, ListRules, Page, PageRequest, check_newest_first
from libs.postgres import Connection, Database, Record, UniqueViolation, announce_after_commit
from libs.postgres.listing import Filter, Listing, fetch_page

Fetch = Callable[..., Awaitable[list[Record]]]

# Dead letters that one request redrives. More would lock more rows in one statement.
REPLAY_AT_MOST = 1_000
# Ids sort by creation.
RULES = ListRules(sorts={"createdAt": "j.id"})

_LISTING = Listing(select=JOB_COLUMNS, source="job j", rules=RULES, tie="j.id", org="j.org_id", created="j.created_at")
_GET = f"select {JOB_COLUMNS} from job j where {{one}}"
_ATTEMPTS = """
select attempt, worker, started_at, ended_at, outcome, error_code, error_message from (
    select number, attempt, worker, started_at, ended_at, outcome, error_code, error_message
    from job_attempt where job_id = $1 order by number desc limit 100) newest
order by number"""
_CANCEL = """
update job j set
    cancel_requested = true, state = case when state = 'running' then state else 'cancelled' end,
    finished_at = case when state = 'running' then null else clock_timestamp() end
where {one} and finished_at is null
returning id"""
# Of several jobs with one unique key only the newest is requeued, because the index allows one live job per key.
_RETRY = """
with chosen as (
    select distinct on (d.queue, d.org_id, d.unique_key, case when d.unique_key is null then d.id end)
        d.ctid as place, d.finished_at
    from job d
    where d.state = any($1::text[]) and d.finished_at is not null and ($2::text is null or d.org_id = $2)
        and ($3::text[] is null or d.id = any($3)) and ($4 = '' or d.queue = $4) and ($5 = '' or d.kind = $5)
        and ($6 = '' or d.error_code = $6)
        and not exists (
            select 1 from job twin where twin.queue = d.queue and twin.org_id = d.org_id
                and twin.unique_key = d.unique_key and twin.id <> d.id
                and (twin.finished_at is null or position(twin.state in twin.unique_ends) > 0))
    order by d.queue, d.org_id, d.unique_key, case when d.unique_key is null then d.id end,
        d.finished_at desc, d.id desc)
update job j set
    state = 'queued', run_at = clock_timestamp(), attempt = 0, stalls = 0, cancel_requested = false, progress = 0,
    finished_at = null, error_code = null, error_message = null
where j.ctid = any(array(
    select d.ctid from job d
    where d.ctid = any(array(select place from chosen order by finished_at limit $7)) and d.state = any($1::text[])
    for update skip locked))
returning j.id, j.queue"""
# All organizations, newest end first. The statement reads job_finished from the position in every queue, because that
# index begins with the queue and no index orders ends without the organization. A queue in which jobs ended is
# declared.
_DEAD_OF_ALL = f"""
select {JOB_COLUMNS} from (
    select found.org_id, found.id from job_queue q cross join lateral (
        select d.org_id, d.id, d.finished_at from job d
        where d.queue = q.name and d.state = 'failed' and d.finished_at is not null and ($2 = '' or d.kind = $2)
            and (d.finished_at, d.id) < (coalesce($3::timestamptz, 'infinity'), $4)
            and d.created_at >= coalesce($5::timestamptz, '-infinity')
            and d.created_at < coalesce($6::timestamptz, 'infinity')
        order by d.finished_at desc, d.id desc limit $7) found
    where $1 = '' or q.name = $1
    order by found.finished_at desc, found.id desc limit $7) dead
join job j on j.org_id = dead.org_id and j.id = dead.id
order by j.finished_at desc, j.id desc"""
_QUEUE_NAMES = "select name from job_queue order by name"
# Figures of one queue; waiting and delayed are counted to 100,000, times are read from the newest thousand completed.
_FIGURES = """
select
    exists (select 1 from job_pause p where p.queue = $1 and p.org_id in ('', coalesce($2, ''))) as paused,
    due.waiting, due.delayed + later.delayed as delayed, due.oldest, active.active, ended.failed, ended.completed,
    ended.recent / 60.0 as finished_per_second, speed.wait_p95, speed.run_p95
from (
    select count(*) filter (where run_at <= clock_timestamp()) as waiting,
        count(*) filter (where run_at > clock_timestamp()) as delayed,
        greatest(0, coalesce(extract(epoch from clock_timestamp() - min(run_at)), 0))::float8 as oldest
    from (select run_at from job where queue = $1 and state = 'queued' and ($2::text is null or org_id = $2)
        limit 100000) q) due,
    (select count(*) as delayed from (select 1 from job where queue = $1 and state = 'scheduled'
        and ($2::text is null or org_id = $2) limit 100000) s) later,
    (select count(*) as active from job where queue = $1 and state = 'running'
        and ($2::text is null or org_id = $2)) active,
    (select count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state = 'completed') as completed,
        count(*) filter (where finished_at > clock_timestamp() - interval '1 minute') as recent
     from job where queue = $1 and finished_at is not null
        and ($2::text is null or org_id = $2)) ended,
    (select
        percentile_cont(0.95) within group (order by extract(epoch from started_at - run_at))::float8 as wait_p95,
        percentile_cont(0.95) within group (order by extract(epoch from finished_at - started_at))::float8 as run_p95
     from (select run_at, started_at, finished_at from job where queue = $1 and state = 'completed'
        and finished_at is not null and ($2::text is null or org_id = $2)
        order by finished_at desc limit 1000) n) speed"""
_PAUSE = "insert into job_pause (queue, org_id) values ($1, $2) on conflict do nothing"
_RESUME = "delete from job_pause where queue = $1 and org_id = $2"
_SCHEDULES = """
select name, kind, cron, time_zone, catch_up, next_fire_at, last_fire_at from job_schedule order by name"""


async def get(fetch: Fetch, job_id: str, org_id: str | None) -> tuple[Record, list[Record]]:
    """The job and its attempts, oldest first; NotFound for an unknown one and for another organization's alike."""
    rows = await _by_id(fetch, _GET, job_id, org_id)
    if not rows:
        raise NotFound("job_not_found", "No such job.")
    return rows[0], await fetch(_ATTEMPTS, job_id)


async def list_jobs(
    db: Database, org_id: str, request: PageRequest, codec: CursorCodec, *, states: Sequence[str], kind: str, queue: str
) -> Page[Record]:
    filters: list[Filter] = [(f"{JOB_STATE} = any({{}})", list(states))] if states else []
    filters += [(f"j.{name} = {{}}", value) for name, value in (("kind", kind), ("queue", queue)) if value]
    return await fetch_page(db, org_id, _LISTING, request, filters, codec)


async def list_dead(
    db: Database, org_id: str, request: PageRequest, codec: CursorCodec, *, kind: str, queue: str
) -> Page[Record]:
    """Jobs that failed for good."""
    filters: list[Filter] = [("j.state = 'failed'", None)]
    filters += [(f"j.{name} = {{}}", value) for name, value in (("kind", kind), ("queue", queue)) if value]
    return await fetch_page(db, org_id, _LISTING, request, filters, codec, ("dead",))


async def list_dead_of_all(
    db: Database, request: PageRequest, codec: CursorCodec, *, kind: str, queue: str
) -> Page[Record]:
    """Dead letters of all organizations, newest end first, for operators. By cursor only, without a total."""
    check_newest_first(request)
    window = (request.created_at_ge, request.created_at_lt)
    scope = json.dumps(["dead of all", "finished_at, id", queue, kind, window], default=str)
    after = codec.decode(scope, request.cursor) if request.cursor else (None, "")
    rows = await db.system_fetch(_DEAD_OF_ALL, queue, kind, *after, *window, request.limit + 1)
    items, has_more = rows[: request.limit], len(rows) > request.limit
    cursor = codec.encode(scope, (items[-1]["finished_at"], items[-1]["id"])) if has_more else ""
    return Page(items, 0, request.limit, None, False, has_more, cursor)


async def cancel(conn: Connection, job_id: str, org_id: str | None) -> None:
    """A waiting job ends at once. A running job is marked, and its worker sees the mark within 3 s."""
    if not await _by_id(conn.fetch, _CANCEL, job_id, org_id):
        await _refuse(conn, job_id, org_id, "job_finished", "The job has already ended.")


async def retry(conn: Connection, service: str, job_id: str, org_id: str | None) -> None:
    """Put a failed or cancelled job back in its queue with fresh attempts."""
    if not await _requeue(conn, service, ["failed", "cancelled"], org_id, [job_id], "", "", ""):
        await _refuse(
            conn, job_id, org_id, "job_not_retryable",
            "Only failed and cancelled jobs can be retried, and only while no other with their unique key is live.",
        )  # fmt: skip


async def replay(
    conn: Connection, service: str, org_id: str | None, ids: Sequence[str], queue: str, kind: str, error_code: str
) -> int:
    """Requeue failed jobs by ids or by filter, at most 1,000, oldest first; returns how many. Of jobs that share a
    unique key only the newest is requeued."""
    return await _requeue(conn, service, ["failed"], org_id, list(ids) or None, queue, kind, error_code)


async def queue_figures(db: Database, org_id: str | None) -> list[tuple[str, Record]]:
    names = [row["name"] for row in await db.system_fetch(_QUEUE_NAMES)]
    return [(name, (await db.system_fetch(_FIGURES, name, org_id))[0]) for name in names]


async def one_queue(fetch: Fetch, queue: str, org_id: str | None) -> Record:
    """Figures of one queue; NotFound when no worker ever served it."""
    if queue not in {row["name"] for row in await fetch(_QUEUE_NAMES)}:
        raise NotFound("queue_not_found", "No such queue.")
    return (await fetch(_FIGURES, queue, org_id))[0]


async def pause(conn: Connection, queue: str, org_id: str | None) -> None:
    """Start no more jobs of the queue: of this organization, or (None) of all. Running ones go on."""
    await conn.execute(_PAUSE, queue, org_id or "")


async def resume(conn: Connection, service: str, queue: str, org_id: str | None) -> None:
    await conn.execute(_RESUME, queue, org_id or "")
    announce_after_commit(conn, job_wakeup(service, queue))


async def schedules(db: Database) -> list[Record]:
    return await db.system_fetch(_SCHEDULES)


async def _by_id(fetch: Fetch, sql: str, job_id: str, org_id: str | None) -> list[Record]:
    """A statement about one job, by the table's key where the organization is known."""
    if org_id is None:
        return await fetch(sql.format(one="j.id = $1"), job_id)
    return await fetch(sql.format(one="j.org_id = $2 and j.id = $1"), job_id, org_id)


async def _requeue(conn: Connection, service: str, *filters: Any) -> int:
    try:
        rows = await conn.fetch(_RETRY, *filters, REPLAY_AT_MOST)
    except UniqueViolation:
        # The statement skips keys that a live job holds. One became live while it ran.
        detail = "Another job with the same unique key became live meanwhile. Try again."
        raise Aborted("concurrent_update", detail, retry_after=0.1) from None
    for queue in {row["queue"] for row in rows}:
        announce_after_commit(conn, job_wakeup(service, queue))
    return len(rows)


async def _refuse(conn: Connection, job_id: str, org_id: str | None, reason: str, detail: str) -> None:
    if not await _by_id(conn.fetch, _GET, job_id, org_id):
        raise NotFound("job_not_found", "No such job.")
    raise FailedPrecondition(reason, detail)
