"""How a caller treats a failing dependency: stop calling it for a while (breaker), limit repeats (retry budget).
Pure; no I/O, no task.
"""

from libs.resilience.breaker import Breaker
from libs.resilience.retry_budget import RetryBudget

__all__ = ["Breaker", "RetryBudget"]
