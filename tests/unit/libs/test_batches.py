"""Work that waits together is done together; what fails takes nothing else with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from libs.batches import MOST, Batches, ItemFailed, Pace, Series
from libs.context import CallContext, remaining_seconds, serving


class Runs:
    """Notes each batch, waits for `open`, and fails on items that are in `broken`."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[int]]] = []
        self.open = asyncio.Event()
        self.broken: dict[int, Exception] = {}
        self.whole: Exception | None = None
        self.running: set[str] = set()

    async def run(self, org_id: str, items: Sequence[int]) -> list[str]:
        assert org_id not in self.running, "two batches of one organization at a time"
        self.running.add(org_id)
        try:
            self.batches.append((org_id, list(items)))
            await self.open.wait()
            if self.whole is not None:
                raise self.whole
            for position, item in enumerate(items):
                if item in self.broken:
                    raise ItemFailed(position, self.broken[item])
            return [f"done {item}" for item in items]
        finally:
            self.running.discard(org_id)


def batches(runs: Runs) -> Batches[int, str]:
    return Batches(runs.run, lambda error: isinstance(error, ConnectionError))


async def test_what_arrives_while_a_batch_runs_is_the_next_batch() -> None:
    runs = Runs()
    work = batches(runs)
    tasks = [asyncio.create_task(work.do("a", number)) for number in range(MOST + 3)]
    other = asyncio.create_task(work.do("b", 0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = asyncio.create_task(work.do("a", 99))
    await asyncio.sleep(0)
    runs.open.set()
    assert await asyncio.gather(*tasks) == [f"done {number}" for number in range(MOST + 3)]
    assert (await other, await later) == ("done 0", "done 99")
    assert [items for org, items in runs.batches if org == "a"] == [list(range(MOST)), [MOST, MOST + 1, MOST + 2, 99]]


async def test_one_that_fails_is_told_and_the_others_are_done_without_it() -> None:
    runs = Runs()
    runs.open.set()
    runs.broken = {2: LookupError("two")}
    work = batches(runs)
    outcomes = await asyncio.gather(*(work.do("a", number) for number in range(4)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["done 0", "done 1", "two", "done 3"]
    assert [items for _, items in runs.batches] == [[0, 1, 2, 3], [0, 1, 3]]


async def test_an_outage_is_told_to_all_at_once() -> None:
    runs = Runs()
    runs.open.set()
    runs.whole = ConnectionError("away")
    outcomes = await asyncio.gather(*(batches(runs).do("a", 1) for _ in range(1)), return_exceptions=True)
    work = batches(runs)
    outcomes += await asyncio.gather(*(work.do("a", number) for number in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["away"] * 4
    assert [items for _, items in runs.batches] == [[1], [0, 1, 2]]


async def test_a_failure_at_the_commit_lets_each_be_tried_alone() -> None:
    runs = Runs()
    runs.open.set()
    runs.whole = ValueError("a constraint")
    work = batches(runs)
    outcomes = await asyncio.gather(*(work.do("a", number) for number in range(2)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["a constraint"] * 2
    assert [items for _, items in runs.batches] == [[0, 1], [0], [1]]


async def test_items_of_one_key_are_in_batches_of_their_own_and_in_their_order() -> None:
    runs = Runs()
    runs.open.set()
    work: Batches[int, str] = Batches(runs.run, lambda error: False, lambda item: item % 10)
    await asyncio.gather(*(work.do("a", number) for number in (1, 11, 2, 21, 12)))
    assert [items for _, items in runs.batches] == [[1, 2], [11, 12], [21]]


async def test_what_keeps_coming_is_gathered_and_what_comes_after_a_rest_is_done_at_once() -> None:
    runs = Runs()
    work: Batches[int, str] = Batches(
        runs.run, lambda error: False, pace=Pace(alone=1.0, rounds=1.0, least=0.1, most=0.1)
    )
    first, second = (asyncio.create_task(work.do("a", number)) for number in (1, 2))
    await asyncio.sleep(0)
    third = asyncio.create_task(work.do("a", 3))
    await asyncio.sleep(0)
    runs.open.set()
    await asyncio.gather(first, second)
    await asyncio.gather(third, work.do("a", 4))
    assert [items for _, items in runs.batches] == [[1, 2], [3, 4]]
    work = Batches(runs.run, lambda error: False, pace=Pace(alone=1.0, rounds=1.0, least=3600.0, most=3600.0))
    for number in (5, 6):
        await work.do("a", number)


@pytest.mark.parametrize(
    ("took", "carried", "after"), [(0.0, 2, 0.5), (1.0, 2, 2.0), (9.0, 2, 3.0), (1.0, 1, 1.0), (1.0, 0, 1.0)]
)
def test_a_pace_follows_the_round_within_its_bounds(took: float, carried: int, after: float) -> None:
    assert Pace(alone=1.0, rounds=2.0, least=0.5, most=3.0).after(took, carried) == after


async def test_a_batch_has_the_deadline_of_no_caller() -> None:
    seen: list[float | None] = []

    async def run(org_id: str, items: Sequence[int]) -> list[str]:
        seen.append(remaining_seconds())
        return ["done" for _ in items]

    work: Batches[int, str] = Batches(run, lambda error: False)
    with serving(CallContext(deadline=0.0)):
        await work.do("a", 1)
    assert seen == [None]


async def test_stopping_cancels_what_runs_and_what_waits() -> None:
    runs = Runs()
    work = batches(runs)
    tasks = [asyncio.create_task(work.do("a", number)) for number in range(MOST + 5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await work.stop()
    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task
    runs.open.set()
    assert await work.do("a", 7) == "done 7"


async def test_a_batch_that_takes_longer_than_the_patience_holds_up_the_next_no_longer() -> None:
    begun: list[list[int]] = []
    opened = asyncio.Event()

    async def run(key: str, items: Sequence[int]) -> list[str]:
        begun.append(list(items))
        if items[0] == 1:
            await opened.wait()
        return [f"done {item}" for item in items]

    async def begin() -> asyncio.Task[str]:
        before, task = len(begun), asyncio.create_task(work.do("a", 1))
        while len(begun) == before:
            await asyncio.sleep(0)
        return task

    work: Batches[int, str] = Batches(run, lambda error: False, patience=0.01)
    slow = await begin()
    assert await asyncio.wait_for(work.do("a", 2), 5) == "done 2"
    assert not slow.done()
    opened.set()
    assert await slow == "done 1"
    opened.clear()
    slow = await begin()
    await asyncio.wait_for(work.do("a", 3), 5)
    await work.stop()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert begun == [[1], [2], [1], [3]]


async def test_a_series_is_gathered_although_nothing_waits_when_a_round_ends() -> None:
    runs = Runs()
    runs.open.set()
    # A busy machine has the wait to come to the third item; nothing else depends on its length.
    pace = Pace(alone=1.0, rounds=1.0, least=1.0, most=1.0, series=True)
    work: Batches[int, str] = Batches(runs.run, lambda error: False, pace=pace)
    assert await work.do("a", 1) == "done 1"
    await asyncio.gather(work.do("a", 2), _some_turns_later(work.do("a", 3)))
    assert [items for _, items in runs.batches] == [[1], [2, 3]]


async def test_one_who_waits_for_each_answer_is_held_up_ever_more_seldom() -> None:
    runs = Runs()
    runs.open.set()
    pace = Pace(alone=1.0, rounds=1.0, least=3600.0, most=3600.0, series=True)
    work: Batches[int, str] = Batches(runs.run, lambda error: False, pace=pace)
    await work.do("a", 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work.do("a", 2), 0.01)
    await work.stop()
    series = Series()
    assert "".join("w" if series.waits(1) else "." for _ in range(20)) == "w.w..w....w........w"
    assert [series.waits(carried) for carried in (1, 3, 1, 1)] == [False, True, False, True]


async def test_a_series_is_gathered_also_where_a_round_takes_longer_than_the_longest_wait() -> None:
    begun: list[list[int]] = []

    async def run(key: str, items: Sequence[int]) -> list[str]:
        begun.append(list(items))
        await asyncio.sleep(0.6)
        return [f"done {item}" for item in items]

    pace = Pace(alone=1.0, rounds=3.0, least=0.0, most=0.5, series=True)
    work: Batches[int, str] = Batches(run, lambda error: False, pace=pace)
    await work.do("a", 1)
    await asyncio.gather(work.do("a", 2), _some_turns_later(work.do("a", 3)))
    assert begun == [[1], [2, 3]]


async def _some_turns_later(work: Awaitable[str]) -> str:
    """So late that what does not wait has begun."""
    for _ in range(5):
        await asyncio.sleep(0)
    return await work
