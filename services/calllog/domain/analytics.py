"""Roll-ups of calls: what a bucket holds, how buckets add up, and which buckets a window touches.

What is unknown stays None: no average without measured calls, no cost before billing has rated one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.errors import invalid_parameter
from services.calllog.domain.calls import Cost

# Buckets of one answer: hours of 83 days.
MAX_BUCKETS = 2_000
INTERVALS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Totals:
    """The calls of a bucket or a window. `seconds` sums the measured calls; `cost` is None until one is rated."""

    calls: int = 0
    successful_calls: int = 0
    failed_calls: int = 0
    measured_calls: int = 0
    seconds: float = 0.0
    cost: Cost | None = None
    active_agents: int = 0

    @property
    def minutes(self) -> float:
        return self.seconds / 60

    @property
    def average_seconds(self) -> float | None:
        return self.seconds / self.measured_calls if self.measured_calls else None


@dataclass(frozen=True, slots=True)
class Bucket:
    start: datetime
    totals: Totals


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open window cut where roll-ups end: whole hours are read from them, the rest from the calls themselves."""

    start: datetime
    end: datetime

    @property
    def first_hour(self) -> datetime:
        floor = floor_to(self.start, "hour")
        return floor if floor == self.start else floor + INTERVALS["hour"]

    @property
    def last_hour(self) -> datetime:
        return max(floor_to(self.end, "hour"), self.first_hour)

    def edges(self) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
        """The parts before the first and after the last whole hour; either may be empty."""
        head_end = min(self.first_hour, self.end)
        tail_start = max(self.last_hour, head_end)
        return (self.start, head_end), (min(tail_start, self.end), self.end)


def floor_to(moment: datetime, interval: str) -> datetime:
    """The start of the hour or UTC day that holds this moment."""
    step = INTERVALS[interval]
    return _EPOCH + (moment - _EPOCH) // step * step


def check_window(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and start >= end:
        raise invalid_parameter("from", "Set from to a time before to.")


def bucket_starts(start: datetime, end: datetime, interval: str) -> Iterator[datetime]:
    """The starts of all buckets that the window touches."""
    if interval not in INTERVALS:
        raise invalid_parameter("interval", "Set interval to hour or day.")
    first = floor_to(start, interval)
    if (end - first) / INTERVALS[interval] > MAX_BUCKETS:
        raise invalid_parameter("from", f"Ask for at most {MAX_BUCKETS:,} buckets: a shorter time or days.")
    while first < end:
        yield first
        first += INTERVALS[interval]


def fill(starts: Iterable[datetime], known: dict[datetime, Totals]) -> list[Bucket]:
    """A bucket for every start; hours without calls hold none, which is known."""
    return [Bucket(start, known.get(start, Totals())) for start in starts]
