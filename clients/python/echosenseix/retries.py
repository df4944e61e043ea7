"""When a request is sent again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx

from .errors import retry_after_seconds

# Statuses that pass by themselves though they name no time.
_PASSING = frozenset((408, 502, 504))
# Statuses that pass if they name a time; without one, waiting does not help.
_TIMED = frozenset((409, 429, 503))
# Beyond it a wait has its longest anyway, and a float no room.
_DOUBLINGS = 60


def passes(status: int, retry_after: float | None) -> bool:
    """Whether a refusal ends by itself."""
    return status in _PASSING or (status in _TIMED and retry_after is not None)


@dataclass(frozen=True)
class Retries:
    """`attempts` in all; waits grow from `first_wait` seconds to `longest_wait`. A Retry-After is waited for in full,
    unless it is longer than `longest_wait`: then the refusal is raised at once."""

    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0

    def wait_after(self, response: httpx.Response, attempt: int) -> float | None:
        """Seconds until the next attempt; None when the answer stands."""
        asked = retry_after_seconds(response)
        if not passes(response.status_code, asked) or attempt >= self.attempts or (asked or 0.0) > self.longest_wait:
            return None
        return max(asked or 0.0, self.wait(attempt))

    def wait(self, attempt: int) -> float:
        """Seconds after that many attempts, with jitter, so that many clients do not return at one instant."""
        return min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, _DOUBLINGS)) * random.uniform(0.5, 1.0)  # noqa: S311
