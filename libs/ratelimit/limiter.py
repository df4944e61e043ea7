"""The limiter of a process: Redis decides; the process's own memory decides while Redis is away.

It must not know what is limited; callers name keys.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from libs.cache.client import RedisClient, RedisUnavailable
from libs.crypto import random_token
from libs.ratelimit.limits import Decision, Left, Limit, admission, refusal
from libs.ratelimit.local import LocalLog
from libs.ratelimit.scripts import FORGET, GIVE_BACK, TAKE
from libs.telemetry.metrics import RATE_LIMIT_DECISIONS

_PREFIX = "limit:"
_SEPARATOR = "|"
# Microseconds of a second: the unit of the scripts.
_MICROS = 1_000_000
# Outcome -> its counter; looking a labeled counter up costs more than counting.
_DECISIONS = {name: RATE_LIMIT_DECISIONS.labels(name) for name in ("allowed", "refused", "degraded")}


class RateLimiter:
    """Counts under any key; refused tries are not counted."""

    def __init__(self, client: RedisClient, *, owned: bool = False) -> None:
        """`client` may be shared: commands of one loop tick then share a round trip. An owned one is closed too."""
        self._client = client
        self._owned = owned
        self._local = LocalLog()
        # Members are unique over all processes: a random text and a number.
        self._process, self._numbers = random_token(6), itertools.count()

    @classmethod
    async def open(cls, redis_url: str) -> "RateLimiter":
        """A limiter with a connection of its own. Redis need not answer yet."""
        return cls(RedisClient(redis_url), owned=True)

    async def take(self, limits: Sequence[Limit], source: str = "") -> Decision:
        """Count one try of `source` under every limit, or under none if one of them is spent.

        What this process has refused is refused without Redis: then a Redis that answers some and is too slow for
        others cannot let more pass than either of the two would."""
        member = f"{source}{_SEPARATOR}{self._process}{next(self._numbers)}"
        here = self._local.take(limits, member)
        if not here.allowed:
            return _counted("refused", here)
        keys = [_redis_key(limit) for limit in limits]
        numbers = [n for limit in limits for n in (limit.most, int(limit.window_seconds * _MICROS))]
        try:
            found = await self._client.run(TAKE, keys, [member, *numbers])
        except RedisUnavailable:
            return self._alone(limits, member)
        if found[0]:
            self._local.undo(limits, member)
            refused, wait = limits[int(found[0]) - 1], int(found[1]) / _MICROS
            self._local.remember(refused, wait)
            return _counted("refused", refusal(refused, wait, member))
        return _counted("allowed", admission(_left(found[2:]), member))

    async def forget(self, key: str, source: str) -> None:
        """Count nothing of what this source tried under this key any more."""
        start = source + _SEPARATOR
        self._local.forget(key, start)
        await self._try(FORGET, [_PREFIX + key], [start])

    async def give_back(self, keys: Iterable[str], member: str) -> None:
        """Take one try back, under these keys (of logs, not of sliced windows)."""
        found = list(keys)
        for key in found:
            self._local.give_back(key, member)
        if found:
            await self._try(GIVE_BACK, [_PREFIX + key for key in found], [member])

    async def close(self) -> None:
        if self._owned:
            await self._client.close()

    def _alone(self, limits: Sequence[Limit], member: str) -> Decision:
        self._local.undo(limits, member)
        return _counted("degraded", self._local.take(limits, member, alone=True))

    async def _try(self, script: Any, keys: Sequence[str], args: Sequence[str]) -> None:
        try:
            await self._client.run(script, keys, args)
        except RedisUnavailable:
            return  # the tries stay counted until their window ends


def _redis_key(limit: Limit) -> str:
    """A log and a sliced window are of different types, so a limit that grows over the bound begins a key."""
    return f"{_PREFIX}{limit.key}:sliced" if limit.sliced else _PREFIX + limit.key


def _left(numbers: Sequence[Any]) -> tuple[Left, ...]:
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple(Left(int(remaining), int(wait) / _MICROS) for remaining, wait in pairs)


def _counted(outcome: str, decision: Decision) -> Decision:
    _DECISIONS[outcome].inc()
    return decision
