"""What every worker does beside its jobs: delayed jobs come near, finished ones are forgotten, depth is measured."""

from __future__ import annotations

from libs.jobs import QueuePolicy
from libs.jobs.store import leases, retention
from libs.jobs.store.claims import Claimer
from tests.integration.libs.jobs.conftest import Jobs


async def finish(jobs: Jobs, count: int, failed: bool = False) -> None:
    for _ in range(count):
        await jobs.add("k")
    taken = []
    claimer = Claimer(jobs.db, QueuePolicy("default"), "w")
    while found := await claimer.claim(32):
        taken += found
    if failed:
        await leases.settle(jobs.db, [leases.Settlement(job, "failed", "failed", code="x") for job in taken])
    else:
        await leases.complete_many(jobs.db, [(job, None) for job in taken])


async def count(jobs: Jobs, table: str = "job") -> int:
    return int(await jobs.db.system_fetchval(f"select count(*) from {table}"))


async def test_the_newest_finished_jobs_stay_and_failed_ones_longer(jobs: Jobs) -> None:
    await finish(jobs, 12)
    await finish(jobs, 8, failed=True)
    policy = QueuePolicy("default", keep_completed=5, keep_failed=7)
    newest = await jobs.db.system_fetchval(
        "select min(id) from (select id from job where state = 'completed' order by finished_at desc limit 5) n"
    )
    assert await retention.forget(jobs.db, policy, grace_seconds=0) == 8
    states = {r["state"]: r["n"] for r in await jobs.db.system_fetch("select state, count(*) as n from job group by 1")}
    assert states == {"completed": 5, "failed": 7}
    assert await jobs.db.system_fetchval("select min(id) from job where state = 'completed'") == newest
    assert await count(jobs, "job_attempt") == 7


async def test_what_has_just_ended_stays_readable(jobs: Jobs) -> None:
    await finish(jobs, 12)
    assert await retention.forget(jobs.db, QueuePolicy("default", keep_completed=1)) == 0


async def test_nothing_stays_for_ever(jobs: Jobs) -> None:
    await finish(jobs, 3)
    await jobs.db.system_fetch("update job set finished_at = now() - interval '31 days'")
    assert await retention.forget(jobs.db, QueuePolicy("default")) == 3


async def test_only_what_is_due_soon_is_brought_near(jobs: Jobs) -> None:
    soon, late = await jobs.add("k", delay=5), await jobs.add("k", delay=3600)
    [(queue, delay)] = await leases.promote(jobs.db)
    assert queue == "default"
    assert 4 < delay < 5
    assert (await jobs.row(soon))["state"] == "queued"
    assert (await jobs.row(late))["state"] == "scheduled"
    assert await Claimer(jobs.db, QueuePolicy("default"), "w").claim(8) == []


async def test_depth_and_age_of_a_queue(jobs: Jobs) -> None:
    assert await retention.depths(jobs.db, ["default"]) == {"default": (0, 0)}
    for _ in range(3):
        await jobs.add("k")
    await jobs.db.system_fetch("update job set run_at = now() - interval '1 minute'")
    depth, oldest = (await retention.depths(jobs.db, ["default"]))["default"]
    assert depth == 3
    assert 60 <= oldest < 70


async def test_jobs_that_no_worker_serves_are_told_and_listed_once(jobs: Jobs) -> None:
    await retention.declare(jobs.db, ["default"])
    for queue in ("default", "forgotten", "forgotten", "mistyped"):
        await jobs.add("k", queue=queue)
    assert sorted(await retention.declare_unserved(jobs.db)) == ["forgotten", "mistyped"]
    assert await retention.declare_unserved(jobs.db) == []
