"""One request and its response at uvicorn's HTTP protocol, with one write for the head and the first part of the body.

uvicorn writes the head by itself and searches every name and value for forbidden bytes by a regular expression, which
costs a third of a small answer. The rules are the same here, checked once over the whole head.
"""

import asyncio
import functools
import re
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# Bytes that no field may have (RFC 9110, 5.5). Ends of lines are counted.
_FORBIDDEN = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\r\n")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Every answer has it, once (fetch.spec.whatwg.org, "X-Content-Type-Options").
_NO_SNIFFING = b"x-content-type-options: nosniff\r\n"
_NO_BODY = frozenset((204, 304))
_END = b"\r\n"


@functools.lru_cache(maxsize=512)
def _start_of_line(name: bytes) -> bytes:
    """The name in lower case and a colon. Raises RuntimeError for what is no token (RFC 9110, 5.6.2)."""
    if not _NAME.fullmatch(name):
        raise RuntimeError("Invalid HTTP header name.")
    return name.lower() + b": "


def _is_well_formed(head: bytes, lines: int) -> bool:
    ends = (head.count(b"\r"), head.count(b"\n"), head.count(_END))
    return ends == (lines, lines, lines) and len(head.translate(None, _FORBIDDEN)) == len(head)


def header_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The lines of header fields as they are sent, for `write_now`. Raises RuntimeError for a malformed one."""
    lines: list[bytes] = []
    for name, value in fields:
        start = _start_of_line(name)
        if not _NO_SNIFFING.startswith(start):
            lines += (start, value, _END)
    head = b"".join(lines)
    if not _is_well_formed(head, len(lines) // 3):
        raise RuntimeError("Invalid HTTP header value.")
    return head


class ResponseCycle(RequestResponseCycle):
    """The head waits for the body until the end of the loop's iteration, not longer: a stream may have no body yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._loop = loop
        self._head = b""

    async def send(self, message: Any) -> None:
        """ASGI's send. Raises RuntimeError for messages out of order."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
            self._start(message)
        elif self.response_complete or kind != "http.response.body":
            raise RuntimeError(f"Unexpected ASGI message '{kind}'.")
        else:
            self._continue(message.get("body", b""), message.get("more_body", False))

    def _start(self, message: Any) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        status = message["status"]
        lines = [STATUS_LINE[status], _NO_SNIFFING]
        closes, ends = False, 2
        for name, value in (*self.default_headers, *message.get("headers", ())):
            start = _start_of_line(name)
            if _NO_SNIFFING.startswith(start):
                continue
            lines += (start, value, _END)
            ends += 1
            if start == b"content-length: " and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif start == b"transfer-encoding: " and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif start == b"connection: " and b"close" in {token.strip() for token in value.lower().split(b",")}:
                self.keep_alive = False
                closes = True
        head = b"".join(lines)
        if not _is_well_formed(head, ends):
            raise RuntimeError("Invalid HTTP header value.")
        if not self.keep_alive and not closes:
            head += b"connection: close\r\n"
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _NO_BODY:
            self.chunked_encoding = True
            head += b"transfer-encoding: chunked\r\n"
        self._head = head + _END
        self._loop.call_soon(self._flush)

    def write_now(self, status: int, lines: bytes, body: bytes) -> None:
        """A whole answer with a body on a connection that is kept, without the application: `lines` are all of the head
        that the application would have given, Content-Length included."""
        self.response_started = self.response_complete = True
        self.message_event.set()
        head = b"".join((STATUS_LINE[status], _NO_SNIFFING, header_lines(self.default_headers), lines, _END))
        self.transport.writelines((head, body))
        self.on_response()

    def _flush(self) -> None:
        """Write a head that no body has followed yet."""
        if self._head and not self.disconnected:
            self.transport.write(self._head)
        self._head = b""

    def _continue(self, body: bytes, more_body: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length, written = 0, b""
        elif self.chunked_encoding:
            written = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            written += b"" if more_body else b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("Response content longer than Content-Length")
            written = body
        if self._head and written:
            self.transport.writelines((self._head, written))
        elif self._head or written:
            self.transport.write(self._head or written)
        self._head = b""
        if not more_body:
            self._complete()

    def _complete(self) -> None:
        if self.expected_content_length != 0:
            raise RuntimeError("Response content shorter than Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
