"""Sheds load: beyond its places the gateway refuses at once instead of letting every request wait.

Fair by organization: while all places are taken, a caller that holds less than its share of them still gets one, so
that one organization's flood takes no place from the others. Inside authentication, which knows the organization, and
outside everything that costs.
"""

import random
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request, request_of
from gateway.http.routing import UNLIMITED, match_of
from libs.addresses import address_prefix
from libs.errors import Unavailable
from libs.telemetry.metrics import HTTP_SERVER_SHED

# Seconds after which a refused client may try again, drawn at random, so that they do not all return at once.
_RETRY_SECONDS = (1.0, 3.0)
# By how much shares of small holders may exceed the places.
_OVERBOOKED = 2


class Lane:
    """`places` requests at a time, shared by those who hold one."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: dict[str, int] = {}
        self._total = 0

    @property
    def is_full(self) -> bool:
        return self._total >= self._places

    def enter(self, holder: str) -> bool:
        """Take a place; False when there is none for this holder."""
        held = self._held.get(holder, 0)
        if self._total >= self._places:
            holders = len(self._held) + (not held)
            if held >= max(1, self._places // holders) or self._total >= _OVERBOOKED * self._places:
                return False
        self._held[holder] = held + 1
        self._total += 1
        return True

    def leave(self, holder: str) -> None:
        self._total -= 1
        left = self._held[holder] - 1
        if left:
            self._held[holder] = left
        else:
            del self._held[holder]


class Admission:
    """503 `overloaded`. Bodies that arrive over time hold places of a lane of their own."""

    def __init__(self, app: ASGIApp, *, places: int) -> None:
        self._app = app
        self._requests, self._transfers = Lane(places), Lane(places)

    @property
    def is_full(self) -> bool:
        """Whether a request must ask for its place."""
        return self._requests.is_full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, route = request_of(scope), match_of(request_of(scope)).route
        if route is not None and route.limited == UNLIMITED:
            await self._app(scope, receive, send)
            return
        streams = route is not None and route.body_kind in ("multipart", "stream")
        lane, holder = self._transfers if streams else self._requests, _holder(request)
        if not lane.enter(holder):
            HTTP_SERVER_SHED.inc()
            raise Unavailable(
                "overloaded", "Too many requests are running. Try again.",
                retry_after=random.uniform(*_RETRY_SECONDS),  # noqa: S311 - jitter needs no secrecy
            )  # fmt: skip
        try:
            await self._app(scope, receive, send)
        finally:
            lane.leave(holder)


def _holder(request: Request[Any, Any, Any]) -> str:
    principal = request.principal_or_none
    if principal is not None and principal.org_id:
        return principal.org_id
    return address_prefix(request.client_address) or "unknown"
