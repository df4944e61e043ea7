"""Counts every request under its caller's limits and tells what they leave.

RateLimit-Policy and RateLimit follow draft-ietf-httpapi-ratelimit-headers-11. suite/limits.py holds the numbers. The
layer is inside authentication, which knows the caller, and outside authorization, so that refused requests count too.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request, request_of
from gateway.http.routing import UNLIMITED, Route, match_of
from libs.addresses import address_prefix
from libs.errors import ResourceExhausted, Unauthenticated
from libs.ratelimit import Decision, Left, Limit, RateLimiter
from suite.limits import CLASSES, RAISED_FOR_BENCHES, STRICT_SHARE, RouteClass

# The class of a path that does not exist.
_UNKNOWN_PATH = CLASSES["read"]


class Policies:
    """The limits of a request. `instances` gateways share each limit while Redis is away."""

    def __init__(self, *, raised: bool, instances: int) -> None:
        self._factor = RAISED_FOR_BENCHES if raised else 1
        self._instances = instances

    def of(self, request: Request[Any, Any, Any]) -> tuple[Limit, ...]:
        """The caller's limit first; none for a route that is not limited."""
        route = match_of(request).route
        if route is not None and route.limited == UNLIMITED:
            return ()
        kind = _UNKNOWN_PATH if route is None else CLASSES[route.limited]
        strict = route is not None and _is_strict(route)
        return tuple(
            self._limit(f"{kind.name}:{key}", most, kind, strict) for key, most in _counted(request, kind) if most
        )

    def refused_credentials(self, address: str) -> Limit:
        """How many credentials of one address may be refused."""
        return self._limit(f"refused:{address}", CLASSES["read"].most, CLASSES["read"], strict=False)

    def _limit(self, key: str, most: int, kind: RouteClass, strict: bool) -> Limit:
        most *= self._factor
        share = self._instances * STRICT_SHARE if strict else self._instances
        return Limit(key, most, kind.window_seconds, max(1, most // share))


def _counted(request: Request[Any, Any, Any], kind: RouteClass) -> Sequence[tuple[str, int]]:
    """Whom a request counts for, and how many each may send."""
    principal = request.principal_or_none
    if principal is None or not principal.org_id:
        address = ("address:" + (address_prefix(request.client_address) or "unknown"), kind.most)
        return (("source:" + request.path, kind.source), address) if kind.source else (address,)
    caller = f"key:{principal.api_key_id}" if principal.api_key_id else f"user:{principal.user_id}"
    return (caller, kind.most), (f"organization:{principal.org_id}", kind.organization)


def _is_strict(route: Route[Any, Any]) -> bool:
    """Whether little is allowed while the limit is not known: money moves, a secret is made, or someone signs in."""
    return route.key_required or route.secret or route.limited == "auth"


class RateLimits:
    """429 when a limit is spent."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, policies: Policies) -> None:
        self._app = app
        self._limiter = limiter
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        if limits := self._policies.of(request):
            decision = await self._limiter.take(limits)
            request.response_headers += fields(limits, decision)
            if not decision.allowed:
                raise _too_many(decision)
        await self._app(scope, receive, send)


class RefusedCredentials:
    """429 in place of 401 for an address that has sent too many wrong credentials. Outside authentication."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, policies: Policies) -> None:
        self._app = app
        self._limiter = limiter
        self._policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Unauthenticated:
            request = request_of(scope)
            route = match_of(request).route
            if request.principal_or_none is not None or (route is not None and route.public):
                raise
            limits = (self._policies.refused_credentials(address_prefix(request.client_address) or "unknown"),)
            decision = await self._limiter.take(limits)
            request.response_headers += fields(limits, decision)
            if not decision.allowed:
                raise _too_many(decision) from None
            raise


def _too_many(decision: Decision) -> ResourceExhausted:
    name = _name(decision.refused_by)
    return ResourceExhausted(
        "rate_limited", f"The limit {name} is spent. Wait for Retry-After.", retry_after=decision.reset_seconds
    )


def fields(limits: tuple[Limit, ...], decision: Decision) -> list[tuple[bytes, bytes]]:
    """RateLimit-Policy names the limits; RateLimit says what each leaves, or which one refused."""
    if decision.allowed:
        left = ", ".join(_item(limit, state) for limit, state in zip(limits, decision.left, strict=True))
    else:
        refused = next(limit for limit in limits if limit.key == decision.refused_by)
        left = _item(refused, Left(0, decision.reset_seconds))
    return [(b"ratelimit-policy", _policy(limits)), (b"ratelimit", left.encode())]


def _item(limit: Limit, left: Left) -> str:
    return f'"{_name(limit.key)}";r={left.remaining};t={math.ceil(left.reset_seconds)}'


@functools.lru_cache(maxsize=1_024)
def _policy(limits: tuple[Limit, ...]) -> bytes:
    return ", ".join(f'"{_name(one.key)}";q={one.most};w={one.window_seconds}' for one in limits).encode()


@functools.lru_cache(maxsize=1_024)
def _name(key: str) -> str:
    """What a policy is called: "read-key", "write-organization"; never whom it counts."""
    return "-".join(key.split(":", 2)[:2]) if not key.startswith("refused:") else "refused-credentials"
