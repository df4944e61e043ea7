"""The same sliding windows in this process's memory, and the refusals of Redis that need no second question."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from libs.ratelimit.limits import SLICES, Decision, Left, Limit, admission, refusal

# Keys that a process counts by itself. Beyond it the least recently used key is dropped, and its tries are forgotten.
_KEYS = 50_000
# Seconds for which a refusal of Redis is repeated from memory. Longer: a key that is given back elsewhere waits longer.
REMEMBERED_SECONDS = 1.0


class _Log:
    """One entry a try."""

    def __init__(self, limit: Limit) -> None:
        self._window = limit.window_seconds
        self._tries: deque[tuple[float, str]] = deque()

    def count(self, now: float) -> int:
        while self._tries and self._tries[0][0] <= now - self._window:
            self._tries.popleft()
        return len(self._tries)

    def wait(self, now: float, most: int) -> float:
        """Seconds until fewer than `most` are in the window."""
        place = max(len(self._tries) - most, 0)
        return (self._tries[place][0] if self._tries else now) + self._window - now

    def add(self, now: float, member: str, times: int = 1) -> None:
        self._tries.extend([(now, member)] * times)

    def drop(self, concerned: Callable[[str], bool]) -> None:
        self._tries = deque(entry for entry in self._tries if not concerned(entry[1]))

    def drop_last(self, member: str, most: int) -> None:
        kept: list[tuple[float, str]] = []
        while self._tries and most:
            last = self._tries.pop()
            if last[1] == member:
                most -= 1
            else:
                kept.append(last)
        self._tries.extend(reversed(kept))


class _Slices:
    """One counter a sixtieth of the window; the slice that is half outside counts whole."""

    def __init__(self, limit: Limit) -> None:
        self._slice = limit.window_seconds / SLICES
        self._counts: deque[list[int]] = deque()
        self._sum = 0

    def count(self, now: float) -> int:
        oldest = int(now / self._slice) - SLICES
        while self._counts and self._counts[0][0] < oldest:
            self._sum -= self._counts.popleft()[1]
        return self._sum

    def wait(self, now: float, most: int) -> float:
        first = self._counts[0][0] if self._counts else int(now / self._slice)
        return max(0.0, (first + 1 + SLICES) * self._slice - now)

    def add(self, now: float, member: str, times: int = 1) -> None:
        at = int(now / self._slice)
        if not self._counts or self._counts[-1][0] != at:
            self._counts.append([at, 0])
        self._counts[-1][1] += times
        self._sum += times

    def drop(self, concerned: Callable[[str], bool]) -> None:
        """Slices know no members."""

    def drop_last(self, member: str, most: int) -> None:
        for counted in reversed(self._counts):
            gone = min(most, counted[1])
            counted[1] -= gone
            self._sum -= gone
            most -= gone


class LocalLog:
    """Counts under the least recently used 50,000 keys."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._logs: OrderedDict[tuple[str, bool], _Log | _Slices] = OrderedDict()
        # Key -> when to ask Redis again, and when a slot frees.
        self._refused: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, limits: Sequence[Limit], member: str, *, alone: bool = False) -> Decision:
        """Count one try under all limits or none; with `alone` against the share of a process without Redis."""
        now = self._now()
        left = []
        logs = [self._log(limit) for limit in limits]
        for limit, log in zip(limits, logs, strict=True):
            if (refused := self._remembered(limit, now)) is not None:
                return refusal(limit, refused, member)
            most = limit.most if limit.alone is None or not alone else limit.alone
            count = log.count(now)
            if count >= most:
                return refusal(limit, log.wait(now, most), member)
            left.append(Left(most - count - 1, log.wait(now, most)))
        for log in logs:
            log.add(now, member)
        return admission(tuple(left), member)

    def remember(self, limit: Limit, wait_seconds: float) -> None:
        """Redis refused: repeat it without asking, for a second at most."""
        now = self._now()
        self._refused[limit.key] = (now + min(wait_seconds, REMEMBERED_SECONDS), now + wait_seconds)
        self._refused.move_to_end(limit.key)
        if len(self._refused) > _KEYS:
            self._refused.popitem(last=False)

    def add(self, limits: Sequence[Limit], member: str, times: int) -> None:
        """Count so many more tries that Redis has let pass."""
        now = self._now()
        for limit in limits:
            self._log(limit).add(now, member, times)

    def undo(self, limits: Sequence[Limit], member: str, times: int = 1) -> None:
        """Take the newest tries of this member back, under all limits."""
        for limit in limits:
            self._log(limit).drop_last(member, times)

    def forget(self, key: str, start: str) -> None:
        """Drop the tries whose member begins with `start`."""
        self._drop(key, lambda member: member.startswith(start))

    def give_back(self, key: str, member: str) -> None:
        self._drop(key, lambda known: known == member)

    def _drop(self, key: str, concerned: Callable[[str], bool]) -> None:
        self._refused.pop(key, None)
        if log := self._logs.get((key, False)):
            log.drop(concerned)

    def _remembered(self, limit: Limit, now: float) -> float | None:
        known = self._refused.get(limit.key)
        if known is None:
            return None
        if now >= known[0]:
            del self._refused[limit.key]
            return None
        return known[1] - now

    def _log(self, limit: Limit) -> _Log | _Slices:
        key = (limit.key, limit.sliced)
        log = self._logs.get(key)
        if log is None:
            log = self._logs[key] = _Slices(limit) if limit.sliced else _Log(limit)
            if len(self._logs) > _KEYS:
                self._logs.popitem(last=False)
        self._logs.move_to_end(key)
        return log
