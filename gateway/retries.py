"""How often the gateway may repeat a call: a budget, so that retries cannot multiply the load of a service in trouble.

Every request earns a tenth of a retry. Pure but for the randomness of the pause.
"""

import random

_EARNED = 0.1
_MOST = 20.0


class RetryBudget:
    """At most one retry to ten requests, and a small store for bursts."""

    def __init__(self) -> None:
        self._tokens = _MOST

    def earn(self) -> None:
        """A request was made."""
        self._tokens = min(self._tokens + _EARNED, _MOST)

    def spend(self) -> bool:
        """Whether a retry may be made; it is counted."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    @staticmethod
    def pause() -> float:
        """Seconds to wait before it: a restarted service listens again within a few hundred milliseconds."""
        return random.uniform(0.05, 0.2)  # noqa: S311 - jitter needs no secrecy
