"""The whole suite under kill -9: a customer writes through the gateway while its processes die at random instants.

Meanwhile NATS loses its store, Redis all it remembered, and a worker is stopped for longer than its leases last while
its twin goes on. Afterwards every acknowledged write has exactly one effect, and every call one charge.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from pathlib import Path

from redis.asyncio import Redis

from local.runner.suite import Suite
from suite.services import SERVICES
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome

VICTIMS = ("gateway", *(name for service in SERVICES.values() for name in service.processes))
# It rates the calls: paused in the middle of that, it must charge none twice.
PAUSED = "billing-worker-1"


async def kill_processes(
    folder: Path, kills: int, writes: int, rate: float, seed: int, pause_seconds: float
) -> Outcome:
    """`writes` at `rate` a second from one customer, `kills` spread over them."""
    chance, seconds = random.Random(seed), writes / rate
    with Suite(folder, scale="billing-worker=2") as suite:
        async with customer(suite.url) as asking:
            await asking.mistype(5)
            async with asyncio.TaskGroup() as acts:
                acts.create_task(_write(asking, writes, rate))
                acts.create_task(_kill(suite, kills, seconds / kills, chance))
                pausing = acts.create_task(_pause(suite, seconds / 10, pause_seconds))
                upsetting = acts.create_task(_upset_stores(suite, seconds / 2))
            problems = await asking.settled()
    problems += pausing.result() + upsetting.result()
    figures = {
        "kills": kills, "paused s": pause_seconds,
        "acknowledged": asking.history.count("ok"), "unknown": asking.history.count("unknown"),
    }  # fmt: skip
    return Outcome(figures=figures, problems=problems)


async def _write(asking: Customer, writes: int, rate: float) -> None:
    async with asyncio.TaskGroup() as requests:
        for number in range(writes):
            requests.create_task(asking.write(number))
            await asyncio.sleep(1 / rate)


async def _kill(suite: Suite, kills: int, every: float, chance: random.Random) -> None:
    for _ in range(kills):
        await asyncio.sleep(every * chance.uniform(0.5, 1.5))
        with contextlib.suppress(ProcessLookupError, StopIteration, TypeError):  # it is down already
            suite.kill(chance.choice(VICTIMS), signal.SIGKILL)


async def _pause(suite: Suite, after: float, seconds: float) -> list[str]:
    """Stop a worker and let it go on as if nothing had been; the problem when it is another one by then."""
    await asyncio.sleep(after)
    pid = suite.kill(PAUSED, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    return [] if suite.kill(PAUSED, signal.SIGCONT) == pid else [f"{PAUSED} did not live through its pause"]


async def _upset_stores(suite: Suite, after: float) -> list[str]:
    """Redis forgets everything (a problem if that was nothing) and NATS loses its store."""
    await asyncio.sleep(after)
    async with Redis.from_url(suite.run["stores"]["redis"]["url"]) as redis:
        remembered = await redis.dbsize()
        await redis.flushall()
    _lose_nats(suite)
    return [] if remembered else ["Redis held nothing that could be lost"]


def _lose_nats(suite: Suite) -> None:
    """The server dies and its store is gone when it comes back."""
    store = Path(suite.run["stores"]["nats"]["data"])
    store.rename(store.with_name("nats-gone"))
    suite.kill("nats", signal.SIGKILL)
