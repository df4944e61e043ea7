"""Both levels on a real Valkey: soft and hard time limits, values within the bound, early renewal, absences, bounds.

The clock of the first level is the test's own; loads wait at a gate, so that order and count decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from libs.cache.client import RedisClient
from libs.cache.source import DEGRADED_LOADS, DEGRADED_WAITING
from libs.cache.spec import MAX_TTL_SECONDS, CacheClass
from libs.cache.store import LEASE_MS, RedisStore
from libs.cache.tiered import Cache
from libs.cache.tombstones import Tombstones
from libs.cache.values import Codec, Loaded, Place, Source
from libs.errors import AppError, DeadlineExceeded, NotFound, Unavailable
from libs.ids import new_id
from libs.telemetry import metrics
from local.stores import Stores

KIND = CacheClass(
    "tiers_of_tests", "edge", "id", 60, 30.0, ("thing",), (), single=True, soft_seconds=0.01, hard_seconds=20.0
)
CODEC: Codec[bytes] = Codec(bytes, bytes, len)
AWAY = "redis://127.0.0.1:1/0"


@dataclass
class Clock:
    """Seconds that only the test moves."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Origin:
    """A source that counts loads, may fail, and may be held back."""

    value: bytes = b"one"
    version: int = 1
    loads: int = 0
    failure: AppError | None = None
    negative: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def load(self) -> Loaded[bytes]:
        self.loads += 1
        value, version = self.value, self.version
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Loaded(value, version, self.negative)


@pytest_asyncio.fixture(loop_scope="session")
async def store(stores: Stores) -> AsyncIterator[RedisStore]:
    client = RedisClient(stores.redis_url, seconds=5.0)
    yield RedisStore(client)
    await client.close()


def opened(store: RedisStore, clock: Callable[[], float], kind: CacheClass = KIND) -> Cache[bytes]:
    return Cache(kind, store, Tombstones(clock), CODEC, now=clock)


def a_place() -> Place:
    key = new_id("key")
    return Place(key, (key,))


async def settled(passes: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not passes():
            await asyncio.sleep(0.005)


async def changed_behind_its_back(store: RedisStore, place: Place, source: Origin) -> None:
    """The second level's value is replaced and the message to this process is lost."""
    await store.invalidate(new_id("evt"), place.tags)
    source.value, source.version = b"two", 2


async def test_after_the_soft_limit_a_value_within_the_bound_answers_and_the_load_goes_on(store: RedisStore) -> None:
    clock, source, place = Clock(), Origin(), a_place()
    cache = opened(store, clock)
    await cache.get(place, source.load)
    await changed_behind_its_back(store, place, source)
    clock.seconds += 5
    source.gate.clear()
    late = await cache.get(place, source.load)
    assert (late.value, late.source, late.age_seconds) == (b"one", Source.STALE, 5.0)
    source.gate.set()
    await settled(lambda: cache._flights == {})
    fresh = await cache.get(place, source.load)
    assert (fresh.value, fresh.source, source.loads) == (b"two", Source.HIT, 2)
    await cache.close()


async def test_a_value_beyond_its_bound_never_answers_whatever_the_source_does(store: RedisStore) -> None:
    clock, source, place = Clock(), Origin(), a_place()
    await opened(store, clock).get(place, source.load)
    cache = opened(store, clock, replace(KIND, hard_seconds=0.3))
    await cache.get(place, source.load)
    await changed_behind_its_back(store, place, source)
    clock.seconds += KIND.bound_seconds + 0.001
    source.gate.clear()
    with pytest.raises(DeadlineExceeded):
        await cache.get(place, source.load)
    source.gate.set()
    source.failure = Unavailable("unreachable", "Try again.")
    with pytest.raises(AppError):
        await cache.get(place, source.load)
    await cache.close()


async def test_an_outage_of_the_source_is_bridged_within_the_bound_and_a_refusal_is_not(store: RedisStore) -> None:
    clock, source, place = Clock(), Origin(), a_place()
    # Without a soft limit a stale value answers for one reason alone: how the load failed.
    cache = opened(store, clock, replace(KIND, soft_seconds=20.0))
    await cache.get(place, source.load)
    await changed_behind_its_back(store, place, source)
    clock.seconds += 1
    source.failure = Unavailable("unreachable", "Try again.")
    assert (await cache.get(place, source.load)).source is Source.STALE
    await store.invalidate(new_id("evt"), place.tags)  # the failed load holds its lease no longer than it must
    source.failure = NotFound("gone", "No such thing.")
    with pytest.raises(NotFound):
        await cache.get(place, source.load)
    assert source.loads == 3
    await cache.close()


async def test_a_load_that_fails_leaves_its_lease_to_the_next_reader(store: RedisStore) -> None:
    source, place = Origin(failure=NotFound("gone", "No such thing.")), a_place()
    one, other = opened(store, Clock()), opened(store, Clock())
    with pytest.raises(NotFound):
        await one.get(place, source.load)
    await settled(lambda: not one._tasks)
    asked = await store.get(KIND, place.key, place.tags)
    assert asked.lease, "the lease of the failed load is still there"
    assert await store.release(KIND, place.key, asked.lease)
    assert not await store.release(KIND, place.key, asked.lease)
    source.failure = None
    assert (await other.get(place, source.load)).value == b"one"
    await one.close()
    await other.close()


async def test_a_load_that_fails_leaves_nothing_in_redis_beyond_a_lease_s_life(
    store: RedisStore, stores: Stores
) -> None:
    """Wrong credentials cost no memory: anyone may send them."""
    source, place = Origin(failure=NotFound("gone", "No such thing.")), a_place()
    cache = opened(store, Clock())
    with pytest.raises(NotFound):
        await cache.get(place, source.load)
    async with Redis.from_url(stores.redis_url) as redis:
        await settled(lambda: not cache._tasks)
        assert not await redis.exists(f"cache:l:{KIND.name}:{place.key}", f"cache:v:{KIND.name}:{place.key}")
        left = await redis.pttl(f"cache:t:{place.key}")
        assert left == -2 or 0 < left <= LEASE_MS, "neither gone nor short"
        source.failure = None
        await cache.get(place, source.load)
        assert await redis.pttl(f"cache:t:{place.key}") > 1_000 * MAX_TTL_SECONDS
    await cache.close()


async def test_a_value_that_does_not_decode_is_deleted_and_told_once_a_minute(
    store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock, source, place = Clock(), Origin(value=b"good"), a_place()
    cache = Cache(KIND, store, Tombstones(clock), Codec(bytes, _only_good, len), now=clock)
    for told in (1, 1, 2):
        clock.seconds += 31
        lease = (await store.get(KIND, place.key, place.tags)).lease
        assert await store.fill(KIND, place.key, place.tags, lease, b"bad", 1, 60)
        assert (await cache.get(place, source.load)).value == b"good"
        await settled(lambda: not cache._tasks)
        assert sum("none of this suite" in line for line in caplog.messages) == told
    await cache.close()


def _only_good(raw: bytes) -> bytes:
    if raw != b"good":
        raise ValueError("bad")
    return raw


async def test_a_hot_value_is_renewed_before_it_expires_by_one_reader_while_it_still_answers(
    store: RedisStore,
) -> None:
    clock, source, place = Clock(), Origin(), a_place()
    cache = opened(store, clock, replace(KIND, refresh_share=0.0, soft_seconds=20.0))
    await cache.get(place, source.load)
    source.gate.clear()
    source.version = 2
    source.value = b"two"
    for _ in range(5):
        clock.seconds += 1
        answer = await cache.get(place, source.load)
        assert (answer.value, answer.source) == (b"one", Source.HIT)
    await settled(lambda: source.loads == 2)
    source.gate.set()
    await settled(lambda: not cache._tasks)
    clock.seconds += 1
    assert (await cache.get(place, source.load)).value == b"two"
    await cache.close()


async def test_an_absence_lives_its_own_short_time_and_a_value_its_ttl(store: RedisStore, stores: Stores) -> None:
    clock = Clock()
    kind = replace(KIND, ttl_seconds=600.0, negative_seconds=5.0)
    cache = opened(store, clock, kind)
    lives: dict[bool, list[float]] = {}
    for negative in (False, True):
        for _ in range(30):
            source, place = Origin(negative=negative), a_place()
            await cache.get(place, source.load)
            lives.setdefault(negative, []).append(await remaining(stores, kind, place))
    assert all(530 <= seconds <= 660 for seconds in lives[False])
    assert all(0 < seconds <= 5.5 for seconds in lives[True])
    assert len({round(seconds) for seconds in lives[False]}) > 5, "all would expire together"
    await cache.close()


async def remaining(stores: Stores, kind: CacheClass, place: Place) -> float:
    from libs.cache.connection import RedisConnection

    connection = await RedisConnection.open(stores.redis_url)
    [left] = await connection.run([("PTTL", f"cache:v:{kind.name}:{place.key}")])
    connection.drop()
    return int(left) / 1_000


async def test_the_first_level_is_bounded_by_entries_and_by_bytes(store: RedisStore) -> None:
    clock = Clock()
    cache = opened(store, clock, replace(KIND, max_entries=10, max_bytes=50))
    for _ in range(30):
        await cache.get(a_place(), Origin(value=b"x" * 10).load)
    assert (len(cache._memory), cache._memory.size_bytes) == (5, 50)
    small = opened(store, clock, replace(KIND, max_entries=10))
    for _ in range(30):
        await small.get(a_place(), Origin().load)
    assert len(small._memory) == 10


async def test_without_redis_loads_at_once_are_bounded_and_too_many_readers_are_refused() -> None:
    client = RedisClient(AWAY)
    cache, source = opened(RedisStore(client), Clock(), KIND), Origin()
    for _ in range(2):
        await cache.get(a_place(), source.load)  # opens the breaker
    assert not client.available
    before = source.loads
    source.gate.clear()
    readers = [
        asyncio.ensure_future(cache.get(a_place(), source.load)) for _ in range(DEGRADED_LOADS + DEGRADED_WAITING + 7)
    ]
    await settled(lambda: sum(reader.done() for reader in readers) == 7)
    assert source.loads - before == DEGRADED_LOADS
    source.gate.set()
    answers = await asyncio.gather(*readers, return_exceptions=True)
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 7
    await cache.close()
    await client.close()


async def test_a_sampled_hit_is_compared_with_the_source_and_only_a_lasting_difference_counts_as_stale(
    store: RedisStore,
) -> None:
    kind = replace(KIND, name="shadows_of_tests", bound_seconds=0.01)

    def counted() -> dict[str, float]:
        return {
            outcome: metrics.CACHE_SHADOW_READS.labels(kind.name, outcome)._value.get()
            for outcome in ("same", "changed", "stale")
        }

    for lasting, expected in ((None, "same"), (False, "changed"), (True, "stale")):
        clock, source, place = Clock(), Origin(), a_place()
        cache = opened(store, clock, replace(kind, bound_seconds=0.01 if lasting is None else 0.02))
        cache._until_shadow = 1
        before = counted()
        await cache.get(place, source.load)
        if lasting is not None:
            source.value = b"two"
        if lasting is False:
            clock_now = clock.seconds

            def expired(at: float = clock_now, cache: Cache[bytes] = cache) -> None:
                cache._memory.clear()

            asyncio.get_running_loop().call_later(0.01, expired)
        await cache.get(place, source.load)
        await settled(lambda cache=cache: not cache._tasks)  # type: ignore[misc]
        after = counted()
        assert {name for name in after if after[name] > before[name]} == {expected}
        await cache.close()
