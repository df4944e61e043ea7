"""Counts every request under its caller's limits and tells what they leave.

RateLimit-Policy and RateLimit follow draft-ietf-httpapi-ratelimit-headers-11. suite/limits.py holds the numbers. The
layer is inside authentication, which knows the caller, and outside authorization, so that refused requests count too.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request, request_of
from gateway.http.routing import UNLIMITED, Route, match_of
from libs.addresses import address_prefix
from libs.errors import PermissionDenied, ResourceExhausted, Unauthenticated
from libs.ratelimit import Decision, LeasedLimits, Limit, RateLimiter
from suite.limits import CLASSES, RAISED_FOR_BENCHES, STRICT_SHARE, RouteClass, of_plan

# The class of a path that does not exist.
_UNKNOWN_PATH = CLASSES["read"]
# Callers whose limits are remembered. More of them at once make theirs anew, and lose what they have leased. 1 KB each.
_RECENT_CALLERS = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The limits of one caller in one class, and the fields that tell them: `left` takes two numbers of each."""

    leased: LeasedLimits | None
    limits: tuple[Limit, ...]
    policy: tuple[bytes, bytes]
    left: bytes

    @classmethod
    def of(cls, limits: tuple[Limit, ...], *, leased: bool) -> "Counted":
        policy = ", ".join(f'"{_name(one.key)}";q={one.most};w={one.window_seconds}' for one in limits)
        left = ", ".join(f'"{_name(one.key)}";r=%d;t=%d' for one in limits)
        return cls(
            LeasedLimits(limits) if leased else None, limits, (b"ratelimit-policy", policy.encode()), left.encode()
        )


class Policies:
    """The limits of a request. `instances` gateways share each limit while Redis is away."""

    def __init__(self, *, raised: bool, instances: int) -> None:
        self._factor = RAISED_FOR_BENCHES if raised else 1
        self._instances = instances
        self._of_caller = functools.lru_cache(maxsize=_RECENT_CALLERS)(self._made_for_caller)
        self._of_address = functools.lru_cache(maxsize=_RECENT_CALLERS)(self._made_for_address)
        self._of_source = functools.lru_cache(maxsize=_RECENT_CALLERS)(self._made_for_source)

    def of(self, request: Request[Any, Any, Any]) -> Counted | None:
        """The caller's limit first; None for a route that is not limited."""
        route = match_of(request).route
        if route is not None and route.limited == UNLIMITED:
            return None
        kind = _UNKNOWN_PATH if route is None else CLASSES[route.limited]
        strict = route is not None and _is_strict(route)
        principal = request.principal_or_none
        if principal is not None and principal.org_id:
            percent = principal.limit_percent
            return self._of_caller(
                kind.name, strict, principal.org_id, principal.api_key_id, principal.user_id, percent
            )
        address = address_prefix(request.client_address) or "unknown"
        if kind.source:
            return self._of_source(kind.name, strict, request.path, address)
        return self._of_address(kind.name, strict, address)

    def refused_credentials(self, address: str) -> Counted:
        """How many credentials of one address may be refused."""
        limit = self._limit(f"refused:{address}", CLASSES["read"].most, CLASSES["read"], strict=False)
        return Counted.of((limit,), leased=False)

    def _made_for_caller(
        self, kind: str, strict: bool, org_id: str, api_key_id: str, user_id: str, percent: int
    ) -> Counted:
        caller = f"key:{api_key_id}" if api_key_id else f"user:{user_id}"
        most, whole = of_plan(CLASSES[kind], percent)
        return self._made(CLASSES[kind], strict, ((caller, most), (f"organization:{org_id}", whole)))

    def _made_for_address(self, kind: str, strict: bool, address: str) -> Counted:
        return self._made(CLASSES[kind], strict, ((f"address:{address}", CLASSES[kind].most),))

    def _made_for_source(self, kind: str, strict: bool, path: str, address: str) -> Counted:
        counted = (f"source:{path}", CLASSES[kind].source), (f"address:{address}", CLASSES[kind].most)
        return self._made(CLASSES[kind], strict, counted)

    def _made(self, kind: RouteClass, strict: bool, counted: Sequence[tuple[str, int]]) -> Counted:
        """`counted` is whom a request counts for, and how many each may send."""
        limits = tuple(self._limit(f"{kind.name}:{key}", most, kind, strict) for key, most in counted if most)
        return Counted.of(limits, leased=kind.leased and not strict)

    def _limit(self, key: str, most: int, kind: RouteClass, strict: bool) -> Limit:
        most *= self._factor
        share = self._instances * STRICT_SHARE if strict else self._instances
        return Limit(key, most, kind.window_seconds, max(1, most // share))


def _is_strict(route: Route[Any, Any]) -> bool:
    """Whether little is allowed while the limit is not known: money moves, a secret is made, or someone signs in."""
    return route.key_required or route.secret or route.limited == "auth"


class RateLimits:
    """429 when a limit is spent. A cached read does not wait here for Redis: the edge cache asks Redis for its value in
    the same round trip and waits for both (`Request.admitted`); `edge` says that there is one."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, policies: Policies, edge: bool = False) -> None:
        self._app = app
        self._limiter = limiter
        self._policies = policies
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        counted = self._policies.of(request)
        if counted is None:
            await self._app(scope, receive, send)
            return
        if counted.leased is None:
            _admit(request, counted, await self._limiter.take(counted.limits))
        elif (decision := self._limiter.spend(counted.leased)) is not None:
            request.counted = counted
            _admit(request, counted, decision)
        else:
            await self._ask(request, counted, counted.leased)
        try:
            await self._app(scope, receive, send)
        except Exception:
            # Another refusal, before anyone waited for this one.
            await request.admitted()
            raise

    async def _ask(self, request: Request[Any, Any, Any], counted: Counted, leased: LeasedLimits) -> None:
        asked = self._limiter.ask(leased)
        if asked.done():  # a refusal that is remembered here: nothing is read for it
            _admit(request, counted, asked.result())
            return

        async def settled() -> None:
            _admit(request, counted, await asked)

        request.unsettled = settled
        route = match_of(request).route
        if not self._edge or route is None or route.cached is None or route.writes_through:
            await request.admitted()


def _admit(request: Request[Any, Any, Any], counted: Counted, decision: Decision) -> None:
    request.response_headers += fields(counted, decision)
    if not decision.allowed:
        raise _too_many(decision)


class RefusedCredentials:
    """429 in place of the refusal for an address that has sent too many wrong credentials, or named too many
    organizations in which they may not act. Outside authentication."""

    def __init__(
        self, app: ASGIApp, *, limiter: RateLimiter, policies: Policies, spent: Callable[[str, float], None]
    ) -> None:
        """`spent` hears of such an address and for how many seconds it is one."""
        self._app = app
        self._limiter = limiter
        self._policies = policies
        self._spent = spent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (Unauthenticated, PermissionDenied):
            request = request_of(scope)
            route = match_of(request).route
            if request.principal_or_none is not None or (route is not None and route.public):
                raise
            address = address_prefix(request.client_address) or "unknown"
            counted = self._policies.refused_credentials(address)
            decision = await self._limiter.take(counted.limits)
            request.response_headers += fields(counted, decision)
            if not decision.allowed:
                self._spent(address, decision.reset_seconds)
                raise _too_many(decision) from None
            raise


def _too_many(decision: Decision) -> ResourceExhausted:
    name = _name(decision.refused_by)
    return ResourceExhausted(
        "rate_limited", f"The limit {name} is spent. Wait for Retry-After.", retry_after=decision.reset_seconds
    )


def fields(counted: Counted, decision: Decision) -> list[tuple[bytes, bytes]]:
    """RateLimit-Policy names the limits; RateLimit says what each leaves, or which one refused."""
    if decision.allowed:
        told = limits_left(counted, decision)
    else:
        refused = next(one for one in counted.limits if one.key == decision.refused_by)
        told = f'"{_name(refused.key)}";r=0;t={_shown(refused, decision.reset_seconds)}'.encode()
    return [counted.policy, (b"ratelimit", told)]


def limits_left(counted: Counted, decision: Decision) -> bytes:
    """The value of RateLimit for a request that passed."""
    found = zip(counted.limits, decision.left, strict=True)
    numbers = [number for limit, left in found for number in (left.remaining, _shown(limit, left.reset_seconds))]
    return counted.left % tuple(numbers)


def _shown(limit: Limit, wait_seconds: float) -> int:
    """Whole seconds, at most the window that the policy states: a slice or a lease counts for a sixtieth of it longer,
    which Retry-After alone tells."""
    return min(math.ceil(wait_seconds), int(limit.window_seconds))


def _name(key: str) -> str:
    """What a policy is called: "read-key", "write-organization"; never whom it counts."""
    return "-".join(key.split(":", 2)[:2]) if not key.startswith("refused:") else "refused-credentials"
