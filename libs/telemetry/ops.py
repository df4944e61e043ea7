"""The HTTP door of one process for operators and probes: GET /metrics, /live, /ready. Not public, no secrets, no API.

Written on asyncio streams because a worker has no other HTTP server and needs no framework for three answers.
"""

import asyncio
import json
from collections.abc import Callable

from libs.telemetry import loop_lag

_HEAD_LIMIT = 8_192
_READ_SECONDS = 5.0
_MAX_LAG_SECONDS = 1.0
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Check = Callable[[], bool]


class OpsServer:
    """`checks` name what readiness needs; each must answer at once from memory."""

    def __init__(self, address: str, checks: dict[str, Check] | None = None) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self.checks: dict[str, Check] = {"loop": _loop_is_prompt, **(checks or {})}

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
                writer.write(self._answer(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response(405, b"", "text/plain")
        if path == b"/metrics":
            from libs.telemetry.metrics import exposition

            return _response(200, exposition(), "text/plain; version=0.0.4; charset=utf-8", method)
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
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == b"HEAD" else body)
