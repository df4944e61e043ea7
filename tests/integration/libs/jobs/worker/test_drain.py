"""The end of a worker: what runs may end, what does not is given back uncharged, and nothing holds it up."""

from __future__ import annotations

import asyncio
import contextlib

from libs.jobs import Handlers, JobContext, enqueue_many
from tests.integration.libs.jobs.conftest import Jobs, kind


async def test_shutdown_gives_leases_back_uncharged(jobs: Jobs) -> None:
    handlers = Handlers()

    async def hang(ctx: JobContext) -> None:
        await asyncio.sleep(60)

    handlers.add(kind("hang"), hang)
    async with jobs.working(handlers, drain_seconds=0.2, worker_concurrency=2):
        ids = [await jobs.add("hang") for _ in range(3)]
        await jobs.until_state(ids[0], "running")
        await jobs.until_state(ids[1], "running")
    for job_id in ids:
        row = await jobs.row(job_id)
        assert (row["state"], row["attempt"], row["lease_token"]) == ("queued", 0, None)
    assert await jobs.attempts(ids[0]) == [(1, "released")]


async def test_running_work_may_end_during_the_drain(jobs: Jobs) -> None:
    handlers, begun = Handlers(), asyncio.Event()

    async def short(ctx: JobContext) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        async with ctx.finish() as conn:
            await conn.execute("insert into effect (org_id, job_id) values ($1, $2)", ctx.job.org_id, ctx.job.id)

    handlers.add(kind("short"), short)
    async with jobs.working(handlers):
        job_id = await jobs.add("short")
        await begun.wait()
    assert (await jobs.row(job_id))["state"] == "completed"
    assert await jobs.effects(job_id) == 1


async def test_shutdown_gives_back_what_was_claimed_ahead(jobs: Jobs) -> None:
    handlers = Handlers()

    async def quick(ctx: JobContext) -> None:
        return None

    async def hang(ctx: JobContext) -> None:
        await asyncio.sleep(60)

    handlers.add(kind("quick"), quick)
    handlers.add(kind("hang"), hang)

    async def held() -> int:
        running = "select count(*) from job where kind = 'hang' and state = 'running'"
        return int(await jobs.db.system_fetchval(running))

    async with jobs.working(handlers, worker_concurrency=2, drain_seconds=0.2):
        async with jobs.db.transaction("org_a") as conn:
            quick_ids = await enqueue_many(conn, [kind("quick").new("org_a")] * 300)
        await jobs.until_state(quick_ids[-1], "completed")
        async with jobs.db.transaction("org_a") as conn:
            await enqueue_many(conn, [kind("hang").new("org_a")] * 60)

        async def ahead() -> bool:
            return await held() > 4

        await jobs.until(ahead)
    assert await held() == 0
    states = await jobs.db.system_fetch("select distinct state, attempt, lease_until from job where kind = 'hang'")
    assert [(row["state"], row["attempt"], row["lease_until"]) for row in states] == [("queued", 0, None)]


async def test_a_handler_that_will_not_be_cancelled_does_not_hold_up_the_shutdown(jobs: Jobs) -> None:
    handlers, gate = Handlers(), asyncio.Event()

    async def stubborn(ctx: JobContext) -> None:
        while not gate.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await gate.wait()

    handlers.add(kind("stubborn"), stubborn)
    async with asyncio.timeout(10):
        async with jobs.working(handlers, drain_seconds=0.2):
            job_id = await jobs.add("stubborn")
            await jobs.until_state(job_id, "running")
    row = await jobs.row(job_id)
    gate.set()
    assert (row["state"], row["attempt"]) == ("queued", 0)
