"""How many requests may run at once, learned from how long they take. Pure; no I/O, no task.

The formula is Envoy's gradient controller (envoyproxy.io, "Adaptive Concurrency"): limit = gradient * limit + headroom,
gradient = (ordinary time + buffer) / sampled time, headroom = sqrt(limit). As in Netflix' Gradient2Limit
(github.com/Netflix/concurrency-limits) one step at most halves the limit, and a limit that is not used does not grow.
"""

import math
import time
from collections.abc import Callable, Hashable

# Seconds by which a request may take longer than usual, because it waits somewhere: for a connection, a core, a lock.
# Longer: what is accepted waits longer. Shorter: a busy neighbor on the machine looks like overload.
QUEUE_SECONDS = 0.05
# Seconds of a window, as RFC 8289 (CoDel) takes: a shorter burst is no overload.
WINDOW_SECONDS = 0.1
# Samples of a window at least, so that one slow request says nothing about the others.
WINDOW_SAMPLES = 10
# Running requests up to which none of them can wait for another for long: then a sample tells the ordinary time.
_QUIET = 4
# The share of a new sample in the ordinary time. Larger: it follows single requests.
_LEARNED = 0.1
# Seconds at the least limit after which what a request takes there is its ordinary time. Shorter: a backlog that drains
# is taken for it. Longer: a service that became slower for good keeps the limit low for longer.
RELEARN_SECONDS = 30.0
# Kinds of requests whose ordinary time is known. A kind is a route, so that there are never more.
_KINDS = 1_024


class AdaptiveLimit:
    """Between `least` and `most`; begins at `start`, and returns to it when the load is gone. Samples are of kinds,
    because a search takes longer than a read also when nothing waits."""

    def __init__(self, most: int, *, start: int, least: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = max(1, most)
        self._start = min(start, self._most)
        self._least = min(least, self._most)
        self._now = now
        self._ordinary: dict[Hashable, float] = {}
        self._lowered = self._opened = now()
        self._gradients: list[float] = []
        self._busiest = 0
        self.limit = self._start

    def add(self, kind: Hashable, begun: float, running: int) -> None:
        """A request that began at `begun` (in the time of `now`) has been answered; `running` ran when it began."""
        now = self._now()
        seconds = max(now - begun, 1e-6)
        ordinary = self._learn(kind, seconds, running, now)
        self._note(now, begun, running, (ordinary + max(QUEUE_SECONDS, ordinary)) / seconds)

    def refused(self, begun: float, running: int) -> None:
        """A service behind has refused a request because it is overloaded, or left it without an answer."""
        self._note(self._now(), begun, running, 0.0)

    def _note(self, now: float, begun: float, running: int, gradient: float) -> None:
        if begun < self._lowered:
            return  # It ran under a limit that has been lowered since: its time says nothing about the new one.
        self._gradients.append(gradient)
        self._busiest = max(self._busiest, running)
        if now - self._opened >= WINDOW_SECONDS and len(self._gradients) >= WINDOW_SAMPLES:
            self._settle(now)

    def _learn(self, kind: Hashable, seconds: float, running: int, now: float) -> float:
        """The ordinary time of the kind. Under load it becomes longer only once the limit has stood at its least for
        long, because so few cannot wait for each other (Envoy measures its minimum RTT likewise)."""
        ordinary = self._ordinary.get(kind)
        if ordinary is None:
            if len(self._ordinary) >= _KINDS:
                self._ordinary.clear()
            ordinary = self._ordinary[kind] = seconds
        elif running <= _QUIET or seconds < ordinary or self._stands_at_least(now):
            ordinary = self._ordinary[kind] = ordinary + (seconds - ordinary) * _LEARNED
        return ordinary

    def _stands_at_least(self, now: float) -> bool:
        return self.limit <= self._least and now - self._lowered >= RELEARN_SECONDS

    def _settle(self, now: float) -> None:
        median = sorted(self._gradients)[len(self._gradients) // 2]
        gradient = max(0.5, min(1.0, median))
        limit = max(self._least, int(gradient * self.limit + math.sqrt(self.limit)))
        if limit < self.limit:
            self._lowered = now
        elif self._busiest * 2 < self.limit:
            limit = max(self.limit, min(limit, self._start))
        self.limit = min(limit, self._most)
        self._opened = now
        self._gradients.clear()
        self._busiest = 0
