"""Headers that restrict what browsers and caches may do with a response."""

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import request_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"vary", b"Accept-Encoding, Authorization, Cookie, Origin, X-API-Key"),
)
_OVER_TLS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def security_headers(over_tls: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of every answer."""
    return (*_ALWAYS, _OVER_TLS) if over_tls else _ALWAYS


class SecurityHeaders:
    """Notes the headers for the outermost layer to add."""

    def __init__(self, app: ASGIApp, *, over_tls: bool) -> None:
        self._app = app
        self._headers = security_headers(over_tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_of(scope).response_headers.extend(self._headers)
        await self._app(scope, receive, send)
