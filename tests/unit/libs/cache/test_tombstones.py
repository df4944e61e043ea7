"""Replaced tags are remembered for as long as a load may take, and no more of them than fit."""

import pytest

from libs.cache import tombstones
from libs.cache.tombstones import KEPT_SECONDS, Tombstones


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_began_before_its_tag_was_replaced_is_over_and_what_began_later_is_not() -> None:
    time = Time()
    told = Tombstones(time)
    told.note(["a", "b"])
    assert [told.since(("x", "b"), moment) for moment in (99.0, 100.0, 100.1)] == [True, True, False]
    assert not told.since(("x",), 99.0)


def test_a_tag_that_is_replaced_again_counts_from_then() -> None:
    time = Time()
    told = Tombstones(time)
    told.note(["a", "b"])
    time.now = 110.0
    told.note(["a"])
    assert [told.since((tag,), 105.0) for tag in "ab"] == [True, False]


def test_old_tags_are_forgotten_at_the_next_message() -> None:
    time = Time()
    told = Tombstones(time)
    told.note(["a", "b"])
    time.now += KEPT_SECONDS
    told.note(["a"])
    assert (len(told), told.since(("b",), 99.0)) == (2, True)
    time.now += 0.1
    told.note([])
    assert (len(told), told.since(("a",), 99.0), told.since(("b",), 99.0)) == (1, True, False)


def test_too_many_tags_drop_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "MAX_TAGS", 3)
    told = Tombstones(Time())
    told.note(["a", "b", "c"])
    told.note(["a", "d"])
    assert [told.since((tag,), 99.0) for tag in "abcd"] == [True, False, True, True]
