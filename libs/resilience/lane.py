"""A number of places shared fairly by those who hold them. Pure; no I/O, no task."""

import math
from collections.abc import Callable

# By how much the shares of small holders may exceed the places, as a factor.
_OVERBOOKED = 2


class Lane:
    """`limit` says how many places there are now. While all are taken, a holder gets one more only if it has fewer than
    its max-min fair share (Bertsekas and Gallager, "Data Networks", 6.5.2): what small holders leave of an equal share
    belongs to the large ones, and the largest is refused first."""

    def __init__(self, name: str, limit: Callable[[], int]) -> None:
        self.name = name
        self._limit = limit
        self._held: dict[str, int] = {}
        # Of these, the places that were taken although there was none. Other holders do not wait for them.
        self._excess: dict[str, int] = {}
        self._excess_total = 0
        self.total = 0

    @property
    def limit(self) -> int:
        return self._limit()

    @property
    def is_full(self) -> bool:
        return self.total - self._excess_total >= self._limit()

    def has_place(self, holder: str) -> bool:
        limit = self._limit()
        total = self.total - self._excess_total + self._excess.get(holder, 0)
        if total < limit:
            return True
        return total < _OVERBOOKED * limit and self._held.get(holder, 0) < self._fair_share(limit)

    def enter(self, holder: str) -> bool:
        """Take a place; False when there is none for this holder."""
        return self._take(holder, most_in_excess=0)

    def add(self, holder: str) -> None:
        """Take a place, whether there is one or not."""
        self._take(holder, most_in_excess=math.inf)

    def insist(self, holder: str) -> bool:
        """Take a place, there or not, unless this holder alone already has as many as there are."""
        return self._take(holder, most_in_excess=self._limit())

    def _take(self, holder: str, *, most_in_excess: float) -> bool:
        """Take a place; one that is not there only for a holder that has fewer than `most_in_excess`."""
        held = self._held.get(holder, 0)
        if not self.has_place(holder):
            if held >= most_in_excess:
                return False
            self._excess[holder] = self._excess.get(holder, 0) + 1
            self._excess_total += 1
        self._held[holder] = held + 1
        self.total += 1
        return True

    def leave(self, holder: str) -> None:
        self.total -= 1
        if excess := self._excess.pop(holder, 0):
            self._excess_total -= 1
            if excess > 1:
                self._excess[holder] = excess - 1
        left = self._held[holder] - 1
        if left:
            self._held[holder] = left
        else:
            del self._held[holder]

    def _fair_share(self, limit: int) -> int:
        left, holders = limit, len(self._held)
        for held in sorted(self._held.values()):
            if held * holders >= left:
                return max(1, left // holders)
            left -= held
            holders -= 1
        return limit
