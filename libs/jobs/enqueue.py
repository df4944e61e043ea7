"""Enqueue: a row written in the caller's own transaction, so that a job exists exactly when its cause committed.

It must not commit, publish before the commit, or know what a kind does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from libs.batches import Batches
from libs.bus.subjects import delayed_job_wakeup, job_wakeup
from libs.errors import DeadlineExceeded, Unavailable
from libs.ids import new_job_id
from libs.jobs.job import NewJob, encode_json
from libs.jobs.meters import meters_of
from libs.postgres import Connection, Database, Record, after_commit, announce_after_commit
from libs.telemetry import current_traceparent

if TYPE_CHECKING:
    from libs.bus import Bus

Row = tuple[Any, ...]
Fetch = Callable[..., Awaitable[list[Record]]]
_COLUMNS = """id, queue, kind, org_id, args, lane, max_attempts, unique_key, unique_until_start, unique_ends,
    traceparent, state, run_at"""
_DUE = "coalesce({at}::timestamptz, clock_timestamp() + make_interval(secs => {delay}))"
_INSERT = f"""
insert into job ({_COLUMNS})
values ($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8, $9, $10, $11, $12, {_DUE.format(at="$13", delay="$14")})"""
_INSERT_UNIQUE = _INSERT + "\non conflict do nothing returning id"
_INSERT_MANY = f"""
insert into job ({_COLUMNS})
select id, queue, kind, org_id, args::jsonb, lane, max_attempts, unique_key, unique_until_start, unique_ends,
    traceparent, state, {_DUE.format(at="at", delay="delay")}
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int2[], $7::int2[], $8::text[],
    $9::bool[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::float8[])
    as v(id, queue, kind, org_id, args, lane, max_attempts, unique_key, unique_until_start, unique_ends, traceparent,
        state, at, delay)
on conflict do nothing
returning id"""
_TWIN = """
select id from job
where queue = $1 and org_id = $2 and unique_key = $3
    and (finished_at is null or position(state in unique_ends) > 0)"""


async def enqueue(conn: Connection, job: NewJob) -> str:
    """Write one job in the open transaction of `conn`; its id, or that of the job that holds the unique key."""
    job_id, made = await _insert(conn.fetch, job, _row(job))
    if made:
        _announced(conn, [job])
    return job_id


async def enqueue_many(conn: Connection, jobs: Sequence[NewJob]) -> list[str]:
    """Write many jobs in one statement; the ids of those made (a job whose unique key is taken makes none)."""
    if not jobs:
        return []
    rows = [_row(job) for job in jobs]
    made = await _insert_many(conn.fetch, rows)
    _announced(conn, [job for job, row in zip(jobs, rows, strict=True) if row[0] in made])
    return [row[0] for row in rows if row[0] in made]


class Enqueuer:
    """Writes jobs that have no cause to commit with. Those that callers write at the same time share one statement and
    one commit, as in a database's group commit; each caller waits for it."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bus = bus
        self._batches: Batches[tuple[NewJob, Row], str] = Batches(self._write, _is_outage)

    async def enqueue(self, job: NewJob) -> str:
        """The job's id, or that of the job that holds the unique key."""
        return await self._batches.do("", (job, _row(job)))

    async def _write(self, _: str, jobs: Sequence[tuple[NewJob, Row]]) -> Sequence[str]:
        """All of them in one transaction, which is one statement where each is made by it."""
        if len(jobs) == 1:
            outcomes = [await _insert(self._db.system_fetch, *jobs[0])]
        else:
            async with self._db.system_transaction() as conn:
                made = await _insert_many(conn.fetch, [row for _, row in jobs])
                outcomes = [
                    (row[0], True) if row[0] in made else await _insert(conn.fetch, job, row) for job, row in jobs
                ]
        written = [job for (job, _), (_, new) in zip(jobs, outcomes, strict=True) if new]
        _count(written)
        for subject in {_wakeup(job) for job in written}:
            await self._bus.announce(subject)
        return [job_id for job_id, _ in outcomes]


def _is_outage(error: Exception) -> bool:
    return isinstance(error, Unavailable | DeadlineExceeded)


def _row(job: NewJob) -> Row:
    return (
        new_job_id(job.service), job.queue, job.kind, job.org_id, encode_json(job.args, "arguments"), int(job.lane),
        job.max_attempts, job.unique_key, job.unique_until_start, job.unique_ends, current_traceparent() or None,
        "scheduled" if job.waits else "queued", job.run_at, job.delay,
    )  # fmt: skip


async def _insert_many(fetch: Fetch, rows: Sequence[Row]) -> set[str]:
    """The ids of the jobs made."""
    return {row["id"] for row in await fetch(_INSERT_MANY, *map(list, zip(*rows, strict=True)))}


async def _insert(fetch: Fetch, job: NewJob, row: Row) -> tuple[str, bool]:
    """The job's id and whether it was made now."""
    if job.unique_key is None:
        await fetch(_INSERT, *row)
        return str(row[0]), True
    while not await fetch(_INSERT_UNIQUE, *row):
        # The job that holds the key may end between the two statements. Then the next insert succeeds.
        if twin := await fetch(_TWIN, job.queue, job.org_id, job.unique_key):
            return str(twin[0]["id"]), False
    return str(row[0]), True


def _wakeup(job: NewJob) -> str:
    return (delayed_job_wakeup if job.waits else job_wakeup)(job.service, job.queue)


def _announced(conn: Connection, jobs: Sequence[NewJob]) -> None:
    for subject in {_wakeup(job) for job in jobs}:
        announce_after_commit(conn, subject)
    after_commit(conn, lambda: _count(jobs))


def _count(jobs: Sequence[NewJob]) -> None:
    for (queue, kind), count in Counter((job.queue, job.kind) for job in jobs).items():
        meters_of(queue, kind).enqueued.inc(count)
