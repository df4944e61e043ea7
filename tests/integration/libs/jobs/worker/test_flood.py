"""One queue of a worker flooded: its others go on."""

from __future__ import annotations

import asyncio

from libs.jobs import Handlers, JobContext, enqueue_many
from tests.integration.libs.jobs.conftest import Jobs, kind

FLOOD, LIMITED = 5_000, 10


async def test_a_limited_queue_goes_on_beside_a_flooded_one(jobs: Jobs) -> None:
    """Endings wait up to half a second in a flood; those for which the next job of a limited queue waits must not."""
    handlers, done = Handlers(), {"flood": 0, "limited": 0}

    async def count(ctx: JobContext) -> None:
        await asyncio.sleep(0.01)
        done[ctx.job.queue] += 1

    handlers.add(kind("flood", queue="flood"), count)
    handlers.add(kind("limited", queue="limited"), count)
    handlers.queue("limited", max_running=1)
    async with jobs.db.transaction("org_a") as conn:
        for queue, number in (("flood", FLOOD), ("limited", LIMITED)):
            await enqueue_many(conn, [kind(queue, queue=queue).new("org_a")] * number)

    async def all_limited() -> bool:
        return done["limited"] == LIMITED

    async with jobs.working(handlers):
        await jobs.until(all_limited, 30.0)
        assert done["flood"] < FLOOD / 2
