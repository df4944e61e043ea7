"""How often a caller may repeat its calls of one service. The budget keeps retries from multiplying the load of a
failing service. Every call earns a tenth of a retry.
"""

import random

# Retries earned by one call. 0.1 means that retries add at most a tenth to the load.
_EARNED = 0.1
# Retries saved up at most: enough for the calls in flight when one replica dies.
_MOST = 20.0


class RetryBudget:
    """At most one retry to ten calls, and a small store for bursts."""

    def __init__(self) -> None:
        self._tokens = _MOST

    def earn(self) -> None:
        """A call was made."""
        self._tokens = min(self._tokens + _EARNED, _MOST)

    def spend(self) -> bool:
        """Whether a retry may be made; it is counted."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    @staticmethod
    def pause() -> float:
        """Seconds to wait before it, so that calls that failed together are not retried together."""
        return random.uniform(0.05, 0.2)  # noqa: S311 - jitter needs no secrecy
