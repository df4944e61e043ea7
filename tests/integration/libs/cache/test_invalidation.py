"""From a committed change to every cache that shows it, on a real PostgreSQL, Redis and NATS, and without some of them.

The source is a table in memory that the writer changes with the commit, so a stale answer is seen as such.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio

from echosenseix.events.v1.events_pb2 import AgentChanged, JobChanged
from libs.bus import Bus
from libs.bus.subjects import cache_invalidated
from libs.cache import changes
from libs.cache.client import RedisClient, RedisUnavailable
from libs.cache.invalidation import Invalidator
from libs.cache.process import Caches
from libs.cache.relay import CacheRelay
from libs.cache.spec import CacheClass
from libs.cache.store import RedisStore
from libs.cache.tiered import Cache
from libs.cache.values import Answer, Codec, Loaded, Place, Source
from libs.config import ServiceSettings
from libs.events import Event
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Database
from libs.postgres.leader import Lease, lead
from local.stores import Stores

KIND = CacheClass("agents_of_tests", "edge", "id", 60, 1.0, ("agent",), ("agent",), single=True)
LISTS = CacheClass("lists_of_tests", "edge", "query", 60, 1.0, ("agent",), ("agent",))
CODEC: Codec[bytes] = Codec(bytes, bytes, len)


async def eventually(passes: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not await passes():
        assert time.monotonic() < ends, "it did not come about"
        await asyncio.sleep(0.02)


@dataclass
class Scene:
    """One organization's agent: its version in the source, two processes that cache it, and its service."""

    db: Database
    store: RedisStore
    writer: Invalidator
    relay: CacheRelay
    near: Cache[bytes]
    far: Cache[bytes]
    settings: ServiceSettings
    org_id: str = field(default_factory=lambda: new_id("org"))
    key: str = field(default_factory=lambda: new_id("agt"))
    version: int = 1
    loads: int = 0

    async def read(self, cache: Cache[bytes], min_version: int = 0) -> Answer[bytes]:
        async def load() -> Loaded[bytes]:
            self.loads += 1
            return Loaded(str(self.version).encode(), self.version)

        return await cache.get(Place(self.key, KIND.tags(self.org_id, self.key)), load, min_version=min_version)

    async def write(self) -> None:
        async with self.db.transaction(self.org_id) as conn:
            await append(
                conn,
                Event(topic="agent.updated", org_id=self.org_id, key=self.key, data=AgentChanged(agent_id=self.key)),
            )
            self.version += 1

    async def waiting(self) -> int:
        return int(await self.db.system_fetchval("select count(*) from cache_invalidation"))

    @contextlib.asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """The leader of the service runs its rounds meanwhile."""
        stop = asyncio.Event()

        async def work(lease: Lease) -> None:
            running = asyncio.ensure_future(self.relay.run(lease))
            await stop.wait()
            running.cancel()

        leader = asyncio.ensure_future(lead(self.settings, "relay.agent", work, stop))
        try:
            yield
        finally:
            stop.set()
            await leader


@pytest_asyncio.fixture(loop_scope="session")
async def scene(settings: ServiceSettings, db: Database, bus: Bus) -> AsyncIterator[Scene]:
    client = RedisClient(settings.redis_url)
    store = RedisStore(client)

    async def publish(data: bytes) -> None:
        await bus.publish_core(cache_invalidated("agent"), data)

    invalidator = Invalidator("agent", store, publish)
    db.invalidate_through(invalidator.tell)
    near, far = Caches(settings.redis_url), Caches(settings.redis_url)
    for caches in (near, far):
        await bus.subscribe_core(cache_invalidated("*"), caches.on_message)
    await bus.flush()
    relay = CacheRelay("agent", store, invalidator)
    yield Scene(db, store, invalidator, relay, near.open(KIND, CODEC), far.open(KIND, CODEC), settings)
    await near.close()
    await far.close()
    await client.close()


async def test_a_write_is_seen_by_every_process_before_it_is_answered_or_a_message_later(scene: Scene) -> None:
    async with scene.leading():
        for _ in range(20):
            before = scene.version
            assert (await scene.read(scene.near)).version == before
            assert (await scene.read(scene.far)).version == before
            await scene.write()

            async def both_see() -> bool:
                answers = [await scene.read(cache) for cache in (scene.near, scene.far)]
                return all(answer.version == scene.version for answer in answers)

            await eventually(both_see, 5.0)


async def test_the_writer_has_replaced_the_second_level_when_the_transaction_ends(scene: Scene) -> None:
    await scene.read(scene.near)
    place = Place(scene.key, KIND.tags(scene.org_id, scene.key))
    assert (await scene.store.get(KIND, place.key, place.tags)).value == b"1"
    await scene.write()
    assert (await scene.store.get(KIND, place.key, place.tags)).value is None


async def test_a_change_that_rolls_back_replaces_nothing_and_leaves_no_row(scene: Scene) -> None:
    await scene.read(scene.near)
    before = await scene.waiting()

    async def fail() -> None:
        async with scene.db.transaction(scene.org_id) as conn:
            await append(
                conn,
                Event(topic="agent.updated", org_id=scene.org_id, key=scene.key, data=AgentChanged(agent_id=scene.key)),
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    place = Place(scene.key, KIND.tags(scene.org_id, scene.key))
    assert (await scene.store.get(KIND, place.key, place.tags)).value == b"1"
    assert await scene.waiting() == before


async def test_the_leader_applies_what_a_writer_that_died_after_its_commit_left(scene: Scene) -> None:
    async def dead(changes: Any) -> None:
        return None

    scene.db.invalidate_through(dead)
    async with scene.leading():
        await scene.read(scene.near)
        await scene.write()

        async def seen() -> bool:
            return (await scene.read(scene.far)).version == scene.version and not await scene.waiting()

        await eventually(seen)


async def test_an_event_that_no_cache_shows_leaves_no_row(scene: Scene) -> None:
    before = await scene.waiting()
    async with scene.db.transaction(scene.org_id) as conn:
        data = JobChanged(job_id="job_1")
        await append(conn, Event(topic="job.finished", org_id=scene.org_id, key="job_1", data=data, service="agent"))
    assert await scene.waiting() == before


async def test_values_are_hits_beyond_their_bound_only_while_a_leader_beats(scene: Scene) -> None:
    async with scene.leading():
        await scene.read(scene.near)
        await asyncio.sleep(1.5 * KIND.bound_seconds)
        assert (await scene.read(scene.near)).source is Source.HIT
    loads = scene.loads
    await asyncio.sleep(1.5 * KIND.bound_seconds)
    await scene.read(scene.near)
    assert scene.loads == loads + 1


async def test_a_reader_that_demands_a_version_never_goes_back(scene: Scene) -> None:
    async with scene.leading():
        for _ in range(10):
            await scene.read(scene.far)
            await scene.write()
            assert (await scene.read(scene.far, min_version=scene.version)).version == scene.version


async def test_a_flush_is_a_miss_and_no_stale_answer(scene: Scene, fragile: Stores) -> None:
    async with scene.leading():
        await scene.read(scene.near)
        await flush(fragile)
        await scene.write()
        assert (await scene.read(scene.far, min_version=scene.version)).version == scene.version

        async def hits() -> bool:
            return (await scene.read(scene.near)).source is Source.HIT

        await eventually(hits)


async def test_a_killed_redis_costs_hits_and_no_answer_is_older_than_the_bound(scene: Scene, fragile: Stores) -> None:
    async with scene.leading():
        await scene.read(scene.near)
        fragile.redis.kill()
        try:
            await stays_within_the_bound(scene, rounds=5)
        finally:
            fragile.redis.start()

        async def hits_again() -> bool:
            answer = await scene.read(scene.near)
            place = Place(scene.key, KIND.tags(scene.org_id, scene.key))
            with contextlib.suppress(RedisUnavailable):
                found = await scene.store.get(KIND, place.key, place.tags)
                return answer.version == scene.version and found.value == str(scene.version).encode()
            return False

        await eventually(hits_again)


async def test_a_frozen_redis_holds_no_one_up_for_long(scene: Scene, fragile: Stores) -> None:
    async with scene.leading():
        await scene.read(scene.near)
        fragile.redis.pause()
        try:
            await stays_within_the_bound(scene, rounds=5)
        finally:
            fragile.redis.resume()
        await stays_within_the_bound(scene, rounds=2)


async def test_without_nats_the_first_level_is_at_most_a_tenth_of_a_second_behind(
    scene: Scene, fragile: Stores, bus: Bus
) -> None:
    async with scene.leading():
        await scene.read(scene.far)
        fragile.nats.stop()
        try:
            await scene.write()

            async def seen() -> bool:
                return (await scene.read(scene.far)).version == scene.version

            await eventually(seen, 5.0)
        finally:
            fragile.nats.start()
        assert await bus.wait_connected(10)


async def test_another_redis_than_before_gives_up_all_values_of_the_service(scene: Scene, fragile: Stores) -> None:
    """A promoted replica may hold a value whose invalidation it never got."""
    begun, run_id = await scene.store.begin("agent")
    await scene.store.beat("agent", begun, run_id)
    await scene.read(scene.near)
    place = Place(scene.key, KIND.tags(scene.org_id, scene.key))
    assert (await scene.store.get(KIND, place.key, place.tags)).value == b"1"
    await command(fragile, "SET", "cache:r:agent", "0" * 40)
    await scene.store.begin("agent")
    assert (await scene.store.get(KIND, place.key, place.tags)).value is None


async def test_too_many_waiting_rows_become_one_that_replaces_everything(scene: Scene) -> None:
    place = Place(scene.key, KIND.tags(scene.org_id, scene.key))
    await scene.read(scene.near)
    for _ in range(4):
        async with scene.db.transaction(scene.org_id) as conn:
            await changes.record(conn, "call.rated", scene.org_id, new_id("call"))
    async with scene.db.system_transaction() as conn:
        await changes.compact(conn, 1_000)
        assert len(await changes.read(conn, 100)) >= 4
        await changes.compact(conn, 3)
        [(row_id, change)] = await changes.read(conn, 100)
        await changes.delete(conn, [row_id])
    assert change.topic == changes.EVERYTHING
    await scene.writer.apply([change])
    assert (await scene.store.get(KIND, place.key, place.tags)).value is None


async def stays_within_the_bound(scene: Scene, rounds: int) -> None:
    """Write, and read until the new version comes: never later than the bound and what this machine adds."""
    for _ in range(rounds):
        await scene.write()
        written = time.monotonic()
        for cache in (scene.near, scene.far):
            while True:
                invoked = time.monotonic()
                answer = await scene.read(cache)
                if answer.version == scene.version:
                    break
                assert invoked - written <= KIND.bound_seconds + 0.1, "older than the bound"
                await asyncio.sleep(0.01)


async def flush(stores: Stores) -> None:
    await command(stores, "FLUSHALL")


async def command(stores: Stores, *words: str) -> None:
    from libs.cache.connection import RedisConnection

    connection = await RedisConnection.open(stores.redis_url)
    [answer] = await connection.run([words])
    connection.drop()
    assert not isinstance(answer, Exception)


def test_a_list_and_a_single_view_carry_the_tags_that_a_change_replaces() -> None:
    replaced = replace(changes.Change("evt_1", "org_1", "agent.updated", "agt_1")).tags("agent")
    assert set(LISTS.tags("org_1")) <= set(replaced)
    assert set(KIND.tags("org_1", "agt_1")) <= set(replaced)
    assert not set(KIND.tags("org_1", "agt_2")) & set(replaced)
    assert not set(LISTS.tags("org_2")) & set(replaced)
