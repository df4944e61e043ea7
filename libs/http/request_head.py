"""What every public listener demands of a request's head, and what it answers to a head that it refuses.

Refusals are made before a request exists: plain text, `nosniff`, and the connection ends.
"""

import contextlib
from collections.abc import Sequence

import httptools

from libs.http.hosts import is_host

# Seconds for a request's head to arrive. Longer: slow clients hold more connections.
HEADER_SECONDS = 10.0
# Bytes of a request's head. Larger: more memory per connection.
HEADER_BYTES = 64 * 1024
# Header fields of a request. More: more parsing per request.
HEADER_COUNT = 100
# Bytes of a head that asks for an upgrade: it has neither body nor long cookies, and picows reads no larger one.
UPGRADE_HEAD_BYTES = 16 * 1024
_VERSIONS = ("1.0", "1.1")
_END = b"\r\n\r\n"


def _refusal(status: bytes, text: bytes, *headers: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 " + status,
        b"content-type: text/plain; charset=utf-8",
        b"content-length: %d" % len(text),
        b"x-content-type-options: nosniff",
        b"connection: close",
        *headers,
    ]
    return b"\r\n".join(lines) + _END + text


BAD_REQUEST = _refusal(b"400 Bad Request", b"The request cannot be read.")
TOO_LARGE = _refusal(b"431 Request Header Fields Too Large", b"Request headers are too large.")
TOO_MANY = _refusal(b"503 Service Unavailable", b"Too many connections.", b"retry-after: 5")


def check_head(version: str, hosts: Sequence[bytes]) -> None:
    """RFC 9112: a version that is spoken here (2.3), and exactly one well-formed Host in HTTP/1.1 (3.2).

    Raises ValueError.
    """
    if version not in _VERSIONS:
        raise ValueError("unknown version")
    if len(hosts) > 1 or (version == "1.1" and not hosts) or not all(is_host(host.decode("latin-1")) for host in hosts):
        raise ValueError("not one Host")


class Refused(Exception):
    """`answer` is the whole response."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


class UpgradeHead:
    """The head of one request that asks for an upgrade, held back until it is whole and well formed."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._hosts: list[bytes] = []
        self._fields = 0

    def feed(self, data: bytes | memoryview) -> bytes | None:
        """All bytes that came, once the head is whole; None before. Raises Refused."""
        searched = max(0, len(self._bytes) - len(_END) + 1)
        self._bytes += data
        end = self._bytes.find(_END, searched)
        if end >= UPGRADE_HEAD_BYTES or (end < 0 and len(self._bytes) >= UPGRADE_HEAD_BYTES):
            raise Refused(TOO_LARGE)
        if end < 0:
            return None
        self._check(bytes(self._bytes[: end + len(_END)]))
        return bytes(self._bytes)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._fields += 1
        name = name.lower()
        if name == b"host":
            self._hosts.append(value)
        if self._fields > HEADER_COUNT or name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            raise ValueError("an upgrade has few fields and no body")

    def _check(self, head: bytes) -> None:
        parser = httptools.HttpRequestParser(self)
        try:
            with contextlib.suppress(httptools.HttpParserUpgrade):
                parser.feed_data(head)
            check_head(parser.get_http_version(), self._hosts)
        except (httptools.HttpParserError, ValueError):
            raise Refused(BAD_REQUEST) from None
        if parser.get_method() != b"GET" or parser.get_http_version() != "1.1":
            raise Refused(BAD_REQUEST)
