"""The limiter on a real Valkey: exact over instances, alive without it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest_asyncio

from libs.cache import redis_ping
from libs.cache.client import RedisClient
from libs.cache.connection import RedisConnection
from libs.ids import new_id
from libs.ratelimit import LeasedLimits, Limit, LocalLog, RateLimiter
from libs.ratelimit.local import REMEMBERED_SECONDS
from libs.telemetry.metrics import RATE_LIMIT_WAIT_SECONDS
from local.stores import Stores


@pytest_asyncio.fixture
async def limiter(stores: Stores) -> AsyncIterator[RateLimiter]:
    opened = await RateLimiter.open(stores.redis_url)
    yield opened
    await opened.close()


async def test_two_instances_share_one_limit(limiter: RateLimiter, stores: Stores) -> None:
    other = await RateLimiter.open(stores.redis_url)
    key = new_id("key")
    decisions = await asyncio.gather(*(one.take([Limit(key, 10, 60)]) for one in (limiter, other) for _ in range(15)))
    assert sum(decision.allowed for decision in decisions) == 10
    refused = [decision for decision in decisions if not decision.allowed]
    assert all(0 < decision.reset_seconds <= 60 and decision.remaining == 0 for decision in refused)
    await other.close()


async def test_what_a_request_waits_for_redis_is_measured_and_what_needs_no_redis_is_not(limiter: RateLimiter) -> None:
    most = Limit(new_id("key"), 1, 60)
    before = measured()
    assert (await limiter.take([most])).allowed
    assert measured() == before + 1
    assert not (await limiter.take([most])).allowed
    assert measured() == before + 1, "refused by what this process has counted"
    leased, asked = LeasedLimits((Limit(new_id("key"), 500, 60),)), 0
    for _ in range(40):
        if limiter.spend(leased) is None:
            asked += 1
            await limiter.ask(leased)
    assert 1 < asked < 40
    assert measured() == before + 1 + asked


def measured() -> float:
    samples = (one for metric in RATE_LIMIT_WAIT_SECONDS.collect() for one in metric.samples)
    return sum(one.value for one in samples if one.name.endswith("_count"))


async def test_a_window_slides(limiter: RateLimiter) -> None:
    key = new_id("key")
    allowed: list[float] = []
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        if (await limiter.take([Limit(key, 4, 0.4)])).allowed:
            allowed.append(time.monotonic())
        await asyncio.sleep(0.01)
    for start in allowed:
        assert sum(start <= moment < start + 0.37 for moment in allowed) <= 4
    assert 10 <= len(allowed) <= 16


async def test_a_limit_that_crosses_the_bound_of_logs_and_comes_back_holds_each_time(limiter: RateLimiter) -> None:
    """A plan changes it while it is counted: 1,000 is a log, 1,100 are slices, of another type in Redis."""
    key = new_id("key")
    for leased in (False, True):
        for most in (1_000, 1_100, 1_000, 1_100):
            limit = Limit(key + str(leased), most, 60)
            taken = [await limiter.take([limit]) for _ in range(3)]
            assert all(one.allowed for one in taken)
            if leased:
                assert (await limiter.ask(LeasedLimits((limit,)))).allowed
            counted = most - taken[-1].left[0].remaining
            assert 3 <= counted <= 12
    small, large = Limit(key, 1_000, 60), Limit(key, 1_100, 60)
    for limit in (small, large, small):
        while (await limiter.take([limit])).allowed:
            pass
        assert not (await limiter.take([limit])).allowed


async def test_a_try_is_given_back_and_a_source_forgotten(limiter: RateLimiter) -> None:
    limit = Limit(new_id("key"), 3, 60)
    first = await limiter.take([limit], "here")
    await limiter.give_back([limit.key], first.member)
    for source in ("here", "here", "there"):
        assert (await limiter.take([limit], source)).allowed
    assert not (await limiter.take([limit], "here")).allowed
    await limiter.forget(limit.key, "here")
    decisions = [await limiter.take([limit], "here") for _ in range(3)]
    assert [decision.allowed for decision in decisions] == [True, True, False]


async def test_a_try_that_one_limit_refuses_counts_under_no_other(limiter: RateLimiter, stores: Stores) -> None:
    spent, other = Limit(new_id("key"), 1, 60), Limit(new_id("key"), 5, 60)
    assert (await limiter.take([spent])).allowed
    elsewhere = await RateLimiter.open(stores.redis_url)
    for one in (limiter, elsewhere):
        for _ in range(4):
            decision = await one.take([other, spent])
            assert (decision.allowed, decision.refused_by) == (False, spent.key)
    assert (await elsewhere.take([other])).remaining == 4
    await elsewhere.close()


async def test_a_large_limit_is_counted_in_slices_and_never_passed(limiter: RateLimiter, stores: Stores) -> None:
    other, limit = await RateLimiter.open(stores.redis_url), Limit(new_id("key"), 1_200, 60)
    decisions = []
    for _ in range(14):  # one batch of all would be slow on a busy machine, and a slow Redis counts as away
        decisions += await asyncio.gather(*(one.take([limit]) for one in (limiter, other) for _ in range(50)))
    assert sum(decision.allowed for decision in decisions) == 1_200
    refused = [decision for decision in decisions if not decision.allowed]
    assert all(0 < decision.reset_seconds <= 62 for decision in refused)
    await other.close()


async def test_a_flushed_script_is_loaded_again(limiter: RateLimiter, stores: Stores) -> None:
    key = new_id("key")
    assert (await limiter.take([Limit(key, 2, 60)])).allowed
    connection = await RedisConnection.open(stores.redis_url)
    assert await connection.run([("SCRIPT", "FLUSH")]) == [b"OK"]
    connection.drop()
    assert (await limiter.take([Limit(key, 2, 60)])).remaining == 0
    assert not (await limiter.take([Limit(key, 2, 60)])).allowed


async def test_a_frozen_redis_delays_no_one_for_long(limiter: RateLimiter, stores: Stores) -> None:
    key = new_id("key")
    assert (await limiter.take([Limit(key, 8, 60)])).allowed
    stores.redis.pause()
    try:
        async with asyncio.timeout(20):  # 25 s if each waited for Redis
            decisions = [await limiter.take([Limit(key, 8, 60)]) for _ in range(100)]
    finally:
        stores.redis.resume()
    assert sum(decision.allowed for decision in decisions) == 7
    await asyncio.sleep(1.1)  # the breaker rests for a second
    assert (await limiter.take([Limit(new_id("key"), 1, 60)])).allowed


async def test_redis_is_pinged_without_a_client(stores: Stores) -> None:
    assert await redis_ping(stores.redis_url)
    assert not await redis_ping("redis://127.0.0.1:1/0")
    assert not await redis_ping("redis://user:wrong@" + stores.redis_url.split("@")[-1].removeprefix("redis://"))
    stores.redis.pause()
    try:
        assert not await redis_ping(stores.redis_url)  # answered while Redis is still paused
    finally:
        stores.redis.resume()


async def test_a_full_slice_leaves_the_window_at_once(limiter: RateLimiter) -> None:
    limit = Limit(new_id("key"), 1_100, 3.0)
    begun = time.monotonic()
    for _ in range(22):
        assert all(one.allowed for one in await asyncio.gather(*(limiter.take([limit]) for _ in range(50))))
    refused = await limiter.take([limit])
    assert not refused.allowed
    wait = refused.reset_seconds
    assert 0 < wait <= 3.1
    await asyncio.sleep(wait)
    # The wait is Redis's clock and the sleep is ours, so what is left of it is told with each refusal.
    while not (again := await limiter.take([limit])).allowed:
        await asyncio.sleep(again.reset_seconds)
    assert time.monotonic() - begun >= 3.0


async def test_what_each_limit_leaves_is_told_in_their_order(limiter: RateLimiter) -> None:
    narrow, wide = Limit(new_id("key"), 3, 60), Limit(new_id("key"), 2_000, 60)
    await limiter.take([narrow])
    decision = await limiter.take([narrow, wide])
    assert [one.remaining for one in decision.left] == [1, 1_999]
    assert all(0 < one.reset_seconds <= 61 for one in decision.left)


async def test_a_refusal_is_repeated_without_redis_for_a_second(limiter: RateLimiter, stores: Stores) -> None:
    seconds = 1_000.0
    limiter._local = LocalLog(lambda: seconds)
    limit = Limit(new_id("key"), 1, 60)
    elsewhere = await RateLimiter.open(stores.redis_url)
    assert (await elsewhere.take([limit], "here")).allowed
    refused = await limiter.take([limit])
    assert (refused.allowed, refused.refused_by) == (False, limit.key)
    stores.redis.pause()
    try:
        # Had Redis been asked, the memory of this process would decide, which has counted no try.
        assert not (await limiter.take([limit])).allowed
    finally:
        stores.redis.resume()
    await elsewhere.forget(limit.key, "here")
    seconds += REMEMBERED_SECONDS - 0.01
    assert not (await limiter.take([limit])).allowed
    seconds += 0.02
    assert (await limiter.take([limit])).allowed
    await elsewhere.close()


async def test_a_process_alone_allows_its_share_and_counts_what_it_has_seen(
    limiter: RateLimiter, stores: Stores
) -> None:
    limiter._local = LocalLog(lambda: 1_000.0)
    limit = Limit(new_id("key"), 12, 60, alone=4)
    assert [(await limiter.take([limit])).allowed for _ in range(2)] == [True, True]
    stores.redis.pause()
    try:
        alone = [(await limiter.take([limit])).allowed for _ in range(5)]
    finally:
        stores.redis.resume()
    assert alone == [True, True, False, False, False]


async def test_a_limit_that_grows_over_the_bound_of_logs_begins_anew(limiter: RateLimiter) -> None:
    key = new_id("key")
    assert (await limiter.take([Limit(key, 1, 60)])).allowed
    assert (await limiter.take([Limit(key, 5_000, 60)])).remaining == 4_999
    assert not (await limiter.take([Limit(key, 1, 60)])).allowed


class Caller:
    """Tries of one leased caller at several processes; when each passed, on this machine's clock."""

    def __init__(self, limiters: list[RateLimiter], *limits: Limit) -> None:
        self._limiters = limiters
        self._sets = [LeasedLimits(limits) for _ in limiters]
        self.passed: list[float] = []
        self.asked = 0

    async def try_at(self, number: int) -> bool:
        limiter, limits = self._limiters[number % len(self._limiters)], self._sets[number % len(self._limiters)]
        decision = limiter.spend(limits)
        if decision is None:
            self.asked += 1
            decision = await limiter.ask(limits)
        if decision.allowed:
            self.passed.append(time.monotonic())
        return decision.allowed


@pytest_asyncio.fixture
async def three(stores: Stores) -> AsyncIterator[list[RateLimiter]]:
    # A slow answer of Redis is waited for: a process that gives up counts alone, and then more pass.
    opened = [RateLimiter(RedisClient(stores.redis_url, seconds=5.0), owned=True) for _ in range(3)]
    yield opened
    for one in opened:
        await one.close()


async def test_permits_taken_ahead_spare_most_questions_and_never_pass_the_limit(three: list[RateLimiter]) -> None:
    caller = Caller(three, Limit(new_id("key"), 600, 60), Limit(new_id("key"), 5_000, 60))
    allowed = [await caller.try_at(number) for number in range(900)]
    assert sum(allowed) == 600
    assert caller.asked < 400
    assert not any(allowed[-100:])


async def test_a_busy_caller_asks_for_one_in_many(limiter: RateLimiter) -> None:
    caller = Caller([limiter], Limit(new_id("key"), 1_000_000, 60))
    assert all([await caller.try_at(number) for number in range(3_000)])
    assert caller.asked < 300


async def test_no_window_holds_more_than_the_limit_and_few_less_at_twice_its_rate(three: list[RateLimiter]) -> None:
    window, most = 3.0, 300
    caller = Caller(three, Limit(new_id("key"), most, window))
    begun = time.monotonic()
    numbers = iter(range(10**6))

    async def offer() -> None:
        while time.monotonic() - begun < 3 * window:
            await caller.try_at(next(numbers))
            await asyncio.sleep(0.005)

    await asyncio.gather(*(offer() for _ in range(3)))
    for start in caller.passed:
        # An answer comes later than Redis counted it, so this clock is read a little generously.
        assert sum(start <= moment < start + 0.97 * window for moment in caller.passed) <= most
    assert len(caller.passed) >= 2.9 * most


async def test_permits_that_are_not_used_go_back_when_their_time_ends(three: list[RateLimiter]) -> None:
    limit = Limit(new_id("key"), 1_000, 6.0)
    caller = Caller(three[:1], limit)
    for number in range(8):
        assert await caller.try_at(number)
    await asyncio.sleep(6.0 / 240 + 0.2)
    decision = await three[1].take([limit])
    assert decision.remaining == 1_000 - 8 - 1


async def test_permits_that_are_not_used_leave_a_sliced_window_too(three: list[RateLimiter]) -> None:
    limit = Limit(new_id("key"), 4_000, 60.0)
    caller = Caller(three[:1], limit)
    for number in range(40):
        assert await caller.try_at(number)
    await asyncio.sleep(0.5)
    assert (await three[1].take([limit])).remaining == 4_000 - 40 - 1


async def test_permits_are_spent_while_redis_is_away_and_then_the_share_of_a_process_alone(
    limiter: RateLimiter, stores: Stores
) -> None:
    caller = Caller([limiter], Limit(new_id("key"), 3_000, 60.0, alone=30))
    for number in range(20):
        assert await caller.try_at(number)
    stores.redis.pause()
    try:
        passed = [await caller.try_at(number) for number in range(200)]
    finally:
        stores.redis.resume()
    assert not passed[-1]
    assert 10 <= sum(passed) <= 10 + 64
