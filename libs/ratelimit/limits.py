"""What is limited, and what became of a try. No I/O."""

from dataclasses import dataclass

# Tries that a sliding log keeps, one entry each; a larger limit is counted in slices of its window.
LOG_MAX = 1_000
# Slices per window: a limit above LOG_MAX is exact to a sixtieth of its window.
SLICES = 60


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


@dataclass(frozen=True, slots=True)
class Left:
    """What one limit leaves: so many tries, and the seconds until the oldest counted one leaves the window."""

    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class Decision:
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
