"""How a caller treats a failing dependency: stop calling it for a while (breaker), limit repeats (retry budget). How a
server bounds its work: a limit that adapts, places that are shared fairly. Pure; no I/O, no task.
"""

from libs.resilience.adaptive_limit import AdaptiveLimit
from libs.resilience.breaker import Breaker
from libs.resilience.lane import Lane
from libs.resilience.retry_budget import RetryBudget

__all__ = ["AdaptiveLimit", "Breaker", "Lane", "RetryBudget"]
