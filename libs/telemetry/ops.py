"""The HTTP port of one process for operators and probes: GET /metrics, /live, /ready and the pages a process adds.

Not public, no secrets, no API. A page is made at most once a second, however many clients ask for it.
Written on asyncio streams because a worker has no other HTTP server and needs no framework for a few answers.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.telemetry import loop_lag

_log = logging.getLogger(__name__)

# Bytes of a request's head.
_HEAD_LIMIT = 8_192
# Seconds for a request's head to arrive.
_READ_SECONDS = 5.0
# Seconds of event loop lag from which the process reports that it is not ready.
_MAX_LAG_SECONDS = 1.0
# Seconds for which a page is reused, however many clients ask for it.
_FRESH_SECONDS = 1.0
_REASONS = {
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

Check = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: HTTP status, body and media type."""

    status: int
    body: bytes
    content_type: str


MakePage = Callable[[], Awaitable[Page]]


async def metrics_page() -> Page:
    """All metrics of this process, rendered in a thread: thousands of series take longer than the loop may wait."""
    from libs.telemetry.metrics import exposition

    return Page(200, await asyncio.to_thread(exposition), "text/plain; version=0.0.4; charset=utf-8")


class _Coalesced:
    """A page that is made at most once in `_FRESH_SECONDS`; clients that ask meanwhile share it."""

    def __init__(self, make: MakePage) -> None:
        self._make = make
        self._making: asyncio.Task[Page] | None = None
        self._stale_at = 0.0

    async def read(self) -> Page:
        now = asyncio.get_running_loop().time()
        if self._making is None or (self._making.done() and now >= self._stale_at):
            self._stale_at = now + _FRESH_SECONDS
            self._making = asyncio.create_task(self._made())
        return await asyncio.shield(self._making)

    async def _made(self) -> Page:
        try:
            return await self._make()
        except Exception:
            _log.exception("an operations page could not be made")
            return Page(500, b"", "text/plain")


class OpsServer:
    """`checks` name what readiness needs; each must answer at once from memory."""

    def __init__(self, address: str, checks: dict[str, Check] | None = None) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self.checks: dict[str, Check] = {"loop": _loop_is_prompt, **(checks or {})}
        self._pages: dict[bytes, _Coalesced] = {}
        self.add_page("/metrics", metrics_page)

    def add_page(self, path: str, make: MakePage) -> None:
        """Serve the page at this path, instead of the page that was there."""
        self._pages[path.encode()] = _Coalesced(make)

    async def start(self) -> str:
        """Listen; answers the address with the port that was taken."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_HEAD_LIMIT)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response(405, b"", "text/plain")
        if path in self._pages:
            page = await self._pages[path].read()
            return _response(page.status, page.body, page.content_type, method)
        if path == b"/live":
            return _response(200, b'{"status":"live"}', "application/json", method)
        if path == b"/ready":
            failing = [name for name, check in self.checks.items() if not check()]
            body = json.dumps({"status": "unready" if failing else "ready", "failing": failing}).encode()
            return _response(503 if failing else 200, body, "application/json", method)
        return _response(404, b"", "text/plain", method)


def _loop_is_prompt() -> bool:
    return loop_lag.last() < _MAX_LAG_SECONDS


def _response(status: int, body: bytes, content_type: str, method: bytes = b"GET") -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == b"HEAD" else body)
