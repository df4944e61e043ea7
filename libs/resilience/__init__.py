"""What a caller does about a dependency in trouble: stop asking for a while (breaker), repeat little (retry budget).
Pure; no I/O, no task."""

from libs.resilience.breaker import Breaker
from libs.resilience.retry_budget import RetryBudget

__all__ = ["Breaker", "RetryBudget"]
