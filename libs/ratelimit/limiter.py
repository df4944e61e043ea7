"""The limiter of a process: Redis decides; the process's own memory decides while Redis is away.

It must not know what is limited; callers name keys.
"""

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from libs.cache.client import RedisClient, RedisUnavailable
from libs.crypto import random_token
from libs.ratelimit.leases import Leases
from libs.ratelimit.limits import (
    MICROS,
    Decision,
    LeasedLimits,
    Limit,
    admission,
    log_key,
    numbers_of,
    read_left,
    redis_key,
    refusal,
)
from libs.ratelimit.local import LocalLog
from libs.ratelimit.scripts import FORGET, GIVE_BACK, TAKE
from libs.telemetry.metrics import RATE_LIMIT_DECISIONS, RATE_LIMIT_WAIT_SECONDS

_SEPARATOR = "|"
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
        self._leases = Leases(client, self._local, member=self._member, alone=self._alone_leased, count=_count)

    @classmethod
    async def open(cls, redis_url: str) -> "RateLimiter":
        """A limiter with a connection of its own. Redis need not answer yet."""
        return cls(RedisClient(redis_url), owned=True)

    async def take(self, limits: Sequence[Limit], source: str = "") -> Decision:
        """Count one try of `source` under every limit, or under none if one of them is spent.

        What this process has refused is refused without Redis: then a Redis that answers some and is too slow for
        others cannot let more pass than either of the two would."""
        member = self._member(source)
        here = self._local.take(limits, member)
        if not here.allowed:
            return _counted("refused", here)
        keys, begun = [redis_key(limit) for limit in limits], time.perf_counter()
        try:
            granted, index, wait, *rest = await self._client.run(TAKE, keys, [member, 1, 0, *numbers_of(limits)])
        except RedisUnavailable:
            return self._alone(limits, member)
        finally:
            _waited(begun)
        if not granted:
            self._local.undo(limits, member)
            refused, seconds = limits[int(index) - 1], int(wait) / MICROS
            self._local.remember(refused, seconds)
            return _counted("refused", refusal(refused, seconds, member))
        return _counted("allowed", admission(read_left(rest[1:]), member))

    def spend(self, limits: LeasedLimits) -> Decision | None:
        """Count one try without asking Redis, from permits that this process took ahead; None when it holds none."""
        return self._leases.spend(limits)

    def ask(self, limits: LeasedLimits) -> "asyncio.Future[Decision]":
        """The decision to come over one try, together with permits for the next ones; never raises."""
        begun, decision = time.perf_counter(), self._leases.ask(limits)
        if not decision.done():
            # Called in the turn of the loop in which the request goes on.
            decision.add_done_callback(partial(_waited, begun))
        return decision

    async def forget(self, key: str, source: str) -> None:
        """Count nothing of what this source tried under this key any more."""
        start = source + _SEPARATOR
        self._local.forget(key, start)
        await self._try(FORGET, [log_key(key)], [start])

    async def give_back(self, keys: Iterable[str], member: str) -> None:
        """Take one try back, under these keys (of logs, not of sliced windows)."""
        found = list(keys)
        for key in found:
            self._local.give_back(key, member)
        if found:
            await self._try(GIVE_BACK, [log_key(key) for key in found], [member])

    async def close(self) -> None:
        self._leases.close()
        if self._owned:
            await self._client.close()

    def _member(self, source: str = "") -> str:
        return f"{source}{_SEPARATOR}{self._process}{next(self._numbers)}"

    def _alone(self, limits: Sequence[Limit], member: str) -> Decision:
        self._local.undo(limits, member)
        return _counted("degraded", self._local.take(limits, member, alone=True))

    def _alone_leased(self, limits: LeasedLimits) -> Decision:
        return _counted("degraded", self._local.take(limits.limits, self._member(), alone=True))

    async def _try(self, script: Any, keys: Sequence[str], args: Sequence[str]) -> None:
        try:
            await self._client.run(script, keys, args)
        except RedisUnavailable:
            return  # the tries stay counted until their window ends


def _waited(begun: float, decision: object = None) -> None:
    RATE_LIMIT_WAIT_SECONDS.observe(time.perf_counter() - begun)


def _count(outcome: str, times: int) -> None:
    _DECISIONS[outcome].inc(times)


def _counted(outcome: str, decision: Decision) -> Decision:
    _DECISIONS[outcome].inc()
    return decision
