"""Refusals of realtime's plain HTTP doors, in the shape that the gateway's have (RFC 9457), each with its request id.

It must not decide what is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.errors import Violation
from libs.ids import new_id

_MEDIA_TYPE = "application/problem+json"
_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Payload too large",
    429: "Too many requests",
    503: "Unavailable",
}
_HEADERS = {
    401: {"www-authenticate": 'Bearer realm="echosenseix", error="invalid_token"'},
    429: {"retry-after": "5"},
    503: {"retry-after": "5"},
}


class Refused(HTTPException):
    """A refusal: its status, the code that programs read, a sentence that says what to do, and which parameters or
    headers are wrong."""

    def __init__(self, status: int, code: str, detail: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(status, detail, _HEADERS.get(status))
        self.code = code
        self.violations = violations


class RequestIds:
    """X-Request-Id in, when it is safe to send on, and out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope.get("headers", ())).get(b"x-request-id", b"")
        request_id = given.decode() if _SAFE_ID.fullmatch(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        await self._app(scope, receive, send_with_id)


async def show(request: Request, error: Exception) -> Response:
    """The problem document of a refusal, ours or the router's."""
    if isinstance(error, Refused):
        headers = dict(error.headers or {})
        return _problem(request, error.status_code, error.code, str(error.detail), headers, error.violations)
    if isinstance(error, HTTPException) and error.status_code == 405:
        methods = {*(error.headers or {}).get("Allow", "").split(", "), "OPTIONS"}
        allow = ", ".join(sorted(methods))
        return _problem(request, 405, "method_not_allowed", f"Use one of {allow} here.", {"allow": allow})
    return _problem(request, 404, "route_not_found", "There is nothing at this path.", {})


def _problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str],
    violations: Sequence[Violation] = (),
) -> Response:
    body = {
        "type": f"urn:echosenseix:problem:{code}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "requestId": request.state.request_id,
        "errors": [{"pointer": one.pointer, "code": one.code, "detail": one.detail} for one in violations],
    }
    return JSONResponse(body, status, {"cache-control": "no-store", **headers}, _MEDIA_TYPE)
