"""A rolling restart of everything, two of each, under load (promise K11): customers notice nothing.

Each process ends by SIGTERM and its twin follows when it is back, as `make restart` and Kubernetes do it. A failure is
a 5xx or a broken connection. A socket listens meanwhile: it must hear of every acknowledged agent once.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

from local.demo.listening import Listener
from local.runner.suite import Suite
from tests.faults.beside import beside
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome
from tests.faults.replicas import SCALE, WARM_SECONDS, Answers, ask

HEARD_SECONDS = 30.0


async def restart_everything(folder: Path, rate: float) -> Outcome:
    """`rate` requests a second, every other one a write, while every process is replaced."""
    with Suite(folder, scale=SCALE, environment={"LIMITS": "bench"}) as suite:
        async with customer(suite.url) as asking:
            listener = await _listening(asking)
            answers, stop = Answers(), asyncio.Event()
            async with beside(ask(asking, answers, rate, stop)):
                await asyncio.sleep(WARM_SECONDS)
                pids = {entry["name"]: entry["pid"] for entry in suite.run["processes"]}
                await _restart(suite)
                stop.set()
            problems = await asking.settled()
            problems += await _unheard(asking, listener)
            await listener.stop()
            replaced = sum(entry["pid"] != pids[entry["name"]] for entry in suite.run["processes"])
    problems += [text for _, text in answers.failed[:5]]
    figures = {
        "replaced": replaced, "requests": answers.count, "failed": len(answers.failed),
        "acknowledged": asking.history.count("ok"), "heard": len(listener.events),
    }  # fmt: skip
    return Outcome(figures=figures, problems=problems)


async def _listening(asking: Customer) -> Listener:
    token = await asking.post("/api/realtime/token")
    channel = next(name for name in token["channels"] if name.endswith(":agents"))
    listener = Listener(token["url"], token["token"], channel)
    await listener.start()
    return listener


async def _restart(suite: Suite) -> None:
    command = [sys.executable, "-m", "local", "restart", "--var", str(suite.folder.path)]
    running = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await running.communicate()
    if running.returncode != 0:
        raise AssertionError(said.decode())


async def _unheard(asking: Customer, listener: Listener) -> list[str]:
    """Agents that were acknowledged and whose event reached no listener, or twice, after some time to catch up."""
    wanted = asking.history.names("agent", "ok")
    deadline = time.monotonic() + HEARD_SECONDS
    while True:
        created = [event["data"]["name"] for event in listener.events if event["type"] == "agent.created"]
        heard = Counter(created)
        missing = [name for name in wanted if heard[name] == 0]
        doubled = [name for name in wanted if heard[name] > 1]
        if not missing or time.monotonic() > deadline:
            return [f"not heard: {name}" for name in missing[:5]] + [f"heard twice: {name}" for name in doubled[:5]]
        await asyncio.sleep(0.2)
