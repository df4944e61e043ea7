"""What a queue may ask for: concurrency, pacing, retention. Pure values and the arithmetic of pacing."""

from dataclasses import dataclass


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
    """Limits of one queue over all instances, and how many ended jobs stay readable. None = unlimited; without any
    limit claims need no lock."""

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
