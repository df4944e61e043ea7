"""PostgreSQL killed (promise K4) and frozen (K8), and one service frozen (K9), under a customer's reads and writes.

Every answer of the suite is kept with its duration. What stands still is refused within the deadline, then at once; the
rest goes on; and what was acknowledged has its effect afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from local.processes.memory import children_by_parent, pss_mib
from local.runner.suite import Suite
from tests.faults.beside import beside
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome

# What is asked of the frozen service, and of no other but identity, which knows the credential.
FROZEN, ITS_ROUTE = "knowledge", "/api/knowledge-base/entries"
# Seconds until a breaker has seen its failures and is open: the first requests wait for their deadline.
OPENING_SECONDS = 12.0
# How long answers are measured before anything stands still.
NORMAL_SECONDS = 5.0
CONNECTIONS = httpx.Limits(max_connections=200)


@dataclass(frozen=True)
class Limits:
    """What is still well, in seconds, MiB and as a ratio."""

    refused_seconds: float  # a refusal by an open breaker, the median: one request at a time waits as a probe
    back_seconds: float  # until the first success after the database goes on
    accepted_seconds: float  # until the first success after a killed database accepts connections
    memory_mib: float  # more than before, over all processes of the suite
    others_ratio: float  # of the other routes' p95 while a service is frozen to that before


PROMISED = Limits(refused_seconds=0.01, back_seconds=2.0, accepted_seconds=1.0, memory_mib=50.0, others_ratio=1.2)
# For a machine that other work shares: an answer that does not wait for a deadline, and none that stays away.
GENEROUS = Limits(
    refused_seconds=1.0, back_seconds=20.0, accepted_seconds=20.0, memory_mib=100.0, others_ratio=math.inf
)


@dataclass(frozen=True)
class Answer:
    path: str
    status: int | None
    at: float
    seconds: float
    retry_after: bool

    @property
    def is_refusal(self) -> bool:
        return self.status in (503, 504)


@dataclass
class Recorder(httpx.AsyncBaseTransport):
    """Sends requests on, and keeps what became of each."""

    answers: list[Answer] = field(default_factory=list)
    inner: httpx.AsyncHTTPTransport = field(default_factory=lambda: httpx.AsyncHTTPTransport(limits=CONNECTIONS))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        begun, status, retry_after = time.monotonic(), None, False
        try:
            answer = await self.inner.handle_async_request(request)
            status, retry_after = answer.status_code, "retry-after" in answer.headers
            return answer
        finally:
            now = time.monotonic()
            self.answers.append(Answer(request.url.path, status, now, now - begun, retry_after))

    async def aclose(self) -> None:
        await self.inner.aclose()

    def between(self, begun: float, ended: float) -> list[Answer]:
        """Of requests that were both sent and answered in that time."""
        return [answer for answer in self.answers if begun <= answer.at - answer.seconds and answer.at <= ended]


async def freeze_and_kill(folder: Path, seconds: float, rate: float, limits: Limits = PROMISED) -> Outcome:
    """Each thing stands still for `seconds`, at `rate` requests a second, every other one a write."""
    recorder = Recorder()
    with Suite(folder, environment={"LIMITS": "bench"}) as suite:
        async with customer(suite.url, recorder) as asking:
            async with asked(asking, rate):
                await asyncio.sleep(NORMAL_SECONDS)
                service = await _freeze_a_service(suite, recorder, seconds, limits)
                database = await _freeze_the_database(suite, recorder, seconds, limits)
                killed = await _kill_the_database(suite, recorder, limits)
                await asyncio.sleep(2.0)
            problems = await asking.settled()
    figures = {**service.figures, **database.figures, **killed.figures, "acknowledged": asking.history.count("ok")}
    return Outcome(service.problems + database.problems + killed.problems + problems, figures)


@contextlib.asynccontextmanager
async def asked(asking: Customer, rate: float) -> AsyncIterator[None]:
    """Open loop: each request at its time, whatever became of those before it."""
    stop = asyncio.Event()

    async def ask() -> None:
        begun, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as requests:
            while not stop.is_set():
                await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
                requests.create_task(asking.write(number // 2) if number % 2 else asking.read(number // 2))
                if number % 5 == 0:
                    requests.create_task(asking.search(number))
                number += 1

    async with beside(ask()):
        yield
        stop.set()


@contextlib.contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """These processes and their children stand still."""
    below = children_by_parent()
    everyone = [one for pid in pids for one in (pid, *below.get(pid, []))]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def _freeze_a_service(suite: Suite, recorder: Recorder, seconds: float, limits: Limits) -> Outcome:
    before = recorder.between(time.monotonic() - NORMAL_SECONDS, time.monotonic())
    begun = time.monotonic()
    with frozen([int(suite.process(FROZEN)["pid"])]):
        await asyncio.sleep(OPENING_SECONDS + seconds)
    answers = recorder.between(begun, time.monotonic())
    its = [answer for answer in answers if answer.path.startswith(ITS_ROUTE) and answer.is_refusal]
    others = [answer for answer in answers if not answer.path.startswith(ITS_ROUTE)]
    problems = [f"{FROZEN} is frozen, yet {answer.path} was {answer.status}" for answer in others if _failed(answer)]
    problems += [] if its else [f"{FROZEN} is frozen and no request to it was refused"]
    refusal = part(0.5, (answer.seconds for answer in its if answer.at - answer.seconds > begun + OPENING_SECONDS))
    ratio = part(0.95, (answer.seconds for answer in others)) / max(part(0.95, (one.seconds for one in before)), 0.001)
    if refusal > limits.refused_seconds:
        problems.append(f"a frozen service is refused in {refusal:.3f} s")
    if ratio > limits.others_ratio:
        problems.append(f"the other routes took {ratio:.2f} times as long")
    figures = {"service refused ms": round(refusal * 1000, 1), "others' ratio": round(ratio, 2)}
    return Outcome(problems[:5], figures)


async def _freeze_the_database(suite: Suite, recorder: Recorder, seconds: float, limits: Limits) -> Outcome:
    await _until_success(recorder, time.monotonic())
    memory = _memory(suite)
    begun = time.monotonic()
    with frozen([int(suite.run["stores"]["postgres"]["pid"])]):
        await asyncio.sleep(OPENING_SECONDS + seconds)
        grown = _memory(suite) - memory
        resumed = time.monotonic()
    back = await _until_success(recorder, resumed)
    answers = recorder.between(begun, resumed)
    refusals = [answer for answer in answers if answer.is_refusal]
    late = [answer for answer in refusals if answer.at - answer.seconds > begun + OPENING_SECONDS]
    refusal = part(0.5, (answer.seconds for answer in late))
    problems = [] if late else ["the database is frozen and nothing was refused"]
    problems += _impolite(answers)
    problems += [f"{answer.path}: no answer" for answer in answers if answer.status is None]
    problems += [f"{answer.path}: {answer.status}" for answer in answers if _failed(answer) and not answer.is_refusal]
    for what, found, most in (
        ("refused in s", refusal, limits.refused_seconds),
        ("back after s", back, limits.back_seconds),
        ("more MiB", grown, limits.memory_mib),
    ):
        if found > most:
            problems.append(f"frozen database: {what} {found:.2f}")
    figures = {
        "database refused ms": round(refusal * 1000, 1), "back s": round(back, 2), "more MiB": round(grown, 1),
    }  # fmt: skip
    return Outcome(problems[:8], figures)


async def _kill_the_database(suite: Suite, recorder: Recorder, limits: Limits) -> Outcome:
    begun = time.monotonic()
    suite.kill("postgres", signal.SIGKILL)
    accepts = await _until_accepted(suite)
    back = await _until_success(recorder, accepts)
    answers = recorder.between(begun, time.monotonic())
    problems = [
        f"{one.path}: {one.status} without Retry-After" for one in answers if one.is_refusal and not one.retry_after
    ]
    problems += [f"{answer.path}: {answer.status}" for answer in answers if _failed(answer) and not answer.is_refusal]
    if back > limits.accepted_seconds:
        problems.append(f"killed database: first success {back:.2f} s after it accepts")
    return Outcome(problems[:8], {"kills": 1, "accepts s": round(accepts - begun, 2), "then success s": round(back, 2)})


def _impolite(answers: Iterable[Answer]) -> list[str]:
    return [f"{one.path}: 503 without Retry-After" for one in answers if one.status == 503 and not one.retry_after]


def _failed(answer: Answer) -> bool:
    return answer.status is None or answer.status >= 500


async def _until_success(recorder: Recorder, since: float) -> float:
    """Seconds from `since` to the end of the first write that was sent after it and succeeded."""
    async with asyncio.timeout(60.0):
        while True:
            for answer in recorder.between(since, time.monotonic()):
                if answer.status == 201:
                    return answer.at - since
            await asyncio.sleep(0.02)


async def _until_accepted(suite: Suite) -> float:
    """When PostgreSQL takes a connection again."""
    url = suite.run["stores"]["postgres"]["adminUrl"]
    async with asyncio.timeout(60.0):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await (await asyncpg.connect(url, timeout=1.0)).close()
                return time.monotonic()
            await asyncio.sleep(0.02)


def _memory(suite: Suite) -> float:
    below = children_by_parent()
    return sum(pss_mib(int(process["pid"]), below) or 0.0 for process in suite.run["processes"] if process["pid"])


def part(share: float, values: Iterable[float]) -> float:
    """The value that this share of them does not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[int(len(ordered) * share)] if ordered else 0.0
