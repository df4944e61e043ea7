"""What one job costs PostgreSQL and the worker while many others wait, over 500 organizations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import mean

from bench.jobs.measure import cpu_of
from bench.jobs.ours import cpu_seconds
from bench.jobs.stage import Stage
from libs.jobs import QueuePolicy
from libs.jobs.store import leases
from libs.jobs.store.claims import Claimer
from libs.postgres import Database

SLICES = 8
JOBS_A_SLICE = 4_000
WARMING = 640
JOBS = WARMING + SLICES * (JOBS_A_SLICE + 64)
PAUSE_SECONDS = 0.5
ORGANIZATIONS = 500
FILL_AT_ONCE = 100_000
_FILL = """
insert into job (id, queue, kind, org_id, args, state, run_at, max_attempts)
select 'job_bench_' || lpad(n::text, 26, '0'), 'bench', 'bench.nothing', 'org_' || lpad((n % {orgs})::text, 5, '0'),
    '{{"at": 0}}', 'queued', clock_timestamp(), 3
from generate_series({start}, {stop}) n"""


async def depth_costs(stage: Stage, depths: Sequence[int]) -> dict[int, float]:
    """CPU µs of claim and finish a job, with so many others queued. The first depth, against which the others are
    judged, is measured before and after them: a shared machine is not equally fast for a minute."""
    db = await Database.open(stage.settings, application_name="bench-depth")
    try:
        costs = {depth: await _cost(stage, db, depth) for depth in depths}
        return costs | {depths[0]: mean((costs[depths[0]], await _cost(stage, db, depths[0])))}
    finally:
        await db.close()


async def _cost(stage: Stage, db: Database, depth: int) -> float:
    stage.sql("truncate job, job_attempt")
    for start in range(1, depth + JOBS + 1, FILL_AT_ONCE):
        stop = min(depth + JOBS, start + FILL_AT_ONCE - 1)
        stage.sql(_FILL.format(orgs=ORGANIZATIONS, start=start, stop=stop))
    stage.sql("vacuum analyze job")
    stage.sql("checkpoint")
    claimer = Claimer(db, QueuePolicy("bench"), "bench")
    await _work(db, claimer, WARMING)  # plans and caches
    # The least of the slices: the server's checkpoints and vacuums, and other programs, fall into some of them.
    return min([await _slice(stage, db, claimer) for _ in range(SLICES)])


async def _slice(stage: Stage, db: Database, claimer: Claimer) -> float:
    await asyncio.sleep(PAUSE_SECONDS)
    server = stage.stores.all["postgres"].pid or 0
    before = cpu_of(server) + cpu_seconds()
    done = await _work(db, claimer, JOBS_A_SLICE)
    return (cpu_of(server) + cpu_seconds() - before) / done * 1e6


async def _work(db: Database, claimer: Claimer, count: int) -> int:
    done = 0
    while done < count:
        jobs = await claimer.claim(64)
        if not jobs:
            break
        done += len(await leases.complete_many(db, [(job, None) for job in jobs]))
    return done
