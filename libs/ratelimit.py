"""Rate limits: never more than `limit` in any window, counted in Redis by a sliding log over all instances.

Without Redis each process counts for itself, on from what it has seen, so that a limit degrades to one per instance
and is never off. The client library is imported at the first check and off the loop: it costs 0.7 s and 30 MB.
"""

import asyncio
import importlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from libs.ids import new_id
from libs.resilience import Breaker
from libs.telemetry.metrics import RATE_LIMIT_DECISIONS

_REDIS_SECONDS = 0.25
_CONNECTIONS = 20
_LOCAL_KEYS = 50_000
_PREFIX = "limit:"

# Redis' own clock, so that the clocks of the instances do not matter. Times in microseconds.
_CHECK = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
if count < limit then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
  return {1, limit - count - 1, 0}
end
local free = redis.call('ZRANGE', KEYS[1], count - limit, count - limit, 'WITHSCORES')
return {0, 0, tonumber(free[2]) + window - now}
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """`reset_seconds` is the wait until one more is allowed; 0 when this one was."""

    allowed: bool
    remaining: int
    reset_seconds: float


class RateLimiter:
    """Counts under any key; refused tries are not counted."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._client: Any = None
        self._script: Any = None
        self._local = LocalLog()
        self._breaker = Breaker()
        self._opening = asyncio.Lock()

    @classmethod
    async def open(cls, redis_url: str) -> "RateLimiter":
        return cls(redis_url)

    async def check(self, key: str, limit: int, window_seconds: float) -> Decision:
        """Count one try under the key, if fewer than `limit` were counted in the last `window_seconds`.

        What this process has refused is refused without Redis: then a Redis that answers some and is too slow for
        others cannot let more pass than either of the two would."""
        here = self._local.check(key, limit, window_seconds)
        if not here.allowed:
            RATE_LIMIT_DECISIONS.labels("refused").inc()
            return here
        window = int(window_seconds * 1_000_000)
        found = await self._ask(lambda: self._script(keys=[_PREFIX + key], args=[limit, window, new_id("try")]))
        if found is None:
            RATE_LIMIT_DECISIONS.labels("degraded").inc()
            return here
        decision = Decision(bool(found[0]), int(found[1]), int(found[2]) / 1_000_000)
        if not decision.allowed:
            self._local.give_back(key)
        RATE_LIMIT_DECISIONS.labels("allowed" if decision.allowed else "refused").inc()
        return decision

    async def forget(self, key: str) -> None:
        """Count nothing of the past under this key any more."""
        self._local.forget(key)
        await self._ask(lambda: self._client.delete(_PREFIX + key))

    async def give_back(self, key: str) -> None:
        """Take the latest try under this key back."""
        self._local.give_back(key)
        await self._ask(lambda: self._client.zpopmax(_PREFIX + key))

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _ask(self, command: Callable[[], Any]) -> Any:
        """Redis' answer, or None when it is away or slow."""
        if not self._breaker.allows():
            return None
        try:
            await self._connect()
            async with asyncio.timeout(_REDIS_SECONDS):
                answer = await command()
        except (OSError, TimeoutError, self._redis_error()):
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        return answer

    async def _connect(self) -> None:
        async with self._opening:
            if self._client is not None:
                return
            redis: Any = await asyncio.to_thread(importlib.import_module, "redis.asyncio")
            pool = redis.BlockingConnectionPool.from_url(
                self._url,
                max_connections=_CONNECTIONS,
                timeout=_REDIS_SECONDS,
                socket_timeout=_REDIS_SECONDS,
                socket_connect_timeout=_REDIS_SECONDS,
                retry=None,
            )
            self._client = redis.Redis.from_pool(pool)
            self._script = self._client.register_script(_CHECK)

    def _redis_error(self) -> type[Exception]:
        if self._client is None:
            return OSError
        error: type[Exception] = importlib.import_module("redis.exceptions").RedisError
        return error


class LocalLog:
    """The same sliding log in this process's memory, for the least recently used 50,000 keys."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, key: str, limit: int, window_seconds: float) -> Decision:
        now = self._now()
        tries = self._tries.setdefault(key, deque())
        self._tries.move_to_end(key)
        if len(self._tries) > _LOCAL_KEYS:
            self._tries.popitem(last=False)
        while tries and tries[0] <= now - window_seconds:
            tries.popleft()
        if len(tries) >= limit:
            return Decision(False, 0, tries[len(tries) - limit] + window_seconds - now)
        tries.append(now)
        return Decision(True, limit - len(tries), 0.0)

    def forget(self, key: str) -> None:
        self._tries.pop(key, None)

    def give_back(self, key: str) -> None:
        if tries := self._tries.get(key):
            tries.pop()
