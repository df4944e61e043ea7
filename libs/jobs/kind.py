"""What a kind of job and a queue may ask for: attempts, backoff, time, lanes, uniqueness, concurrency and pacing.

Pure values and the arithmetic of delays; it must not touch a store or a clock.
"""

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ARGS_BYTES = 1024 * 1024
MAX_STALLS = 3

# States of a job, and what its unique key may be held in: while it waits, until it ends, or also when it ended.
WAITING = frozenset(("scheduled", "queued"))
LIVE = WAITING | {"running"}
ENDS = frozenset(("completed", "failed", "cancelled"))


class Lane(enum.IntEnum):
    HIGH = 0
    NORMAL = 1
    LOW = 2

    @classmethod
    def of(cls, lane: "Lane | str") -> "Lane":
        return lane if isinstance(lane, Lane) else cls[lane.upper()]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before the next attempt: exponential with full jitter (0 … base x 2^(n-1), at most cap), or a fixed
    schedule of seconds with a jitter of up to a tenth, whose last entry repeats."""

    base: float = 1.0
    cap: float = 300.0
    schedule: tuple[float, ...] = ()

    def delay(self, attempt: int, draw: float | None = None) -> float:
        """`attempt` is the one that just failed, from 1; `draw` in 0..1 replaces chance in tests."""
        chance = random.random() if draw is None else draw  # noqa: S311 spreads retries, guards nothing
        if self.schedule:
            planned = self.schedule[min(attempt, len(self.schedule)) - 1]
            return planned * (1 + chance / 10)
        return float(min(self.cap, self.base * 2.0 ** min(attempt - 1, 60)) * chance)


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """How jobs of one kind run. `timeout_seconds` bounds one attempt."""

    queue: str = "default"
    max_attempts: int = 3
    timeout_seconds: float = 300.0
    backoff: Backoff | Sequence[float] = Backoff()
    lane: Lane | str = Lane.NORMAL

    def retry_delay(self, attempt: int) -> float:
        backoff = self.backoff if isinstance(self.backoff, Backoff) else Backoff(schedule=tuple(self.backoff))
        return backoff.delay(attempt)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` starts per `seconds`, spread evenly; `burst` of them may come at once."""

    count: int
    seconds: float = 1.0
    burst: int = 1

    @property
    def interval(self) -> float:
        return self.seconds / self.count

    def allowed(self, ahead: float) -> int:
        """Starts allowed now, when the next is due in `ahead` seconds (0 or less: nothing is owed). GCRA."""
        return max(0, int((self.burst - 1) - max(0.0, ahead) / self.interval + 1 + 1e-9))

    def wait(self, ahead: float) -> float:
        """Seconds until one more start is allowed."""
        return max(0.0, ahead - (self.burst - 1) * self.interval)


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """Limits of one queue over all instances. None = unlimited; without any limit claims need no lock."""

    name: str
    max_running: int | None = None
    max_running_per_org: int | None = None
    rate: Rate | None = None
    rate_per_org: Rate | None = None
    keep_completed: int = 100
    keep_failed: int = 500

    @property
    def limited(self) -> bool:
        return any((self.max_running, self.max_running_per_org, self.rate, self.rate_per_org))
