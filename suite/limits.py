"""The one table of rate limits: the classes of routes, and whom each counts. docs/limits.md explains it.

The gateway enforces it, and a route names its class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

RAISED_FOR_BENCHES = 10_000
"""By how much LIMITS=bench raises every limit. The limiter is never off."""

STRICT_SHARE = 10
"""Without Redis a process allows a tenth of a limit where money moves, a key is made or someone signs in."""


@dataclass(frozen=True, slots=True)
class RouteClass:
    """At most `most` requests in any `window_seconds` of one caller: a key, a user, or an address where there is no
    credential. `organization` is the most of all callers of an organization together; 0: none is counted. `source` is
    the most under one path of a class that counts paths. A gateway takes permits of a `leased` class ahead, a few at a
    time (libs/ratelimit/leases.py)."""

    name: str
    most: int
    window_seconds: int
    organization: int = 0
    source: int = 0
    leased: bool = False


CLASSES: Mapping[str, RouteClass] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            RouteClass("read", 500, 60, organization=5_000, leased=True),
            RouteClass("write", 100, 60, organization=1_000),
            RouteClass("upload", 20, 60, organization=200),
            # An office shares an address. identity counts 10 tries of an account (services/identity/login_limits.py).
            RouteClass("auth", 300, 900),
            # A provider sends for many organizations from few addresses; each has a path of its own.
            RouteClass("webhook", 6_000, 60, source=1_000),
            # A mail program posts for many users from few addresses.
            RouteClass("unsubscribe", 1_000, 60),
        )
    }
)
"""Name -> class. Limits of requests of one kind, whatever their route."""


def of_plan(kind: RouteClass, percent: int) -> tuple[int, int]:
    """The most of one caller and of its organization, whose plan has this percentage of the usual limits. At least one,
    and 0 where none is counted."""
    caller, organization = (most and max(1, most * percent // 100) for most in (kind.most, kind.organization))
    return caller, organization
