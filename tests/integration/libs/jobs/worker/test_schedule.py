"""Cron on a real database: one firing per tick over many instances, catch-up after a gap, changes of a schedule."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from libs.clock import utcnow
from libs.jobs import Handlers, JobContext
from libs.jobs.worker.schedule import Scheduler
from tests.integration.libs.jobs.conftest import Jobs, kind


async def nothing(ctx: JobContext) -> None:
    return None


def hourly(catch_up: str = "one", cron: str = "0 * * * *") -> Handlers:
    handlers, roll_up = Handlers(), kind("roll.up", queue="rollups")
    handlers.add(roll_up, nothing)
    handlers.cron("hourly", cron, roll_up, catch_up=catch_up, args={"span": "hour"})
    return handlers


async def miss(jobs: Jobs, hours: int) -> None:
    """As if no one had looked since some hours ago."""
    first = utcnow().replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours - 1)
    await jobs.db.system_fetch("update job_schedule set next_fire_at = $1", first)


async def fired(jobs: Jobs) -> int:
    return int(await jobs.db.system_fetchval("select count(*) from job where kind = 'roll.up'"))


async def test_many_instances_fire_a_tick_once(jobs: Jobs) -> None:
    schedulers = [Scheduler(jobs.db, hourly()) for _ in range(8)]
    for scheduler in schedulers:
        assert await scheduler.fire() == []
    await miss(jobs, 1)
    woken = await asyncio.gather(*(scheduler.fire() for scheduler in schedulers))
    assert sorted(woken) == [[]] * 7 + [["rollups"]]
    assert await fired(jobs) == 1
    row = await jobs.db.system_fetchrow("select org_id, queue, args from job")
    assert row is not None
    assert (row["org_id"], row["queue"]) == ("", "rollups")
    assert '"span": "hour"' in row["args"]
    assert "scheduledFor" in row["args"]


async def test_a_tick_that_was_fired_is_not_fired_again_when_the_clock_of_the_schedule_goes_back(jobs: Jobs) -> None:
    scheduler = Scheduler(jobs.db, hourly())
    await scheduler.fire()
    for _ in range(2):
        await miss(jobs, 1)
        await scheduler.fire()
    assert await fired(jobs) == 1


@pytest.mark.parametrize(("catch_up", "jobs_made"), [("all", 5), ("one", 1)])
async def test_missed_ticks_are_caught_up_as_asked(jobs: Jobs, catch_up: str, jobs_made: int) -> None:
    scheduler = Scheduler(jobs.db, hourly(catch_up))
    await scheduler.fire()
    await miss(jobs, 5)
    await scheduler.fire()
    assert await fired(jobs) == jobs_made
    assert await scheduler.fire() == []


async def test_another_expression_begins_from_now_and_a_removed_schedule_is_forgotten(jobs: Jobs) -> None:
    await Scheduler(jobs.db, hourly()).fire()
    await miss(jobs, 5)
    await Scheduler(jobs.db, hourly(cron="30 4 * * *")).fire()
    assert await fired(jobs) == 0
    assert await jobs.db.system_fetchval("select next_fire_at > now() from job_schedule")
    await Scheduler(jobs.db, Handlers()).fire()
    assert await jobs.db.system_fetchval("select count(*) from job_schedule") == 0


async def test_a_worker_runs_what_a_schedule_made(jobs: Jobs) -> None:
    handlers, ran = Handlers(), asyncio.Event()

    async def roll_up(ctx: JobContext) -> None:
        async with ctx.finish() as conn:  # of no organization: a system transaction
            await conn.execute("insert into effect (org_id, job_id) values ('org_a', $1)", ctx.job.id)
        ran.set()

    handlers.add(kind("roll.up"), roll_up)
    handlers.cron("each-minute", "* * * * *", kind("roll.up"))
    await Scheduler(jobs.db, handlers).fire()
    await jobs.db.system_fetch("update job_schedule set next_fire_at = date_trunc('minute', now())")
    async with jobs.working(handlers), asyncio.timeout(10):
        await ran.wait()
    assert await jobs.effects() == 1
