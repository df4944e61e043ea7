"""Which tags were replaced a moment ago, as this process heard it from NATS or did it itself.

An entry or a load that began before its tag was replaced is not used any more. A message that is lost costs 0.1 s:
the first level keeps nothing longer without asking Redis.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

# Seconds that a replaced tag is remembered at least: longer than any load may take.
KEPT_SECONDS = 30.0
# Tags in memory, 250 B each. More invalidations than this in 30 s drop the oldest.
MAX_TAGS = 100_000


class Tombstones:
    """One a process; every class of it asks the same one."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # When each was last replaced, oldest first.
        self._replaced: OrderedDict[str, float] = OrderedDict()
        # When a tag was last replaced; most entries are younger, and need no look at their tags.
        self._latest = -math.inf

    def __len__(self) -> int:
        return len(self._replaced)

    def note(self, tags: Iterable[str]) -> None:
        """The tags were replaced before now."""
        now = self._latest = self._now()
        replaced = self._replaced
        for tag in tags:
            replaced[tag] = now
            replaced.move_to_end(tag)
        while len(replaced) > MAX_TAGS or (replaced and next(iter(replaced.values())) < now - KEPT_SECONDS):
            replaced.popitem(last=False)

    def since(self, tags: Iterable[str], moment: float) -> bool:
        """Whether one of the tags was replaced at `moment` (monotonic) or later."""
        if moment > self._latest:
            return False
        # A plain loop: every hit asks, and a generator costs more than the look-ups.
        for tag in tags:
            replaced = self._replaced.get(tag)
            if replaced is not None and replaced >= moment:
                return True
        return False
