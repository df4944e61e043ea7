"""Writers raise values over HTTP and readers read them through three gateways while what the caches stand on fails.

Every answer is judged: a read may not be older than the bound and 0.1 s from its invocation, and a reader that demands
the version it has seen gets no older one. The version is the row's own, so the checker compares numbers. A reader whose
gateway does not answer asks the next one, as a load balancer does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from redis.asyncio import Redis

from libs.cache.classes import AGENT
from local.runner.suite import Suite
from tests.faults.jobs import Outcome

GATEWAYS = 3
SCALE = f"gateway={GATEWAYS} agent-worker=2"
ALLOWED_SECONDS = AGENT.bound_seconds + 0.1
TIMEOUT_SECONDS = 3.0
# Rounds of ten reads, a second apart.
BACK_TRIES = 10
TRIES = 3
ZIPF = 1.1
BACK_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """How much is asked, and how long each fault and the quiet after it last (seconds)."""

    agents: int
    rounds: int
    reads_per_second: float
    writes_per_second: float
    fault_seconds: float
    quiet_seconds: float


QUICK = Plan(agents=40, rounds=1, reads_per_second=60, writes_per_second=2, fault_seconds=3.0, quiet_seconds=4.0)
FULL = Plan(agents=10_000, rounds=4, reads_per_second=150, writes_per_second=1.5, fault_seconds=5.0, quiet_seconds=7.0)
# Reads at once while values are brought back.
WARMING = 16


@dataclass
class Seen:
    """What writers were told and readers saw. `acked` of an agent: (when, version), both rising."""

    acked: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    reads: int = 0
    writes: int = 0
    failed: int = 0
    retried: int = 0
    oldest: float = 0.0
    calm_reads: int = 0
    calm_hits: int = 0

    def judge(self, agent: str, invoked: float, demanded: int, version: int) -> None:
        if version < demanded:
            self.problems.append(f"{agent}: demanded version {demanded}, got {version}")
        for when, acked in reversed(self.acked[agent]):
            if acked <= version:
                break
            age = invoked - when
            self.oldest = max(self.oldest, age)
            if age > ALLOWED_SECONDS:
                self.problems.append(f"{agent}: version {version} was read {age:.2f} s after {acked} was acknowledged")
                break
        self.newest[agent] = max(self.newest[agent], version)


class Checker:
    """One organization's agents, asked through every gateway."""

    def __init__(self, suite: Suite, plan: Plan, chance: random.Random, http: httpx.AsyncClient) -> None:
        self.suite = suite
        self.plan = plan
        self.seen = Seen()
        self._chance = chance
        self._http = http
        self._gateways = [entry["http"] for entry in suite.run["processes"] if entry["service"] == "gateway"]
        self._agents: list[str] = []
        self._weights: list[float] = []
        self._locks: dict[str, asyncio.Lock] = {}
        self.calm = False
        self.stop = False

    async def make_agents(self) -> None:
        places = asyncio.Semaphore(8)

        async def make(number: int) -> str:
            async with places:
                body = {"name": f"Agent {number}", "systemPrompt": "You are helpful."}
                answer = await self._http.post(f"{self._gateways[0]}/api/agents", json=body)
                answer.raise_for_status()
                made: str = answer.json()["id"]
                return made

        self._agents = await asyncio.gather(*map(make, range(self.plan.agents)))
        self._weights = list(itertools.accumulate(1 / rank**ZIPF for rank in range(1, self.plan.agents + 1)))
        for agent in self._agents:
            self.seen.acked[agent], self.seen.newest[agent] = [(0.0, 1)], 1
            self._locks[agent] = asyncio.Lock()

    async def warm(self) -> None:
        """Read every agent once. A Redis that begins empty gives misses until then, whatever the cache does; what is
        judged is how the cache answers afterwards."""
        left = iter(self._agents)

        async def reader() -> None:
            for agent in left:
                invoked = time.monotonic()
                answer, invoked = await self._ask("GET", agent, {}, None)
                if answer is not None:
                    self.seen.judge(agent, invoked, 0, int(answer.headers["etag"].strip('"')))

        await asyncio.gather(*(reader() for _ in range(WARMING)))

    async def read_on(self) -> None:
        await self._at_rate(self.plan.reads_per_second, self._read)

    async def write_on(self) -> None:
        await self._at_rate(self.plan.writes_per_second, self._write)

    async def _at_rate(self, rate: float, act: Callable[[], Awaitable[None]]) -> None:
        begun = time.monotonic()
        async with asyncio.TaskGroup() as acts:
            for number in itertools.count():
                if self.stop:
                    return
                await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
                acts.create_task(_run(act))

    def _some_agent(self) -> str:
        return self._chance.choices(self._agents, cum_weights=self._weights)[0]

    async def _read(self) -> None:
        agent = self._some_agent()
        demanded = self.seen.newest[agent] if self._chance.random() < 0.3 else 0
        headers = {"X-Min-Version": str(demanded)} if demanded else {}
        invoked, calm = time.monotonic(), self.calm
        self.seen.reads += 1
        answer, invoked = await self._ask("GET", agent, headers, None)
        if answer is None:
            return
        if calm and self.calm:
            self.seen.calm_reads += 1
            self.seen.calm_hits += answer.headers.get("x-cache") in ("HIT", "STALE")
        self.seen.judge(agent, invoked, demanded, int(answer.headers["etag"].strip('"')))

    async def _write(self) -> None:
        agent = self._some_agent()
        async with self._locks[agent]:
            self.seen.writes += 1
            key = {"Idempotency-Key": f"{agent}-{self.seen.writes}", "Content-Type": "application/merge-patch+json"}
            answer, _ = await self._ask("PATCH", agent, key, f'{{"name": "Agent at {time.monotonic()}"}}')
            if answer is not None:
                version = int(answer.headers["etag"].strip('"'))
                self.seen.acked[agent].append((time.monotonic(), version))
                self.seen.newest[agent] = max(self.seen.newest[agent], version)

    async def _ask(
        self, method: str, agent: str, headers: dict[str, str], body: str | None
    ) -> tuple[httpx.Response | None, float]:
        """The answer of the first gateway that gives one, and when that one was asked."""
        order = self._chance.sample(self._gateways, len(self._gateways))
        told, invoked = "", 0.0
        for gateway in order[:TRIES]:
            invoked = time.monotonic()
            with contextlib.suppress(httpx.TransportError):
                answer = await self._http.request(
                    method, f"{gateway}/api/agents/{agent}", headers=headers, content=body
                )
                if answer.status_code < 500:
                    answer.raise_for_status()
                    return answer, invoked
                told = str(answer.status_code)
            self.seen.retried += 1
        self.seen.failed += 1
        self.seen.problems += [] if self.seen.failed > 5 else [f"{method} failed everywhere: {told or 'no answer'}"]
        return None, invoked

    async def is_back(self, what: str) -> None:
        """After a fault a hot value is a hit again at every gateway.

        The promise is two seconds on a machine of its own. Here every process queues for a core, so a gateway has
        several tries before it counts as a problem: a cache that does not come back fails them all."""
        for gateway in self._gateways:
            for _ in range(BACK_TRIES):
                found = await self._hot_reads(gateway)
                if found.count("HIT") >= 8:
                    break
                await asyncio.sleep(1.0)
            else:
                self.seen.problems.append(f"after {what} a hot value is no hit: {found}")

    async def _hot_reads(self, gateway: str) -> list[str | None]:
        found = []
        for _ in range(10):
            with contextlib.suppress(httpx.TransportError):
                answer = await self._http.get(f"{gateway}/api/agents/{self._agents[0]}")
                found.append(answer.headers.get("x-cache"))
        return found


async def _run(act: Callable[[], Awaitable[None]]) -> None:
    await act()


async def check_caches(folder: Path, plan: Plan, seed: int) -> Outcome:
    """Every fault in turn, `plan.rounds` times, under reads and writes."""
    chance = random.Random(seed)
    with Suite(folder, scale=SCALE, environment={"LIMITS": "bench"}) as suite:
        headers = {"Authorization": f"Bearer {suite.api_key}"}
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
        async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, limits=limits) as http:
            checker = Checker(suite, plan, chance, http)
            await checker.make_agents()
            await checker.warm()
            async with asyncio.TaskGroup() as acts:
                acts.create_task(checker.read_on())
                acts.create_task(checker.write_on())
                await asyncio.sleep(2 * plan.quiet_seconds)
                for name, fault in [*_FAULTS.items()] * plan.rounds:
                    await _one(checker, name, fault)
                checker.stop = True
    return _outcome(checker.seen)


async def _one(checker: Checker, name: str, fault: Callable[[Checker], Awaitable[None]]) -> None:
    checker.calm = True
    await asyncio.sleep(checker.plan.quiet_seconds - BACK_SECONDS)
    checker.calm = False
    await fault(checker)
    await asyncio.sleep(BACK_SECONDS)
    await checker.is_back(name)
    if name in _EMPTYING:
        await checker.warm()


def _outcome(seen: Seen) -> Outcome:
    asked = seen.reads + seen.writes
    success = 100 * (1 - seen.failed / asked)
    hits = 100 * seen.calm_hits / max(1, seen.calm_reads)
    problems = list(seen.problems)
    if success < 99.9:
        problems.append(f"only {success:.2f} % of {asked} requests succeeded")
    if hits < 90:
        problems.append(f"only {hits:.1f} % of {seen.calm_reads} reads outside faults were hits")
    figures = {
        "reads": seen.reads, "writes": seen.writes, "acknowledged": sum(len(told) - 1 for told in seen.acked.values()),
        "asked again": seen.retried, "success %": round(success, 3), "hits %": round(hits, 1),
        "oldest answer s": round(seen.oldest, 3),
    }  # fmt: skip
    return Outcome(figures=figures, problems=problems)


async def _kill(checker: Checker, name: str) -> None:
    checker.suite.kill(name, signal.SIGKILL)
    await asyncio.sleep(checker.plan.fault_seconds)


async def _freeze(checker: Checker, name: str) -> None:
    checker.suite.kill(name, signal.SIGSTOP)
    try:
        await asyncio.sleep(checker.plan.fault_seconds)
    finally:
        checker.suite.kill(name, signal.SIGCONT)


async def _flush(checker: Checker) -> None:
    async with Redis.from_url(checker.suite.run["stores"]["redis"]["url"]) as redis:
        await redis.flushall()


async def _kill_leaders(checker: Checker) -> None:
    """Both workers in turn: one of them led."""
    for name in ("agent-worker", "agent-worker-1"):
        pid = checker.suite.kill(name, signal.SIGKILL)
        await asyncio.to_thread(checker.suite.wait_restarted, name, pid)


_FAULTS: dict[str, Callable[[Checker], Awaitable[None]]] = {
    "Redis killed": lambda checker: _kill(checker, "redis"),
    "Redis flushed": _flush,
    "Redis frozen": lambda checker: _freeze(checker, "redis"),
    "NATS killed": lambda checker: _kill(checker, "nats"),
    "NATS frozen": lambda checker: _freeze(checker, "nats"),
    "relay leader killed": _kill_leaders,
    "a gateway paused": lambda checker: _freeze(checker, "gateway-1"),
}
# Those after which Redis begins empty.
_EMPTYING = ("Redis killed", "Redis flushed")
