"""How long a job waits when its worker is killed with -9 in the middle of it."""

from __future__ import annotations

import asyncio
import sys
import time

from bench.jobs.measure import Role
from bench.jobs.stage import NOTHING, Stage
from libs.bus import Bus
from libs.jobs import Enqueuer
from libs.postgres import Database


def seconds_to_restart(stage: Stage) -> float:
    """Kill the first worker during a job that takes long; seconds until the second begins it."""
    stage.sql("truncate job, job_attempt")
    command = [sys.executable, "-m", "bench.jobs.ours", "work", "--handler-seconds", "60"]
    first = Role(command, {**stage.environment, "INSTANCE": "first"})
    first.say()
    asyncio.run(_enqueue(stage))
    _until(stage, "first")
    first.kill()
    killed = time.monotonic()
    second = Role(command, {**stage.environment, "INSTANCE": "second"})
    second.say()
    _until(stage, "second")
    took = time.monotonic() - killed
    second.kill()
    return took


def _until(stage: Stage, worker: str) -> None:
    deadline = time.monotonic() + 60.0
    while stage.sql("select worker from job where state = 'running'") != worker:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{worker} did not get the job")
        time.sleep(0.05)


async def _enqueue(stage: Stage) -> None:
    db = await Database.open(stage.settings, application_name="bench")
    bus = await Bus.connect(stage.settings.nats_url, "bench")
    await Enqueuer(db, bus).enqueue(NOTHING.new("org_a", {"at": 0.0}))
    await bus.close()
    await db.close()
