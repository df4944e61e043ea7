"""Two of everything behind nginx: what customers see of a kill -9 while the other one goes on (promise K1).

Every kind of process is killed in turn, one replica at a time, at random instants under reads and writes. Counted are
all answers: a failure is a 5xx, a broken connection or ten seconds without an answer. A kill's window runs from the
kill to the last failure before the next one; ready is when the runner says so, less what the new process queued for a
core: twenty-six of them and the customer share this machine with whatever else runs on it.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.runner.suite import Suite
from tests.faults.beside import beside
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome
from tests.faults.suite import VICTIMS

SCALE = " ".join(f"{name}=2" for name in VICTIMS)
WARM_SECONDS = 3.0


@dataclass(frozen=True)
class Limits:
    """What is still well."""

    failed_percent: float
    window_seconds: float
    ready_seconds: float


PROMISED = Limits(failed_percent=0.5, window_seconds=1.0, ready_seconds=3.0)


@dataclass
class Kill:
    """One death: whose, when (monotonic), and when another was ready in its place."""

    name: str
    at: float
    ready_after: float = 0.0
    queued: float = 0.0

    @property
    def restart_seconds(self) -> float:
        """Without the time in which the new process could have run but had no core."""
        return self.ready_after - self.queued


@dataclass
class Answers:
    """Every request's end: when it came, and what failed."""

    count: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str, status: int | None) -> None:
        self.count += 1
        if status is None or status >= 500:
            self.failed.append((time.monotonic(), f"{what}: {status or 'no answer'}"))


async def kill_replicas(folder: Path, kills: int, rate: float, seed: int, limits: Limits = PROMISED) -> Outcome:
    """`rate` requests a second, every other one a write, until `kills` processes died and came back."""
    chance = random.Random(seed)
    with Suite(folder, scale=SCALE, environment={"LIMITS": "bench"}) as suite:
        async with customer(suite.url) as asking:
            answers, stop = Answers(), asyncio.Event()
            async with beside(ask(asking, answers, rate, stop)):
                await asyncio.sleep(WARM_SECONDS)
                deaths = await _kill_in_turn(suite, kills, chance)
                stop.set()
            problems = await asking.settled()
    problems += _beyond(limits, answers, deaths)
    return Outcome(figures=_figures(answers, deaths, asking), problems=problems)


async def ask(asking: Customer, answers: Answers, rate: float, stop: asyncio.Event) -> None:
    """Open loop: each request at its time, whatever became of those before it."""
    begun, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as requests:
        while not stop.is_set():
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            requests.create_task(_one(asking, answers, number))
            number += 1


async def _one(asking: Customer, answers: Answers, number: int) -> None:
    if number % 2:
        answers.note("write", await asking.write(number // 2))
    else:
        answers.note("read", await asking.read(number // 2))


async def _kill_in_turn(suite: Suite, kills: int, chance: random.Random) -> list[Kill]:
    """Rounds over the kinds in random order, either replica; the next dies when the last one is back."""
    deaths: list[Kill] = []
    while len(deaths) < kills:
        for kind in chance.sample(VICTIMS, len(VICTIMS))[: kills - len(deaths)]:
            await asyncio.sleep(chance.uniform(0.5, 1.5))
            name = kind + chance.choice(("", "-1"))
            death = Kill(name, time.monotonic())
            pid = suite.kill(name, signal.SIGKILL)
            death.ready_after = await asyncio.to_thread(suite.wait_restarted, name, pid)
            death.queued = _queued_seconds(int(suite.process(name)["pid"] or 0))
            deaths.append(death)
    return deaths


def _queued_seconds(pid: int) -> float:
    """How long the process's first thread has been runnable without a core; 0 where the kernel does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except OSError:
        return 0.0


def windows(answers: Answers, deaths: list[Kill]) -> dict[str, float]:
    """Seconds from each kill to the last failure before the next, of those that were seen at all."""
    ends = [death.at for death in deaths[1:]] + [float("inf")]
    found = {}
    for number, (death, end) in enumerate(zip(deaths, ends, strict=True), 1):
        mine = [at for at, _ in answers.failed if death.at <= at < end]
        if mine:
            found[f"{number} {death.name}"] = max(mine) - death.at
    return found


def _beyond(limits: Limits, answers: Answers, deaths: list[Kill]) -> list[str]:
    """Where the run was worse than the limits."""
    found = []
    if (percent := _percent(answers)) > limits.failed_percent:
        found.append(f"{percent:.2f} % of {answers.count} requests failed")
    for name, seconds in windows(answers, deaths).items():
        if seconds > limits.window_seconds:
            found.append(f"{name}: failures for {seconds:.2f} s")
    for death in deaths:
        if death.restart_seconds > limits.ready_seconds:
            found.append(
                f"{death.name} was ready after {death.ready_after:.2f} s, {death.queued:.2f} of them without a core"
            )
    return found


def _percent(answers: Answers) -> float:
    return 100 * len(answers.failed) / answers.count


def _figures(answers: Answers, deaths: list[Kill], asking: Customer) -> dict[str, float]:
    return {
        "kills": len(deaths), "requests": answers.count, "acknowledged": asking.history.count("ok"),
        "failed": len(answers.failed), "failed %": round(_percent(answers), 3),
        "longest window s": round(max(windows(answers, deaths).values(), default=0.0), 2),
        "slowest ready s": round(max(death.ready_after for death in deaths), 2),
        "less queueing s": round(max(death.restart_seconds for death in deaths), 2),
    }  # fmt: skip
