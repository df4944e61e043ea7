"""Rate limits: never more than `most` in any window, counted in Redis by a sliding log over all instances.

Several limits are taken at once, all or none: a try that one limit refuses counts against no other. Without Redis each
process counts for itself, up to its share, starting from what it has seen: a limit becomes smaller and never
disappears.
"""

from libs.ratelimit.limiter import RateLimiter
from libs.ratelimit.limits import Decision, LeasedLimits, Left, Limit
from libs.ratelimit.local import LocalLog

__all__ = ["Decision", "LeasedLimits", "Left", "Limit", "LocalLog", "RateLimiter"]
