"""Random sequences of steps on a real Valkey and on the model at once: every answer must be the same.

CACHE_SEQUENCES=2000 runs that many. Evictions, flushes and lost messages come between any two steps. The reader of a
value never misses a change whose invalidation was applied.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.cache.client import RedisClient
from libs.cache.connection import RedisConnection
from libs.cache.spec import CacheClass
from libs.cache.store import LEASE_MS, Noted, RedisStore
from libs.ids import new_id
from local.stores import Stores
from tests.unit.libs.cache.lua_model import RedisModel

# Sequences of a run.
SEQUENCES = int(os.environ.get("CACHE_SEQUENCES", "40"))
STEPS = 60
READERS = 3
# Without services no heartbeat is asked for, so a value is trusted by its own as-of time alone.
KIND = CacheClass("sequences_of_tests", "edge", "id", 600, 600.0, ("thing",), ())


@pytest_asyncio.fixture(loop_scope="session")
async def server(fragile: Stores) -> AsyncIterator[tuple[RedisStore, RedisConnection]]:
    client, raw = RedisClient(fragile.redis_url, seconds=10.0), await RedisConnection.open(fragile.redis_url)
    yield RedisStore(client), raw
    raw.drop()
    await client.close()


class Both:
    """One key at the server and in the model. The source's version is the number of commits."""

    def __init__(self, store: RedisStore, raw: RedisConnection, chance: random.Random) -> None:
        self.store, self.raw, self.chance = store, raw, chance
        self.model = RedisModel()
        self.key, self.commits = new_id("key"), 0
        self.events: list[str] = []
        self.applied = 0
        # Reader -> its lease at the server and the version that it has loaded.
        self.leases: dict[int, tuple[str, int]] = {}
        # Writes under way: what they noted at the server and in the model, and their events once committed.
        self.noted: list[tuple[Noted, int]] = []
        self.written: list[tuple[Noted, int, int]] = []

    async def get(self) -> None:
        reader, demanded = self.chance.randrange(READERS), self.chance.choice((0, 0, self.commits))
        expected = self.model.get(reader, demanded)
        found = await self.store.get(KIND, self.key, [self.key], min_version=demanded)
        told = "hit" if found.value is not None else "leased" if found.lease else "held"
        assert (told, found.version if told == "hit" else 0) == expected
        if found.lease and told == "leased":
            self.leases[reader] = (found.lease, self.commits)
        if told == "hit":
            assert found.version >= self.applied, "a value misses a change whose invalidation was applied"

    async def fill(self) -> None:
        if self.leases:
            reader = self.chance.choice(list(self.leases))
            lease, version = self.leases.pop(reader)
            expected = self.model.fill(reader, version)
            assert await self.store.fill(KIND, self.key, [self.key], lease, b"v", version, 600) is expected

    async def release(self) -> None:
        """The load fails."""
        if self.leases:
            reader = self.chance.choice(list(self.leases))
            lease, _ = self.leases.pop(reader)
            assert await self.store.release(KIND, self.key, lease) is self.model.release(reader)

    async def lapse(self) -> None:
        """A lease's lifetime passes: what lives no longer is gone."""
        names = [
            f"cache:{name}" for name in (f"v:{KIND.name}:{self.key}", f"l:{KIND.name}:{self.key}", f"t:{self.key}")
        ]
        for name in names:
            [left] = await self.raw.run([("PTTL", name)])
            assert int(left) != -1, f"{name} never ends"
            if int(left) <= LEASE_MS:
                await self.raw.run([("DEL", name)])
        self.model.lapse()

    async def commit(self) -> None:
        """The row is changed; its invalidation comes later, more than once, or never."""
        self.commits += 1
        self.events.append(new_id("evt"))

    async def note(self) -> None:
        """A write that will store its answer begins."""
        self.noted.append((await self.store.note(KIND, [self.key]), self.model.note()))

    async def commit_noted(self) -> None:
        if self.noted:
            noted, generation = self.noted.pop(self.chance.randrange(len(self.noted)))
            await self.commit()
            self.written.append((noted, generation, len(self.events) - 1))

    async def write(self) -> None:
        """It stores what it wrote, however late."""
        if self.written:
            noted, generation, number = self.written.pop(self.chance.randrange(len(self.written)))
            expected = self.model.write(generation, number, number + 1)
            event = self.events[number]
            assert await self.store.write(KIND, self.key, [self.key], noted, event, b"v", number + 1) is expected

    async def invalidate(self) -> None:
        if self.events:
            number = self.chance.randrange(len(self.events))
            expected = self.model.invalidate(number)
            assert await self.store.invalidate(self.events[number], [self.key]) is expected
            self.applied = max(self.applied, number + 1)

    async def evict(self) -> None:
        what = self.chance.choice(("value", "lease", "tag"))
        names = {
            "value": f"cache:v:{KIND.name}:{self.key}", "lease": f"cache:l:{KIND.name}:{self.key}",
            "tag": f"cache:t:{self.key}",
        }  # fmt: skip
        self.model.evict(what)
        await self.raw.run([("DEL", names[what])])

    async def flush(self) -> None:
        self.model.evict("all")
        await self.raw.run([("FLUSHALL",)])


@pytest.mark.parametrize("seed", range(SEQUENCES))
async def test_the_scripts_answer_what_the_model_answers(server: tuple[RedisStore, RedisConnection], seed: int) -> None:
    both = Both(*server, random.Random(seed))
    acts = {
        both.get: 8, both.fill: 5, both.release: 1, both.lapse: 1, both.commit: 3, both.invalidate: 4, both.evict: 2,
        both.flush: 0.5, both.note: 4, both.commit_noted: 4, both.write: 4,
    }  # fmt: skip
    for _ in range(STEPS):
        await both.chance.choices(list(acts), weights=list(acts.values()))[0]()
