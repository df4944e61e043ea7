"""Who may finish a job: heartbeats, expired leases, fencing, quarantine, cancellation."""

from __future__ import annotations

import asyncio

import pytest

from libs.jobs import Handlers, JobContext, LeaseLost, QueuePolicy
from libs.jobs.job import Job
from libs.jobs.store import leases
from libs.jobs.store.claims import Claimer
from libs.jobs.store.leases import Settlement
from tests.integration.libs.jobs.conftest import Jobs, kind


async def claim(jobs: Jobs, worker: str = "w1") -> Job:
    [job] = await Claimer(jobs.db, QueuePolicy("default"), worker).claim(8)
    return job


async def expire(jobs: Jobs, job: Job) -> None:
    await jobs.db.system_fetch(
        "update job set lease_until = clock_timestamp() - interval '1 second' where id = $1", job.id
    )


async def test_the_first_worker_is_fenced_once_another_has_the_job(jobs: Jobs) -> None:
    job_id = await jobs.add("effect.write")
    paused = await claim(jobs, "paused")
    await expire(jobs, paused)
    assert [swept.state for swept in await leases.sweep(jobs.db)] == ["queued"]
    other = await claim(jobs, "other")
    context = JobContext(paused, jobs.db, jobs.bus)
    with pytest.raises(LeaseLost):
        async with context.finish() as conn:
            await conn.execute("insert into effect (org_id, job_id) values ('org_a', $1)", job_id)
    assert await leases.complete_many(jobs.db, [(paused, None)]) == set()
    assert await leases.settle(jobs.db, [Settlement(paused, "failed", "failed")]) == set()
    assert await leases.heartbeat(jobs.db, [paused]) == (set(), set())
    assert await jobs.effects() == 0
    assert (await jobs.row(job_id))["worker"] == "other"
    assert await leases.complete_many(jobs.db, [(other, None)]) == {job_id}


async def test_a_stall_is_not_an_attempt_and_the_third_quarantines(jobs: Jobs) -> None:
    job_id = await jobs.add("effect.write", max_attempts=1)
    for stalls in (1, 2, 3):
        job = await claim(jobs)
        await expire(jobs, job)
        await leases.sweep(jobs.db)
        row = await jobs.row(job_id)
        assert (row["stalls"], row["attempt"]) == (stalls, 0)
    assert (row["state"], row["error_code"]) == ("failed", "job_stalled")
    assert await jobs.attempts(job_id) == [(1, "stalled")] * 3


async def test_a_heartbeat_keeps_the_lease_and_passes_over_a_row_being_finished(jobs: Jobs) -> None:
    first_id, second_id = await jobs.add("effect.write"), await jobs.add("effect.write")
    held = await Claimer(jobs.db, QueuePolicy("default"), "w").claim(8)
    before = {job.id: (await jobs.row(job.id))["lease_until"] for job in held}
    async with jobs.db.system_transaction() as conn:
        await conn.execute("select 1 from job where id = $1 for update", first_id)
        async with asyncio.timeout(2):  # it does not wait for the row that is locked
            ours, cancelled = await leases.heartbeat(jobs.db, held)
    assert (ours, cancelled) == ({first_id, second_id}, set())
    assert (await jobs.row(first_id))["lease_until"] == before[first_id]
    assert (await jobs.row(second_id))["lease_until"] > before[second_id]


async def test_a_running_job_is_cancelled_by_the_next_heartbeat(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers, interrupted = Handlers(), []

    async def hang(ctx: JobContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            interrupted.append(ctx.cancelled)

    handlers.add(kind("hang"), hang)
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.05)
    async with jobs.working(handlers):
        job_id = await jobs.add("hang")
        await jobs.until_state(job_id, "running")
        await jobs.db.system_fetch("update job set cancel_requested = true where id = $1", job_id)
        row = await jobs.until_state(job_id, "cancelled")
    assert interrupted == [True]
    assert row["finished_at"] is not None
    assert await jobs.attempts(job_id) == [(1, "cancelled")]


async def test_a_lost_lease_interrupts_the_handler(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers, gone = Handlers(), asyncio.Event()

    async def hang(ctx: JobContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            gone.set()

    handlers.add(kind("hang"), hang)
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.05)
    async with jobs.working(handlers):
        job_id = await jobs.add("hang")
        await jobs.until_state(job_id, "running")
        await jobs.db.system_fetch("update job set lease_token = gen_random_uuid() where id = $1", job_id)
        async with asyncio.timeout(3):
            await gone.wait()
    assert (await jobs.row(job_id))["state"] == "running"  # still the other worker's


async def test_a_cancel_asked_during_a_failing_attempt_ends_the_job(jobs: Jobs) -> None:
    job_id = await jobs.add("effect.write")
    job = await claim(jobs)
    await jobs.db.system_fetch("update job set cancel_requested = true where id = $1", job_id)
    await leases.settle(jobs.db, [Settlement(job, "queued", "retried", 5.0, code="x", message="y")])
    row = await jobs.row(job_id)
    assert (row["state"], row["finished_at"] is not None) == ("cancelled", True)


async def test_jobs_near_quarantine_are_run_one_at_a_time(jobs: Jobs) -> None:
    """So that a job that kills its workers is alone among suspects the next time, and no other shares its fate."""
    handlers, together, most = Handlers(), 0, 0

    async def watch(ctx: JobContext) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.25)
        together -= 1

    handlers.add(kind("watch"), watch)
    ids = [await jobs.add("watch") for _ in range(4)]
    await jobs.db.system_fetch("update job set stalls = 2")
    async with jobs.working(handlers):
        for job_id in ids:
            await jobs.until_state(job_id, "completed")
    assert most == 1


async def test_a_worker_takes_over_from_its_dead_namesake_at_once(jobs: Jobs) -> None:
    handlers = Handlers()

    async def nothing(ctx: JobContext) -> None:
        return None

    handlers.add(kind("k"), nothing)
    job_id = await jobs.add("k")
    await claim(jobs, "namesake")
    async with jobs.working(handlers, instance="namesake"):
        row = await jobs.until_state(job_id, "completed", seconds=5)
    assert row["stalls"] == 1
