import random

import pytest

from libs.cache import Memory
from libs.telemetry.metrics import CACHE_EVICTIONS, CACHE_HITS, CACHE_MISSES


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_value_lives_for_its_ttl() -> None:
    time = Time()
    memory: Memory[str, str] = Memory("ttl", max_entries=10, now=time)
    memory.put("k", "value", ttl_seconds=10)
    time.now = 9.999
    assert memory.get("k") == "value"
    time.now = 10
    assert memory.get("k") is None
    assert len(memory) == 0


def test_a_value_without_a_ttl_never_expires() -> None:
    time = Time()
    memory: Memory[str, str] = Memory("ever", max_entries=10, now=time)
    memory.put("k", "value")
    time.now = 1e12
    assert memory.get("k") == "value"


def test_a_ttl_that_is_over_keeps_nothing_and_forgets_the_old_value() -> None:
    memory: Memory[str, str] = Memory("over", max_entries=10)
    memory.put("k", "old")
    memory.put("k", "new", ttl_seconds=0)
    assert memory.get("k") is None


def test_none_is_a_value_where_the_default_says_otherwise() -> None:
    memory: Memory[str, None] = Memory("none", max_entries=10)
    absent = object()
    assert memory.get("k", absent) is absent
    memory.put("k", None)
    assert memory.get("k", absent) is None


def test_the_least_recently_used_entry_goes_first() -> None:
    memory: Memory[str, int] = Memory("lru", max_entries=2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (1, None, 3)


def test_the_bound_in_bytes_evicts_as_many_entries_as_it_takes() -> None:
    memory: Memory[str, bytes] = Memory("bytes", max_entries=10, max_bytes=100, measure=len)
    for key in "abc":
        memory.put(key, b"x" * 30)
    memory.put("d", b"x" * 70)
    assert [memory.get(key) is not None for key in "abcd"] == [False, False, True, True]
    assert memory.size_bytes == 100


def test_a_value_that_exceeds_the_bound_alone_is_not_kept_nor_is_the_old_one() -> None:
    memory: Memory[str, bytes] = Memory("large", max_entries=10, max_bytes=100, measure=len)
    memory.put("a", b"x")
    memory.put("k", b"old")
    memory.put("k", b"x" * 101)
    assert (memory.get("k"), memory.get("a"), memory.size_bytes) == (None, b"x", 1)


def test_a_bound_in_bytes_without_a_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="measure"):
        Memory("unmeasured", max_entries=10, max_bytes=100)


def test_what_is_forgotten_is_gone() -> None:
    memory: Memory[str, int] = Memory("forget", max_entries=10)
    for number, key in enumerate("abcd"):
        memory.put(key, number)
    assert memory.pop("a") == 0
    assert memory.pop("a") is None
    assert memory.pop_where(lambda key, number: number % 2 == 1) == 2
    assert [memory.get(key) for key in "abcd"] == [None, None, 2, None]
    memory.clear()
    assert (len(memory), memory.size_bytes) == (0, 0)


def test_bounds_and_sums_hold_under_any_sequence_of_uses() -> None:
    chance, time = random.Random(7), Time()
    memory: Memory[int, bytes] = Memory("random", max_entries=20, max_bytes=500, measure=len, now=time)
    newest: dict[int, bytes] = {}
    for step in range(20_000):
        key = chance.randrange(40)
        match chance.randrange(4):
            case 0 | 1:
                newest[key] = b"%d:" % step + b"x" * chance.randrange(60)
                memory.put(key, newest[key], ttl_seconds=chance.randrange(1, 50))
            case 2:
                assert memory.get(key) in (None, newest.get(key))
            case _:
                memory.pop(key)
        time.now += chance.random()
        held = [value for value, _, _ in memory._entries.values()]
        assert len(held) == len(memory) <= 20
        assert sum(map(len, held)) == memory.size_bytes <= 500


def test_reads_and_evictions_are_counted_by_name() -> None:
    memory: Memory[str, int] = Memory("counted", max_entries=1)
    for key in ("a", "b"):
        memory.put(key, 1)
    for key in ("a", "b", "b"):
        memory.get(key)
    counted = [metric.labels("memory", "counted") for metric in (CACHE_HITS, CACHE_MISSES, CACHE_EVICTIONS)]
    assert [metric._value.get() for metric in counted] == [2, 1, 1]
