"""Answers the repetition of a cached read at once, while the value that answered it is fresh in this process (0.1 s).

All layers are functions of the request's bytes and its principal. So a second request of the same bytes gets what the
first one got if its credential still stands for the same principal, a permit of its rate limits is here, and the value
is the same; what differs (id, limits left, age) is made anew. Anything else goes through the layers.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request
from gateway.http.stored import HotRead
from gateway.middleware.quick_refusals import QuickRefusals
from gateway.middleware.rate_limits import Counted, limits_left
from gateway.middleware.telemetry import Telemetry
from gateway.principals import Credential, Principals
from libs.http.response_cycle import header_lines
from libs.ids import new_id
from libs.ratelimit import LeasedLimits, RateLimiter
from libs.rpc.principal import Principal
from libs.telemetry.traces import is_recording

# Fields that say nothing but who asks, for what coding, by what client and over which proxies. A request with another
# one may mean more. All are part of the key.
_PLAIN = frozenset(
    (b"accept", b"accept-encoding", b"accept-language", b"authorization", b"connection", b"cookie", b"host",
     b"user-agent", b"x-api-key", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")
)  # fmt: skip
# Fields of the answer that are made anew.
_FRESH = frozenset((b"x-request-id", b"ratelimit", b"x-cache", b"age"))
# Reads that are remembered. They are forgotten every second, so that none keeps a value in memory for longer.
_REMEMBERED, _FORGOTTEN_SECONDS = 4_096, 1.0

Key = tuple[bytes, bytes, tuple[tuple[bytes, bytes], ...]]


@dataclass(slots=True)
class _Known:
    """What the layers found for a request. `head` are the lines of the answer that do not change."""

    read: HotRead
    credential: Credential
    principal: Principal
    counted: Counted
    leased: LeasedLimits
    template: str
    head: bytes


class HotReads:
    """The application as the server sees it. The server calls `answer_now` before it makes a task for a request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        principals: Principals,
        limiter: RateLimiter,
        refusals: QuickRefusals,
        telemetry: Telemetry,
    ) -> None:
        self._app = app
        self._principals = principals
        self._limiter = limiter
        self._refusals = refusals
        self._telemetry = telemetry
        self._known: dict[Key, _Known] = {}
        self._forgotten = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def answer_now(self, scope: Any) -> tuple[int, bytes, bytes] | None:
        """The status, the lines of the head and the body, or None: the layers must see the request. An answer from
        memory costs no more than a refusal, so that it needs no place."""
        found = self._repeated(scope)
        return self._refusals.answer_now(scope) if found is None else (200, *found)

    def _repeated(self, scope: Any) -> tuple[bytes, bytes] | None:
        if not self._known:
            return None
        started, now = time.perf_counter(), time.monotonic()
        if now - self._forgotten > _FORGOTTEN_SECONDS:
            self._known.clear()
            self._forgotten = now
            return None
        known = self._known.get(_key(scope))
        if known is None or scope["method"] != "GET":
            return None
        principal = self._principals.peek(known.credential)
        if principal is not known.principal and principal != known.principal:
            return None
        if not known.read.repeats():
            return None
        decision = self._limiter.spend(known.leased)
        if decision is None:
            return None
        known.read.count()
        self._telemetry.record(started, "GET", known.template, 200)
        head = b"%bx-request-id: %b\r\nratelimit: %b\r\nx-cache: HIT\r\nage: %d\r\n" % (
            known.head, new_id("req").encode(), limits_left(known.counted, decision), known.read.age(now),
        )  # fmt: skip
        return head, known.read.body

    def learn(self, request: Request[Any, Any, Any], fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember a hit that came through all layers; `fields` are all of its answer."""
        read: HotRead | None = request.hot_read
        credential: Credential | None = request.shown_credential
        counted: Counted | None = request.counted
        principal = request.principal_or_none
        if (
            read is None or credential is None or principal is None or principal.allowed_addresses or counted is None
            or counted.leased is None or is_recording() or request.status != 200 or request.scope["method"] != "GET"
            or any(name not in _PLAIN for name, _ in request.scope["headers"]) or len(self._known) >= _REMEMBERED
        ):  # fmt: skip
            return
        head = header_lines([pair for pair in fields if pair[0] not in _FRESH])
        self._known[_key(request.scope)] = _Known(
            read, credential, principal, counted, counted.leased, request.route_template, head
        )


def _key(scope: Any) -> Key:
    return scope["raw_path"], scope["query_string"], tuple(scope["headers"])
