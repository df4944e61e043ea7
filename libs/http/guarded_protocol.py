"""uvicorn's HTTP protocol with limits at the socket, the same for every public listener.

Bytes that are not body (head, chunk framing, trailers) share a budget of bytes and of time. Trailers are dropped.
Refusals made here, before a request exists, are plain text; everything after the head is the application's.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.http.connection_limits import ConnectionLimits
from libs.http.hosts import is_host

# Seconds for a request's head to arrive. Longer: slow clients hold more connections.
_HEADER_SECONDS = 10.0
# How long a client may continue to send a body after the response.
_LEFTOVER_SECONDS = 10.0
# Bytes of a request's head. Larger: more memory per connection.
_HEADER_BYTES = 64 * 1024
# Header fields of a request. More: more parsing per request.
_HEADER_COUNT = 100
# Chunk framing is a share of an honest body: 1 KiB chunks cost less than one byte in a hundred.
_FRAMING_SHARE = 8
# Bytes of chunk framing and trailers that any body may have, whatever its size.
_FRAMING_BYTES = 1024 * 1024
# The parser joins the pieces of one header, so that its work grows with their number: feed it few bytes at a time and
# check the budget between them.
_SLICE_BYTES = 16 * 1024
_VERSIONS = ("1.0", "1.1")


def _refusal(status: bytes, text: bytes, *headers: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 " + status,
        b"content-type: text/plain; charset=utf-8",
        b"content-length: %d" % len(text),
        b"x-content-type-options: nosniff",
        b"connection: close",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + text


_BAD_REQUEST = _refusal(b"400 Bad Request", b"The request cannot be read.")
_TOO_LARGE = _refusal(b"431 Request Header Fields Too Large", b"Request headers are too large.")
_TOO_MANY = _refusal(b"503 Service Unavailable", b"Too many connections.", b"retry-after: 5")


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `limits` is shared by all connections of a listener."""

    def __init__(self, limits: ConnectionLimits, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._limits = limits
        self._counted: str | None = None
        self._in_head = True
        self._receiving = False
        self._framing_bytes = 0
        self._body_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._limits.take(address):
            self._refuse(_TOO_MANY)
            return
        self._counted = address
        self._arm(_HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._counted is not None:
            self._limits.release(self._counted)
            self._counted = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head and self._timer is None:
            self._arm(_HEADER_SECONDS)
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            self._feed(data[start : start + _SLICE_BYTES])

    def _feed(self, piece: bytes) -> None:
        before = self._body_bytes
        # The callbacks reset the counts when a message begins or ends in this piece.
        self._framing_bytes += len(piece)
        super().data_received(piece)
        if self.transport.is_closing():
            return
        body = max(0, self._body_bytes - before)
        self._framing_bytes = max(0, self._framing_bytes - body)
        if self._framing_bytes > self._framing_budget():
            self._refuse(_TOO_LARGE)
        elif self._receiving and not self._in_head:
            self._time_framing(body)

    def _framing_budget(self) -> int:
        return min(_HEADER_BYTES + self._body_bytes // _FRAMING_SHARE, _FRAMING_BYTES)

    def _time_framing(self, body: int) -> None:
        """Run the clock from the first piece without body until body comes again."""
        if self.cycle.response_complete:
            return
        if body:
            self._disarm()
        elif self._timer is None:
            self._arm(_HEADER_SECONDS)

    def on_message_begin(self) -> None:
        self._receiving = True
        self._body_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            # A trailer. Merged into the headers it could replace what a proxy or the authentication relies on.
            return
        if len(self.headers) >= _HEADER_COUNT:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_head()
        self._in_head = False
        self._framing_bytes = 0
        self._disarm()
        super().on_headers_complete()

    def _check_head(self) -> None:
        """RFC 9112: a version that is spoken here (2.3), and exactly one well-formed Host in HTTP/1.1 (3.2)."""
        version = self.parser.get_http_version()
        hosts = [value.decode("latin-1") for name, value in self.headers if name == b"host"]
        if version not in _VERSIONS:
            raise ValueError("unknown version")
        if len(hosts) > 1 or (version == "1.1" and not hosts) or not all(map(is_host, hosts)):
            raise ValueError("not one Host")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving = False
        self._in_head = True
        self._framing_bytes = 0
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._receiving:
            self._arm(_LEFTOVER_SECONDS)

    def send_400_response(self, msg: str) -> None:
        self._refuse(_BAD_REQUEST)

    def _refuse(self, answer: bytes) -> None:
        """Answer and close; only close where the bytes would land inside or before the answer to another request."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering or not (self._in_head or self.cycle.response_started):
            self.transport.write(answer)
        self.transport.close()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        self._timer = None
        self.transport.close()
