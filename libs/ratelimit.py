"""Rate limits: never more than `most` in any window, counted in Redis by a sliding log over all instances.

Several limits are taken at once, all or none: a try that one limit refuses counts against no other. Without Redis each
process counts for itself, starting from what it has seen, so that a limit degrades to one per instance and never
disappears. The client library is imported at the first check and off the loop: it costs 0.7 s and 30 MB.
"""

import asyncio
import importlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from libs.ids import new_id
from libs.resilience import Breaker
from libs.telemetry.metrics import RATE_LIMIT_DECISIONS

# Tries that a sliding log keeps, one entry each; a larger limit is counted in slices of its window.
LOG_MAX = 1_000
# Slices per window: a limit above LOG_MAX is exact to a sixtieth of its window.
SLICES = 60

# Seconds that a check may take; then the process counts for itself.
_REDIS_SECONDS = 0.25
# Connections of a process, for checks that run at the same time.
_CONNECTIONS = 20
# Keys that a process counts without Redis. Beyond it the least recently used key is dropped, and its tries are
# forgotten.
_LOCAL_KEYS = 50_000
_PREFIX = "limit:"
_SEPARATOR = "|"

# All keys are looked at before any is changed. Redis' own clock, so that the clocks of the instances do not matter.
# Times in microseconds. ARGV: the member, then limit and window of each key. A log (sorted set) up to LOG_MAX; above,
# a hash of SLICES a window, in which the slice that is half outside counts whole: never more than the limit.
_BOUNDS = f"local log_max, slices = {LOG_MAX}, {SLICES}\n"
_TAKE = (
    _BOUNDS
    + """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local left = {}
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local count, wait = 0, 0
  if most <= log_max then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
    count = redis.call('ZCARD', key)
    if count >= most then
      local free = redis.call('ZRANGE', key, count - most, count - most, 'WITHSCORES')
      wait = tonumber(free[2]) + window - now
    end
  else
    local slice = window / slices
    local oldest = math.floor((now - window) / slice)
    local fields = redis.call('HGETALL', key)
    local first = nil
    for j = 1, #fields, 2 do
      local at = tonumber(fields[j])
      if at < oldest then
        redis.call('HDEL', key, fields[j])
      else
        count = count + tonumber(fields[j + 1])
        if first == nil or at < first then first = at end
      end
    end
    if count >= most then wait = math.max(1, (first + 1) * slice + window - now) end
  end
  if count >= most then return {i, wait} end
  left[i] = most - count - 1
end
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  if most <= log_max then
    redis.call('ZADD', key, now, ARGV[1])
  else
    redis.call('HINCRBY', key, math.floor(now / (window / slices)), 1)
  end
  redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1000)
end
return {0, 0, unpack(left)}
"""
)

# Tries of one source under one key: the members that begin with it.
_FORGIVE = """
local gone = 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(member, 1, string.len(ARGV[1])) == ARGV[1] then
    gone = gone + redis.call('ZREM', KEYS[1], member)
  end
end
return gone
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` tries under this key in any `window_seconds`."""

    key: str
    most: int
    window_seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
    """`reset_seconds` is the wait until one more is allowed; 0 when this one was. `remaining` is the least that any of
    the limits leaves; `refused_by` is the key of the limit that refused. `member` names this try."""

    allowed: bool
    remaining: int
    reset_seconds: float
    refused_by: str = ""
    member: str = ""


class RateLimiter:
    """Counts under any key; refused tries are not counted."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._client: Any = None
        self._take: Any = None
        self._forgive: Any = None
        self._local = LocalLog()
        self._breaker = Breaker()
        self._opening = asyncio.Lock()

    @classmethod
    async def open(cls, redis_url: str) -> "RateLimiter":
        return cls(redis_url)

    async def take(self, limits: Sequence[Limit], source: str = "") -> Decision:
        """Count one try of `source` under every limit, or under none if one of them is spent.

        What this process has refused is refused without Redis: then a Redis that answers some and is too slow for
        others cannot let more pass than either of the two would."""
        member = f"{source}{_SEPARATOR}{new_id('try')}"
        here = self._local.take(limits, member)
        if not here.allowed:
            RATE_LIMIT_DECISIONS.labels("refused").inc()
            return here
        keys = [_PREFIX + limit.key for limit in limits]
        numbers = [n for limit in limits for n in (limit.most, int(limit.window_seconds * 1_000_000))]
        found = await self._ask(lambda: self._take(keys=keys, args=[member, *numbers]))
        if found is None:
            RATE_LIMIT_DECISIONS.labels("degraded").inc()
            return here
        if found[0]:
            for limit in limits:
                self._local.give_back(limit.key, member)
            RATE_LIMIT_DECISIONS.labels("refused").inc()
            return Decision(False, 0, int(found[1]) / 1_000_000, limits[int(found[0]) - 1].key, member)
        RATE_LIMIT_DECISIONS.labels("allowed").inc()
        return Decision(True, min(int(left) for left in found[2:]), 0.0, "", member)

    async def forget(self, key: str, source: str) -> None:
        """Count nothing of what this source tried under this key any more."""
        start = source + _SEPARATOR
        self._local.forget(key, start)
        await self._ask(lambda: self._forgive(keys=[_PREFIX + key], args=[start]))

    async def give_back(self, keys: Iterable[str], member: str) -> None:
        """Take one try back, under these keys (of logs, not of sliced windows)."""
        for key in keys:
            self._local.give_back(key, member)
            await self._ask(lambda key=key: self._client.zrem(_PREFIX + key, member))  # type: ignore[misc]

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
            self._take = self._client.register_script(_TAKE)
            self._forgive = self._client.register_script(_FORGIVE)

    def _redis_error(self) -> type[Exception]:
        if self._client is None:
            return OSError
        error: type[Exception] = importlib.import_module("redis.exceptions").RedisError
        return error


class LocalLog:
    """The same sliding log in this process's memory, for the least recently used 50,000 keys."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tries: OrderedDict[str, deque[tuple[float, str]]] = OrderedDict()

    def take(self, limits: Sequence[Limit], member: str) -> Decision:
        now = self._now()
        logs = [self._log(limit, now) for limit in limits]
        for limit, log in zip(limits, logs, strict=True):
            if len(log) >= limit.most:
                wait = log[len(log) - limit.most][0] + limit.window_seconds - now
                return Decision(False, 0, wait, limit.key, member)
        for log in logs:
            log.append((now, member))
        remaining = min(limit.most - len(log) for limit, log in zip(limits, logs, strict=True))
        return Decision(True, remaining, 0.0, "", member)

    def forget(self, key: str, start: str) -> None:
        """Drop the tries whose member begins with `start`."""
        if log := self._tries.get(key):
            self._tries[key] = deque(entry for entry in log if not entry[1].startswith(start))

    def give_back(self, key: str, member: str) -> None:
        if log := self._tries.get(key):
            self._tries[key] = deque(entry for entry in log if entry[1] != member)

    def _log(self, limit: Limit, now: float) -> deque[tuple[float, str]]:
        log = self._tries.setdefault(limit.key, deque())
        self._tries.move_to_end(limit.key)
        if len(self._tries) > _LOCAL_KEYS:
            self._tries.popitem(last=False)
        while log and log[0][0] <= now - limit.window_seconds:
            log.popleft()
        return log
