"""A circuit breaker: after some failures in a row calls are refused for a while; then one call at a time probes the
dependency.
"""

import time
from collections.abc import Callable

# Seconds after which a probe whose end is not told makes way for another: its caller went away. Longer: a dependency
# that recovered is refused for longer. Shorter: a slow dependency gets several probes at once.
PROBE_SECONDS = 5.0


class Breaker:
    """Opens after `failures` in a row for `rest_seconds`; then one probe at a time decides. Not for several threads."""

    def __init__(
        self,
        failures: int = 3,
        rest_seconds: float = 1.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._rest = rest_seconds
        self._now = now
        self._failed = 0
        self._closed_again_at = 0.0

    def allows(self) -> bool:
        """Whether to ask the dependency now. While it is open, True means: you are the probe."""
        if self._failed < self._limit:
            return True
        if self._now() < self._closed_again_at:
            return False
        self._closed_again_at = self._now() + PROBE_SECONDS
        return True

    @property
    def is_open(self) -> bool:
        return self._failed >= self._limit

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self._limit:
            self._closed_again_at = self._now() + self._rest
