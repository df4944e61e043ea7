"""What a caller does about a dependency in trouble: stop asking for a while (breaker). Pure; no I/O, no task."""

from libs.resilience.breaker import Breaker

__all__ = ["Breaker"]
