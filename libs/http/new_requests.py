"""Bounds how long new requests keep the loop from those that have begun.

Under a flood the heads of all connections arrive in one turn of the loop, and a request needs several turns. Beyond the
bound, heads wait in order of arrival for the next turn, so that what was accepted goes on between them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

# Seconds of a turn for new requests. Shorter: more turns for the same requests. Longer: each step of one that has begun
# waits for longer.
_TURN_SECONDS = 0.005


class NewRequests:
    """Of one loop. `now` gives seconds."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = _TURN_SECONDS
        self._is_counting = False

    def take(self, begin: Callable[[], None]) -> None:
        """Begin now, or in a later turn."""
        if not self._is_counting:
            self._left = _TURN_SECONDS
            self._count()
        if self._left <= 0 or self._waiting:
            self._waiting.append(begin)
        else:
            self._spend(begin)

    def _count(self) -> None:
        self._is_counting = True
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_counting = False
        self._left = _TURN_SECONDS
        try:
            while self._waiting and self._left > 0:
                self._spend(self._waiting.popleft())
        finally:
            if self._waiting:
                self._count()

    def _spend(self, begin: Callable[[], None]) -> None:
        started = self._now()
        try:
            begin()
        finally:
            self._left -= self._now() - started
