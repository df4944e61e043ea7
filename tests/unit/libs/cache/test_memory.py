import asyncio
from typing import Any

import pytest

from libs.cache import Cache


class Loader:
    """Counts its calls; holds each until released."""

    def __init__(self, value: Any = "value") -> None:
        self.value = value
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Any:
        self.calls += 1
        value = self.value
        await self.gate.wait()
        if isinstance(value, Exception):
            raise value
        return value

    async def begun(self, calls: int) -> None:
        while self.calls < calls:
            await asyncio.sleep(0)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_value_lives_for_its_ttl() -> None:
    time, load = Time(), Loader()
    cache = Cache("test", now=time)
    assert [await cache.get("k", load, 10) for _ in range(3)] == ["value"] * 3
    assert (load.calls, cache.stats.hits, cache.stats.misses) == (1, 2, 1)
    time.now = 10
    await cache.get("k", load, 10)
    assert load.calls == 2


async def test_many_readers_cause_one_load() -> None:
    cache, load = Cache("test"), Loader()
    load.gate.clear()
    readers = [asyncio.ensure_future(cache.get("k", load, 10)) for _ in range(500)]
    await asyncio.sleep(0)
    load.gate.set()
    assert set(await asyncio.gather(*readers)) == {"value"}
    assert load.calls == 1


async def test_a_reader_that_leaves_takes_nothing_from_the_others() -> None:
    cache, load = Cache("test"), Loader()
    load.gate.clear()
    first, second = (asyncio.ensure_future(cache.get("k", load, 10)) for _ in range(2))
    await load.begun(1)
    first.cancel()
    await asyncio.sleep(0)
    load.gate.set()
    assert await second == "value"
    assert load.calls == 1


async def test_what_was_invalidated_while_loading_is_not_kept() -> None:
    cache, old, new = Cache("test"), Loader("old"), Loader("new")
    old.gate.clear()
    early = asyncio.ensure_future(cache.get("k", old, 10))
    await old.begun(1)
    cache.invalidate("k")
    assert await cache.get("k", new, 10) == "new"
    old.gate.set()
    assert await early == "old"
    assert await cache.get("k", new, 10) == "new"
    assert (old.calls, new.calls) == (1, 1)


async def test_a_failure_reaches_its_readers_and_is_not_kept() -> None:
    cache, load = Cache("test"), Loader(ValueError("away"))
    for _ in range(2):
        with pytest.raises(ValueError, match="away"):
            await cache.get("k", load, 10)
    load.value = "back"
    assert await cache.get("k", load, 10) == "back"
    assert load.calls == 3


async def test_none_is_a_value_too() -> None:
    cache, load = Cache("test"), Loader(None)
    assert [await cache.get("k", load, 10) for _ in range(2)] == [None, None]
    assert load.calls == 1


async def test_the_least_recently_used_goes_first() -> None:
    cache, load = Cache("test", max_entries=2), Loader()
    for key in ("a", "b", "a", "c", "a"):
        await cache.get(key, load, 10)
    assert load.calls == 3
    await cache.get("b", load, 10)
    assert load.calls == 4


async def test_invalidation_and_clearing_forget() -> None:
    cache, load = Cache("test"), Loader()
    await cache.get("a", load, 10)
    cache.invalidate("a", "absent")
    await cache.get("a", load, 10)
    cache.clear()
    await cache.get("a", load, 10)
    assert load.calls == 3
