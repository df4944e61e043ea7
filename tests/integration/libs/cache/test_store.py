"""The scripts and both levels on a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio

from libs.cache.client import RedisClient
from libs.cache.spec import CacheClass
from libs.cache.store import RedisStore
from libs.cache.tiered import Cache
from libs.cache.tombstones import Tombstones
from libs.cache.values import Codec, Loaded, Place, Source
from libs.ids import new_id
from local.stores import Stores

KIND = CacheClass("things", "edge", "id", 60, 5.0, ("thing",), ("things",))
CODEC: Codec[bytes] = Codec(bytes, bytes, len)


@pytest_asyncio.fixture(loop_scope="session")
async def store(stores: Stores) -> AsyncIterator[RedisStore]:
    client = RedisClient(stores.redis_url, seconds=5.0)
    yield RedisStore(client)
    await client.close()


async def filled(store: RedisStore, key: str, value: bytes = b"old", version: int = 1) -> None:
    found = await store.get(KIND, key, [key])
    assert await store.fill(KIND, key, [key], found.lease, value, version, 60)


async def test_a_filled_value_is_found_and_one_reader_loads(store: RedisStore) -> None:
    key = new_id("key")
    leases = [(await store.get(KIND, key, [key])).lease for _ in range(5)]
    assert [bool(lease) for lease in leases] == [True, False, False, False, False]
    assert await store.fill(KIND, key, [key], leases[0], b"v", 3, 60)
    found = await store.get(KIND, key, [key])
    assert (found.value, found.version) == (b"v", 3)


async def test_an_invalidation_between_lease_and_fill_refuses_the_fill(store: RedisStore) -> None:
    key = new_id("key")
    lease = (await store.get(KIND, key, [key])).lease
    assert await store.invalidate(new_id("evt"), [key])
    assert not await store.fill(KIND, key, [key], lease, b"old", 1, 60)
    assert (await store.get(KIND, key, [key])).value is None


async def test_an_event_is_applied_once(store: RedisStore) -> None:
    key, event = new_id("key"), new_id("evt")
    assert await store.invalidate(event, [key])
    await filled(store, key)
    assert not await store.invalidate(event, [key])
    assert (await store.get(KIND, key, [key])).value == b"old"
    assert await store.invalidate(new_id("evt"), [key])
    assert (await store.get(KIND, key, [key])).value is None


async def test_a_reader_that_demands_a_version_gets_no_older_one(store: RedisStore) -> None:
    key = new_id("key")
    await filled(store, key, version=1)
    found = await store.get(KIND, key, [key], min_version=2)
    assert found.value is None
    assert found.lease


async def test_a_heartbeat_of_another_server_run_is_refused(store: RedisStore) -> None:
    begun, run_id = await store.begin("things")
    assert await store.beat("things", begun, run_id)
    assert not await store.beat("things", begun, "0" * 40)


async def test_old_evidence_makes_a_value_untrusted_until_the_next_heartbeat(store: RedisStore) -> None:
    key = new_id("key")
    await store.begin("short")  # the first beat of a service gives up its older values
    short = CacheClass("short", "edge", "id", 60, 0.001, (), ("short",))
    lease = (await store.get(short, key, [key])).lease
    assert await store.fill(short, key, [key], lease, b"v", 1, 60)
    await asyncio.sleep(0.01)
    assert (await store.get(short, key, [key])).value is None
    long = CacheClass("short", "edge", "id", 60, 60.0, (), ("short",))
    await store.beat("short", *await store.begin("short"))
    assert (await store.get(long, key, [key])).value == b"v"


async def test_five_hundred_readers_cause_one_load(store: RedisStore) -> None:
    cache, loads, gate = Cache(KIND, store, Tombstones(), CODEC), 0, asyncio.Event()
    key = new_id("key")

    async def load() -> Loaded[bytes]:
        nonlocal loads
        loads += 1
        await gate.wait()
        return Loaded(b"v", 1)

    readers = [asyncio.ensure_future(cache.get(Place(key, (key,)), load)) for _ in range(500)]
    while not loads:
        await asyncio.sleep(0.001)
    gate.set()
    assert {answer.value for answer in await asyncio.gather(*readers)} == {b"v"}
    assert loads == 1
    other = Cache(KIND, store, Tombstones(), CODEC)
    assert (await other.get(Place(key, (key,)), load)).source is Source.HIT
    assert loads == 1


async def test_a_hot_key_that_expires_before_five_hundred_readers_of_two_gateways_is_loaded_once(
    store: RedisStore,
) -> None:
    """L6 of the promises."""
    kind = replace(KIND, ttl_seconds=0.05, refresh_share=2.0)
    caches = [Cache(kind, store, Tombstones(), CODEC) for _ in range(2)]
    loads, gate, key = 0, asyncio.Event(), new_id("key")

    async def load() -> Loaded[bytes]:
        nonlocal loads
        loads += 1
        await gate.wait()
        return Loaded(b"v%d" % loads, loads)

    gate.set()
    assert (await caches[0].get(Place(key, (key,)), load)).value == b"v1"
    # Longer than its life and than the memory of a process keeps it.
    await asyncio.sleep(0.2)
    gate.clear()
    readers = [asyncio.ensure_future(caches[number % 2].get(Place(key, (key,)), load)) for number in range(500)]
    while loads < 2:
        await asyncio.sleep(0.001)
    gate.set()
    assert {answer.value for answer in await asyncio.gather(*readers)} == {b"v2"}
    assert loads == 2


async def test_without_redis_the_source_answers_and_the_breaker_opens() -> None:
    client = RedisClient("redis://127.0.0.1:1/0")
    cache = Cache(KIND, RedisStore(client), Tombstones(), CODEC)

    async def load() -> Loaded[bytes]:
        return Loaded(b"v", 1)

    for number in range(3):
        assert (await cache.get(Place(str(number), ("t",)), load)).value == b"v"
    assert not client.available
    assert (await cache.get(Place("0", ("t",)), load)).value == b"v"
    await cache.close()
    await client.close()
