"""Work under one key that waits at the same time is done together: one transaction, or one call, for many items.

One batch of a key runs at a time, so that batches of an organization never wait for each other's rows. What arrives
meanwhile is the next batch. It must not know what the work is.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Items of a batch. More: fewer transactions under load, which hold locks for longer and repeat more when one fails.
MOST = 32

Run = Callable[[str, Sequence[T]], Awaitable[Sequence[R]]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from the beginning of a round of work to that of the next: `rounds` times as long as the round took, or
    `alone` times where it carried one item, from `least` to `most`. On an idle machine rounds are short and follow each
    other soon. The busier it is, the longer they take and the more each one carries, because a round costs much and
    what it carries little. Items of which each waits for the one before are not gathered by waiting.

    With `series` an item is also waited for that has not come when a round ends: items that come one after the other in
    less than the time of a round (`rounds` times) go together then. The bounds are those of the wait alone: a machine
    that is so busy that a round takes longer than `most` gathers nevertheless."""

    alone: float
    rounds: float
    least: float
    most: float
    series: bool = False

    def after(self, took: float, carried: int) -> float:
        return min(max((self.rounds if carried > 1 else self.alone) * took, self.least), self.most)


class Series:
    """Whether the next round of a key waits for more items. Not where waiting brought one alone: its sender may be one
    that waits for each answer before it sends again. Then it is tried again later, each time after twice as many
    rounds."""

    # Rounds until it is tried again, at most.
    _LONGEST = 64

    def __init__(self) -> None:
        self._waited = False
        self._pause, self._left = 1, 0

    def waits(self, carried: int) -> bool:
        """After a round that carried so many."""
        if carried > 1:
            self._pause, self._left = 1, 0
        elif self._waited:
            self._left, self._pause = self._pause, min(2 * self._pause, self._LONGEST)
        self._waited = self._left == 0
        self._left = max(0, self._left - 1)
        return self._waited


class ItemFailed(Exception):
    """None was done, because of `error` in the item at `position`."""

    def __init__(self, position: int, error: Exception) -> None:
        super().__init__(position)
        self.position = position
        self.error = error


class Batches(Generic[T, R]):
    """`run(key, items)` does all of them or none and returns an outcome for each. After ItemFailed the others are
    done without that one. `together(error)` says whether another error concerns all; if not, each is tried alone.
    Items with an equal `apart(item)` are never in one batch, and are done in their order. When a batch ends, what waits
    already keeps the `pace`; what arrives when nothing runs or waits is done at once. A batch that runs for longer than
    `patience` seconds holds up the next no longer; None: it does.

    A batch runs in no caller's context: the deadline of one caller must not end the work of the others."""

    def __init__(
        self, run: Run[T, R], together: Callable[[Exception], bool], apart: Callable[[T], Hashable] | None = None,
        pace: Pace | None = None, patience: float | None = None,
    ) -> None:  # fmt: skip
        self._run = run
        self._together = together
        self._apart = apart
        self._pace = pace
        self._patience = patience
        self._waiting: dict[str, deque[tuple[T, asyncio.Future[R]]]] = {}
        # Set when an item comes under a key that waits for one.
        self._next: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, key: str, item: T) -> R:
        """The item's outcome, once it is done; raises what it raised."""
        outcome: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append((item, outcome))
            if (arrival := self._next.get(key)) is not None and not arrival.done():
                arrival.set_result(None)
        else:
            self._waiting[key] = deque([(item, outcome)])
            self._start(self._work(key))
        return await outcome

    async def stop(self) -> None:
        """Cancel what runs and forget what waits."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, key: str) -> None:
        waiting = self._waiting[key]
        clock, series = asyncio.get_running_loop().time, Series()
        try:
            while waiting:
                taken = self._take(waiting)
                if not taken:
                    continue
                began = clock()
                if self._patience is None:
                    await self._finish(key, taken)
                else:
                    await asyncio.wait([self._start(self._finish(key, taken))], timeout=self._patience)
                if self._pace is not None and self._pace.series:
                    await self._await_more(key, self._pace, began, series.waits(len(taken)))
                elif self._pace is not None and 0 < len(waiting) < MOST:
                    took = clock() - began
                    await asyncio.sleep(max(0.0, self._pace.after(took, len(taken)) - took))
        finally:
            del self._waiting[key]
            for _, outcome in waiting:
                outcome.cancel()

    async def _await_more(self, key: str, pace: Pace, began: float, gathers: bool) -> None:
        """Until the wait after a round is over, or else until an item is there."""
        waiting, loop = self._waiting[key], asyncio.get_running_loop()
        took = loop.time() - began
        left = min(max((pace.rounds - 1) * took, pace.least), pace.most)
        if left <= 0 or len(waiting) >= MOST or (waiting and not gathers):
            return
        if gathers:
            await asyncio.sleep(left)
            return
        self._next[key] = loop.create_future()
        try:
            await asyncio.wait([self._next[key]], timeout=left)
        finally:
            del self._next[key]

    async def _finish(self, key: str, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            await self._settle(key, batch)
        finally:
            for _, outcome in batch:
                outcome.cancel()  # of those that have none

    def _take(self, waiting: deque[tuple[T, asyncio.Future[R]]]) -> list[tuple[T, asyncio.Future[R]]]:
        """The next batch, without what is no longer waited for."""
        taken: list[tuple[T, asyncio.Future[R]]] = []
        later: list[tuple[T, asyncio.Future[R]]] = []
        things: set[Hashable] = set()
        while waiting and len(taken) < MOST:
            pair = waiting.popleft()
            if pair[1].done():
                continue
            thing = self._apart(pair[0]) if self._apart else pair[1]
            (later if thing in things else taken).append(pair)
            things.add(thing)
        waiting.extendleft(reversed(later))
        return taken

    async def _settle(self, key: str, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            outcomes = await self._run(key, [item for item, _ in batch])
        except ItemFailed as failure:
            _raise_in([batch[failure.position]], failure.error)
            if rest := [*batch[: failure.position], *batch[failure.position + 1 :]]:
                await self._settle(key, rest)
            return
        except Exception as error:
            if len(batch) > 1 and not self._together(error):
                for pair in batch:
                    await self._settle(key, [pair])
                return
            _raise_in(batch, error)
            return
        for (_, outcome), result in zip(batch, outcomes, strict=True):
            if not outcome.done():
                outcome.set_result(result)


def _raise_in(batch: Sequence[tuple[T, asyncio.Future[R]]], error: Exception) -> None:
    for _, outcome in batch:
        if not outcome.done():
            outcome.set_exception(error)
