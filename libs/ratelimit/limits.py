"""What is limited, and what became of a try. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

# Tries that a sliding log keeps, one entry each; a larger limit is counted in slices of its window.
LOG_MAX = 1_000
# Slices per window: a limit above LOG_MAX is exact to a sixtieth of its window.
SLICES = 60
# One process takes at most this share of what a limit leaves ahead of its use. Larger: more lies unused in one process
# while another one refuses.
LEASED_SHARE = 16
# Permits that a process takes ahead at most. More: fewer questions to Redis, more that a dead process leaves unused.
LEASED_MOST = 64
# The share of a window for which permits may be kept; they count for so much longer, so that as much of the limit is
# lost at most.
LEASED_TIME_SHARE = 1 / 240

# Microseconds of a second: the unit of the scripts.
MICROS = 1_000_000
_PREFIX = "limit:"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` tries under this key in any `window_seconds`. A process that counts without Redis allows `alone`
    of them; None: all."""

    key: str
    most: int
    window_seconds: float
    alone: int | None = None

    @property
    def sliced(self) -> bool:
        """Whether tries are counted by slice instead of one by one."""
        return self.most > LOG_MAX


@dataclass(frozen=True, slots=True, eq=False)
class LeasedLimits:
    """Limits that one caller spends often, whose permits a process may take ahead. It is known by its identity, so its
    maker keeps one for a caller."""

    limits: tuple[Limit, ...]


class Left(NamedTuple):
    """What one limit leaves: so many tries, and the seconds until the oldest counted one leaves the window."""

    remaining: int
    reset_seconds: float


class Decision(NamedTuple):
    """`reset_seconds` is the wait until one more is allowed; 0 when this one was. `remaining` is the least that any of
    the limits leaves; `refused_by` is the key of the limit that refused. `member` names this try. `left` is what each
    limit leaves, in their order; empty when the try was refused."""

    allowed: bool
    remaining: int
    reset_seconds: float
    refused_by: str = ""
    member: str = ""
    left: tuple[Left, ...] = ()


def refusal(limit: Limit, wait_seconds: float, member: str) -> Decision:
    return Decision(False, 0, wait_seconds, limit.key, member)


def admission(left: tuple[Left, ...], member: str) -> Decision:
    return Decision(True, min(one.remaining for one in left), 0.0, "", member, left)


def redis_key(limit: Limit) -> str:
    """A log and a sliced window are of different types, so a limit that grows over the bound begins a key."""
    return f"{_PREFIX}{limit.key}:sliced" if limit.sliced else log_key(limit.key)


def log_key(key: str) -> str:
    """Where the tries under a key are, one by one."""
    return _PREFIX + key


def numbers_of(limits: Sequence[Limit]) -> list[int]:
    """Limit and window in microseconds of each, as the scripts take them."""
    return [n for limit in limits for n in (limit.most, int(limit.window_seconds * MICROS))]


def read_left(numbers: Sequence[Any]) -> tuple[Left, ...]:
    """What the script says each limit leaves."""
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple(Left(int(remaining), int(wait) / MICROS) for remaining, wait in pairs)
