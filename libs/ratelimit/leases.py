"""Permits that a process takes ahead of their use, so that most requests of a busy caller ask Redis nothing.

A caller begins with one permit a question. One who asks again before a lease would have ended gets twice as many, up
to a bound and to a share of what the limits leave. Permits are used until the lease ends, then the rest goes back.
Redis counts them at that end, so that no window holds more uses than permits (libs.ratelimit.scripts).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from libs.cache.client import RedisClient, RedisUnavailable
from libs.ratelimit.limits import (
    LEASED_MOST,
    LEASED_TIME_SHARE,
    MICROS,
    Decision,
    LeasedLimits,
    Left,
    admission,
    numbers_of,
    read_left,
    redis_key,
    refusal,
)
from libs.ratelimit.local import LocalLog
from libs.ratelimit.scripts import GIVE_BACK_PERMITS, TAKE

# Callers whose demand is remembered. More than this at once ask for one permit at a time.
_CALLERS = 20_000


class Lease:
    """Permits of one caller. `permits` may be used until `ends` (the loop's clock); `left` is what the limits leave
    beside them."""

    __slots__ = (
        "asking",
        "begun",
        "counted",
        "ends",
        "granted",
        "left",
        "member",
        "permits",
        "size",
        "timer",
        "waiting",
    )

    def __init__(self) -> None:
        self.permits = self.granted = 0
        self.begun = self.ends = 0.0
        self.left: tuple[Left, ...] = ()
        self.member = ""
        self.counted = b""
        self.size = 1
        self.asking = False
        self.waiting: list[asyncio.Future[Decision]] = []
        self.timer: asyncio.TimerHandle | None = None

    def spend(self) -> Decision:
        """Use one of the permits."""
        self.permits -= 1
        held = self.permits
        left = tuple(Left(one.remaining + held, one.reset_seconds) for one in self.left) if held else self.left
        return admission(left, self.member)


class Leases:
    """The leases of one process. `alone` decides while Redis is away; `count` counts decisions by outcome."""

    def __init__(
        self,
        client: RedisClient,
        local: LocalLog,
        *,
        member: Callable[[], str],
        alone: Callable[[LeasedLimits], Decision],
        count: Callable[[str, int], None],
    ) -> None:
        self._client = client
        self._local = local
        self._member = member
        self._alone = alone
        self._count = count
        self._leases: OrderedDict[LeasedLimits, Lease] = OrderedDict()

    def spend(self, limits: LeasedLimits) -> Decision | None:
        """A permit that this process holds; None when it must ask."""
        lease = self._leases.get(limits)
        if lease is None or not lease.permits or asyncio.get_running_loop().time() >= lease.ends:
            return None
        return lease.spend()

    def ask(self, limits: LeasedLimits) -> "asyncio.Future[Decision]":
        """The decision to come over one try. The command joins those of this loop tick."""
        lease = self._leases.get(limits)
        if lease is None:
            lease = self._leases[limits] = Lease()
            if len(self._leases) > _CALLERS:
                self._leases.popitem(last=False)
        decision: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        lease.waiting.append(decision)
        if not lease.asking:
            self._send(limits, lease)
        return decision

    def close(self) -> None:
        """Leave what is unused to the end of its window."""
        for lease in self._leases.values():
            if lease.timer is not None:
                lease.timer.cancel()
        self._leases.clear()

    def _send(self, limits: LeasedLimits, lease: Lease) -> None:
        """Ask Redis for permits, at least for those who wait now."""
        now, seconds = asyncio.get_running_loop().time(), _seconds(limits)
        self._end(limits, lease)
        lease.size = min(2 * lease.size, LEASED_MOST) if now - lease.begun < seconds else 1
        lease.begun, lease.ends, lease.member = now, now + seconds, self._member()
        here = self._local.take(limits.limits, lease.member)
        if not here.allowed:
            self._refuse(lease, here)
            return
        wanted = max(lease.size, len(lease.waiting))
        numbers = [wanted, int(seconds * MICROS), *_numbers(limits)]
        try:
            answer = self._client.ask(TAKE, _keys(limits), [lease.member, *numbers])
        except RedisUnavailable:
            self._decide_alone(limits, lease)
            return
        lease.asking = True
        answer.add_done_callback(partial(self._answered, limits, lease))

    def _answered(self, limits: LeasedLimits, lease: Lease, answer: "asyncio.Future[Any]") -> None:
        lease.asking = False
        if answer.cancelled() or answer.exception() is not None:
            self._decide_alone(limits, lease)
            return
        granted, index, wait, *rest = answer.result()
        if not granted:
            self._local.undo(limits.limits, lease.member)
            refused = limits.limits[int(index) - 1]
            self._local.remember(refused, int(wait) / MICROS)
            self._refuse(lease, refusal(refused, int(wait) / MICROS, lease.member))
            return
        lease.granted = lease.permits = int(granted)
        lease.counted, lease.left = rest[0], read_left(rest[1:])
        self._local.add(limits.limits, lease.member, lease.granted - 1)
        self._hand_out(lease)
        if lease.permits:
            lease.timer = asyncio.get_running_loop().call_at(lease.ends, self._end, limits, lease)
        elif lease.waiting:
            self._send(limits, lease)
        else:
            self._end(limits, lease)

    def _hand_out(self, lease: Lease) -> None:
        """One permit to each who waits, in their order. One who has left keeps none."""
        waiting, lease.waiting = lease.waiting, []
        for number, decision in enumerate(waiting):
            if not lease.permits:
                lease.waiting = waiting[number:]
                return
            if not decision.done():
                decision.set_result(lease.spend())

    def _refuse(self, lease: Lease, decision: Decision) -> None:
        waiting, lease.waiting = lease.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(decision)
        self._count("refused", len(waiting))

    def _decide_alone(self, limits: LeasedLimits, lease: Lease) -> None:
        self._local.undo(limits.limits, lease.member)
        waiting, lease.waiting = lease.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(self._alone(limits))

    def _end(self, limits: LeasedLimits, lease: Lease) -> None:
        """Give back what is unused."""
        if lease.timer is not None:
            lease.timer.cancel()
            lease.timer = None
        unused, granted = lease.permits, lease.granted
        lease.permits = lease.granted = 0
        if granted > unused:
            self._count("allowed", granted - unused)
        if not unused:
            return
        self._local.undo(limits.limits, lease.member, unused)
        numbers: list[int | bytes] = [granted, unused, lease.counted, *_numbers(limits)]
        try:
            answer = self._client.ask(GIVE_BACK_PERMITS, _keys(limits), [lease.member, *numbers])
        except RedisUnavailable:
            return  # they stay counted until their window ends
        answer.add_done_callback(_retrieve)


def _keys(limits: LeasedLimits) -> list[str]:
    return [redis_key(limit) for limit in limits.limits]


def _numbers(limits: LeasedLimits) -> list[int]:
    return numbers_of(limits.limits)


def _seconds(limits: LeasedLimits) -> float:
    return LEASED_TIME_SHARE * min(limit.window_seconds for limit in limits.limits)


def _retrieve(answer: "asyncio.Future[Any]") -> None:
    """A lost give-back leaves its permits counted until their window ends; it is not logged as forgotten."""
    if not answer.cancelled():
        answer.exception()
