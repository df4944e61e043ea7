"""Sockets that are cut, and instances of realtime that die under them: the unmodified SDK of Python hears every event
once and in order, whatever is lost on the way.

Meanwhile agents are made, instances are killed and restarted in turn, Redis forgets everything and NATS is killed. All
cuts are shorter than the log's retention, so a subscription that comes back must have recovered.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from pathlib import Path
from typing import Any

import centrifuge
from redis.asyncio import Redis

from local.demo.listening import Listener
from local.runner.suite import Suite
from tests.faults.beside import beside
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome

# Seconds in which the last events may still come.
_HEARD_SECONDS = 60.0
# The least part of the cuts after which the position was recovered.
_RECOVERED = 0.99


class Ear(Listener):
    """Counts how often it came back, and how often it had recovered."""

    def __init__(self, url: str, token: str, channel: str) -> None:
        super().__init__(url, token, channel)
        self.back = self.recoveries = 0

    async def on_subscribed(self, context: centrifuge.SubscribedContext) -> None:
        await super().on_subscribed(context)
        self.back += self.subscribed > 1
        self.recoveries += self.subscribed > 1 and context.recovered

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.of_type("agent.created")]


async def cut_sockets(folder: Path, cuts: int, listeners: int, kills: int, seed: int) -> Outcome:
    """`cuts` over all listeners, and `kills` of one instance or the other in the same time."""
    chance, stop = random.Random(seed), asyncio.Event()
    with Suite(folder, scale="realtime=2", environment={"LIMITS": "bench"}) as suite:
        async with customer(suite.url) as asking:
            ears = await _listening(asking, listeners)
            async with beside(_write(asking, stop)):
                async with asyncio.TaskGroup() as acts:
                    acts.create_task(_cut(ears, cuts, chance))
                    acts.create_task(_kill(suite, kills, chance))
                    acts.create_task(_upset(suite))
                stop.set()
            wanted = await _logged(asking)
            problems = await _unheard(ears, wanted)
            for ear in ears:
                await ear.stop()
    back, recovered = sum(ear.back for ear in ears), sum(ear.recoveries for ear in ears)
    problems += [] if back and recovered >= _RECOVERED * back else [f"{recovered} of {back} returns had recovered"]
    told = {event["data"]["name"] for event in ears[0].of_type("agent.created")}
    lost = set(asking.history.names("agent", "ok")) - told
    problems += [f"{len(lost)} acknowledged agents reached no listener"] if lost else []
    figures = {
        "cuts": cuts, "kills": kills, "returns": back, "recovered %": round(100 * recovered / max(back, 1), 2),
        "events": len(wanted), "deliveries": sum(len(ear.ids) for ear in ears),
        "acknowledged": asking.history.count("ok"),
    }  # fmt: skip
    return Outcome(figures=figures, problems=problems)


async def _listening(asking: Customer, count: int) -> list[Ear]:
    token = await asking.post("/api/realtime/token")
    channel = next(name for name in token["channels"] if name.endswith(":agents"))
    ears = [Ear(token["url"], token["token"], channel) for _ in range(count)]
    for ear in ears:
        await ear.start()
    return ears


async def _write(asking: Customer, stop: asyncio.Event) -> None:
    """Agents, whose numbers are multiples of three, at about 20 a second."""
    number = 0
    while not stop.is_set():
        await asking.write(3 * number)
        number += 1
        await asyncio.sleep(0.05)


async def _cut(ears: list[Ear], cuts: int, chance: random.Random) -> None:
    """Each cut waits until that listener is back, so that all of them cut something."""
    for _ in range(cuts):
        ear = chance.choice(ears)
        before = ear.back
        await ear.drop()
        deadline = time.monotonic() + 30.0
        while ear.back == before and time.monotonic() < deadline:
            await asyncio.sleep(0.005)


async def _kill(suite: Suite, kills: int, chance: random.Random) -> None:
    """kill -9 and an orderly end in turn."""
    names = [one["name"] for one in suite.run["processes"] if one["service"] == "realtime" and one["ws"]]
    for number in range(kills):
        await asyncio.sleep(chance.uniform(1.0, 3.0))
        name = names[number % len(names)]
        with contextlib.suppress(ProcessLookupError, TypeError):  # it is down already
            pid = suite.kill(name, signal.SIGKILL if number % 2 else signal.SIGTERM)
            await asyncio.to_thread(suite.wait_restarted, name, pid)


async def _upset(suite: Suite) -> None:
    await asyncio.sleep(2.0)
    async with Redis.from_url(suite.run["stores"]["redis"]["url"]) as redis:
        await redis.flushall()
    await asyncio.sleep(2.0)
    suite.kill("nats", signal.SIGKILL)


async def _logged(asking: Customer) -> list[str]:
    """The ids of the created agents' events in the order of the log, once all that was acknowledged is in there."""
    deadline = time.monotonic() + _HEARD_SECONDS
    while True:
        events, after = list[dict[str, Any]](), ""
        while page := await asking.events(after):
            events, after = events + page, str(page[-1]["position"])
        names = {event["data"]["name"] for event in events}
        if names >= set(asking.history.names("agent", "ok")) or time.monotonic() > deadline:
            written = {name for _, name in asking.history.known}
            # Without the agent that the customer had before anyone listened.
            return [event["id"] for event in events if event["data"]["name"] in written]
        await asyncio.sleep(0.5)


async def _unheard(ears: list[Ear], wanted: list[str]) -> list[str]:
    deadline = time.monotonic() + _HEARD_SECONDS
    while any(len(ear.ids) < len(wanted) for ear in ears) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    found = []
    for number, ear in enumerate(ears):
        if ear.ids != wanted:
            lost, doubled = len(set(wanted) - set(ear.ids)), len(ear.ids) - len(set(ear.ids))
            found.append(f"listener {number}: {lost} lost, {doubled} doubled, of {len(wanted)}; or out of order")
    return found
