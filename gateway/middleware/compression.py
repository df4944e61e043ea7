"""Compresses responses from 1 KiB with the coding that the client prefers (zstd or gzip).

Streams, byte ranges and responses with a fresh secret (BREACH) stay as they are. The compressed form gets an entity tag
of its own (RFC 9110, 8.8.3.3).
"""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.compressed import MIN_BYTES, compress
from gateway.http.negotiation import choose_coding
from gateway.http.request import Request, request_of

_TYPES = ("application/json", "application/problem+json", "text/", "application/xml")


class Compression:
    """Holds the start of a response back until its body arrives, because compression changes the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        coding = choose_coding(request.header("accept-encoding"))
        if not coding:
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def compressing(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                held = message
                return
            if held is None:
                await send(message)
                return
            start, held = held, None
            if _worthwhile(start, message, request):
                start, message = await _compressed(start, message, coding)
            await send(start)
            await send(message)

        await self._app(scope, receive, compressing)


def _worthwhile(start: Message, message: Message, request: Request[Any, Any, Any]) -> bool:
    if request.secret or message.get("more_body", False) or len(message.get("body", b"")) < MIN_BYTES:
        return False
    if start["status"] == 206:
        return False
    fields = dict(start["headers"])
    return b"content-encoding" not in fields and fields.get(b"content-type", b"").decode("latin-1").startswith(_TYPES)


async def _compressed(start: Message, message: Message, coding: str) -> tuple[Message, Message]:
    body: bytes = message["body"]
    packed = await compress(body, coding)
    fields = [(b"content-encoding", coding.encode()), (b"content-length", str(len(packed)).encode())]
    for name, value in start["headers"]:
        if name == b"etag" and value.endswith(b'"'):
            fields.append((name, value[:-1] + b"-" + coding.encode() + b'"'))
        elif name != b"content-length":
            fields.append((name, value))
    return {**start, "headers": fields}, {**message, "body": packed}
