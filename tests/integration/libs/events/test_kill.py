"""Real workers killed with SIGKILL and frozen at random instants, while events are being written."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from libs.bus import Bus
from libs.config import ServiceSettings
from libs.postgres import Database
from tests.integration.libs.events.effects import append, eventually

ROOT = Path(__file__).parents[4]
IN_ORDER = """
select bool_and(o.positions = (select array_agg(n) from generate_series(0, cardinality(o.positions) - 1) n)) as good
from (select array_agg(position order by id) as positions from effect group by key) o"""


@pytest.fixture
def start_worker(settings: ServiceSettings) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    workers: list[subprocess.Popen[bytes]] = []
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}",
        "DATABASE_URL": settings.database_url,
        "DATABASE_SYSTEM_URL": settings.database_system_url,
        "NATS_URL": settings.nats_url,
        "POOL_MAX": "4",
    }

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.libs.events.worker_process"]
        workers.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


async def write(db: Database, keys: int, stop: asyncio.Event) -> int:
    """Versions 0, 1, 2… of each key until told to stop; the number of events."""
    version = 0
    while not stop.is_set():
        await asyncio.gather(*(append(db, f"agt_{key}", version) for key in range(keys)))
        version += 1
        await asyncio.sleep(0.02)
    return version * keys


async def test_killed_workers_lose_nothing_double_nothing_and_keep_the_order(
    db: Database, bus: Bus, start_worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    seeded = random.Random(17)
    stop = asyncio.Event()
    writing = asyncio.create_task(write(db, 5, stop))
    workers = [start_worker(), start_worker()]
    for _ in range(8):
        await asyncio.sleep(seeded.uniform(0.2, 0.9))
        victim = workers.pop(0)
        victim.kill()
        workers.append(start_worker())
    stop.set()
    events = await writing
    await eventually(db, "select count(*) from effect", events, 20)
    assert await db.system_fetchval("select count(distinct event_id) from effect") == events
    assert await db.system_fetchval(IN_ORDER)


async def test_a_frozen_worker_is_replaced_and_does_no_harm_when_it_wakes(
    db: Database, bus: Bus, start_worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    leader = start_worker()
    await append(db, "agt_0", 0)
    await eventually(db, "select count(*) from effect", 1, 20)
    leader.send_signal(signal.SIGSTOP)
    start_worker()
    for version in range(1, 10):
        await append(db, "agt_0", version)
    # The server ends a silent leader's session after 5 s, and a transaction that it was in after 10; what it had been
    # delivered comes again after that.
    await eventually(db, "select count(*) from effect", 10, 60)
    leader.send_signal(signal.SIGCONT)
    for version in range(10, 30):
        await append(db, "agt_0", version)
        await asyncio.sleep(0.05)
    await eventually(db, "select count(*) from effect", 30, 20)
    assert await db.system_fetchval("select count(distinct event_id) from effect") == 30
    assert await db.system_fetchval(IN_ORDER)
