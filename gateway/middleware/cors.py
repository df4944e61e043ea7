"""Cross-origin requests from exactly the configured origins (Fetch standard, "CORS protocol").

Also the guard against forged requests: a browser that brings our cookie from a foreign origin may not change anything.
"""

from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request, request_of

_EXPOSED = (
    b"Accept, Accept-Patch, Age, Content-Range, Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, "
    b"RateLimit-Policy, Retry-After, Sunset, X-Cache, X-Request-Id"
)
_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-API-Key, X-Min-Version, "
    b"X-Organization-Id, X-Request-Id, traceparent"
)
_PREFLIGHT_SECONDS = b"600"


class Cors:
    """Adds the access-control headers; the routing layer answers OPTIONS."""

    def __init__(self, app: ASGIApp, *, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.rstrip("/").encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        if request.has_header("origin"):
            origin = request.header("origin").encode("latin-1")
            if origin in self._origins:
                self._allow(request, origin, preflight=scope["method"] == "OPTIONS")
        await self._app(scope, receive, send)

    def _allow(self, request: Request[Any, Any, Any], origin: bytes, *, preflight: bool) -> None:
        request.response_headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
        ]
        if preflight:
            request.response_headers += [
                (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
                (b"access-control-allow-headers", _ALLOWED_HEADERS),
                (b"access-control-max-age", _PREFLIGHT_SECONDS),
            ]
