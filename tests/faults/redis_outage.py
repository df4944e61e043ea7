"""K6 and K7: a customer reads and writes while Redis is killed again and again, emptied, and frozen.

Judged: success of all requests, a session that lives through all of it, and how long answers take while Redis is frozen
beside how long they took before (medians and 99th percentiles of the same run).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from local.runner.suite import Suite
from tests.faults.beside import beside
from tests.faults.jobs import Outcome
from tests.patience import PATIENCE_SECONDS

# Seconds between the deaths of a Redis that its runner starts again at once.
_AGAIN_SECONDS = 0.3


@dataclass
class Phase:
    """What was asked in it: seconds of each answer with the moment of its request, and the failures."""

    begun: float
    took: list[tuple[float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def percentile_ms(self, share: float, since: float = 0.0, until: float = 1e9) -> float:
        took = sorted(seconds for moment, seconds in self.took if since <= moment - self.begun < until)
        return 1_000 * took[min(len(took) - 1, int(len(took) * share))] if took else 0.0


@dataclass(frozen=True)
class Promise:
    """K6: `success` in percent. K7: milliseconds of the 99th percentile in the first 2 s, and above normal later."""

    success: float = 99.9
    first_ms: float = 250.0
    more_ms: float = 5.0


# For a machine that others use too.
GENEROUS = Promise(success=99.5, first_ms=1_500.0, more_ms=400.0)


class Reader:
    """Asks at a rate with a session's token: a row, a list, and now and then a write."""

    def __init__(self, http: httpx.AsyncClient, rate: float) -> None:
        self._http = http
        self._rate = rate
        self.phases: dict[str, Phase] = {}

    async def during(self, name: str, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Ask until the act is over."""
        phase = self.phases[name] = Phase(time.monotonic())
        number = 0
        async with beside(act()) as acting, asyncio.TaskGroup() as asked:
            while not acting.done():
                asked.create_task(self._ask(phase, number))
                number += 1
                await asyncio.sleep(max(0.0, phase.begun + number / self._rate - time.monotonic()))

    async def _ask(self, phase: Phase, number: int) -> None:
        began = time.monotonic()
        try:
            if number % 10 == 9:
                body = {"name": f"Made {number}", "systemPrompt": "Help."}
                answer = await self._http.post("/api/agents", json=body)
            else:
                answer = await self._http.get("/api/agents?limit=5" if number % 2 else "/api/organization")
            if answer.status_code >= 400:
                phase.failed.append(f"{answer.status_code} {answer.text[:120]}")
        except httpx.TransportError as error:
            phase.failed.append(type(error).__name__)
        phase.took.append((began, time.monotonic() - began))


async def lose_redis(folder: Path, seconds: float, rate: float, promise: Promise) -> Outcome:
    """Normal, away for `seconds`, emptied, frozen for `seconds`, and normal again."""
    with Suite(folder, environment={"LIMITS": "bench"}) as suite:
        async with httpx.AsyncClient(base_url=suite.url, timeout=10.0) as http:
            await _sign_in(http)
            reader = Reader(http, rate)
            await reader.during("normal", lambda: asyncio.sleep(5.0))
            await reader.during("away", lambda: _away(suite, seconds))
            await reader.during("emptied", lambda: _emptied(suite))
            await reader.during("frozen", lambda: _frozen(suite, seconds))
            await reader.during("after", lambda: asyncio.sleep(5.0))
    return _judged(reader.phases, promise)


async def _sign_in(http: httpx.AsyncClient) -> None:
    """A new organization's owner, with a session: Redis knows of it, and must not be the only one."""
    account = {"email": f"{secrets.token_hex(6)}@example.com", "password": secrets.token_urlsafe(18)}
    person = {"firstName": "Alice", "lastName": "Liddell", "organizationName": "Wonderland Tours"}
    (await http.post("/api/register", json={**account, **person})).raise_for_status()
    session = (await http.post("/api/login", json=account)).raise_for_status().json()
    http.headers["Authorization"] = f"Bearer {session['token']}"


async def _away(suite: Suite, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(ProcessLookupError, TypeError):  # it is down already
            suite.kill("redis", signal.SIGKILL)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _emptied(suite: Suite) -> None:
    """The supervisor waits longer before each new start, so after a long absence Redis is not back at once."""
    await asyncio.sleep(2.0)
    async with asyncio.timeout(PATIENCE_SECONDS), Redis.from_url(suite.run["stores"]["redis"]["url"]) as redis:
        while not await _flushed(redis):
            await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)


async def _flushed(redis: Redis) -> bool:
    try:
        await redis.flushall()
    except RedisConnectionError:
        return False
    return True


async def _frozen(suite: Suite, seconds: float) -> None:
    suite.kill("redis", signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        suite.kill("redis", signal.SIGCONT)


def _judged(phases: dict[str, Phase], promise: Promise) -> Outcome:
    asked = sum(len(phase.took) for phase in phases.values())
    failed = [told for phase in phases.values() for told in phase.failed]
    success = 100 * (1 - len(failed) / asked)
    normal, frozen = phases["normal"].percentile_ms(0.99), phases["frozen"]
    first, later = frozen.percentile_ms(0.99, until=2.0), frozen.percentile_ms(0.99, since=2.0)
    problems = failed[:5] if success < promise.success else []
    if first > promise.first_ms:
        problems.append(f"in the first 2 s without an answer of Redis the 99th percentile was {first:.0f} ms")
    if later > normal + promise.more_ms:
        problems.append(f"while Redis was frozen the 99th percentile was {later:.0f} ms, before {normal:.0f}")
    figures = {
        "requests": asked, "success %": round(success, 2), "normal p99 ms": round(normal, 1),
        "first 2 s frozen p99 ms": round(first, 1), "frozen p99 ms": round(later, 1),
        "frozen p50 ms": round(frozen.percentile_ms(0.5, since=2.0), 1),
        "normal p50 ms": round(phases["normal"].percentile_ms(0.5), 1),
    }  # fmt: skip
    return Outcome(figures=figures, problems=problems)
