"""Which tags were replaced a moment ago, as this process heard it from NATS or did it itself.

An entry or a load that began before its tag was replaced is not used any more. A message that is lost costs 0.1 s:
the first level keeps nothing longer without asking Redis.
"""

import math
import time
from collections.abc import Callable, Iterable

from libs.cache.memory import Memory

# Seconds that a replaced tag is remembered: longer than any load may take.
KEPT_SECONDS = 30.0
# Tags in memory. More invalidations than this in 30 s drop the oldest.
MAX_TAGS = 100_000


class Tombstones:
    """One a process; every class of it asks the same one."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._replaced: Memory[str, float] = Memory("tombstones", max_entries=MAX_TAGS, now=now)
        # When a tag was last replaced; most entries are younger, and need no look at their tags.
        self._latest = -math.inf

    def note(self, tags: Iterable[str]) -> None:
        """The tags were replaced before now."""
        now = self._latest = self._now()
        for tag in tags:
            self._replaced.put(tag, now, KEPT_SECONDS)

    def since(self, tags: Iterable[str], moment: float) -> bool:
        """Whether one of the tags was replaced at `moment` (monotonic) or later."""
        if moment > self._latest:
            return False
        return any((replaced := self._replaced.peek(tag)) is not None and replaced >= moment for tag in tags)
