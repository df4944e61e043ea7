"""Remembers what was loaded, for a bounded time; never the only copy of anything.

libs.cache.ping asks whether Redis is there without paying for a client library.
"""

from libs.cache.memory import Memory
from libs.cache.ping import redis_ping

__all__ = ["Memory", "redis_ping"]
