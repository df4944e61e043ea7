"""uvicorn under libs.runtime: its signals and drain, and limits at the socket against slow and huge requests.

Refusals made here, before a request exists, are plain text; everything after the headers is the application's.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Above the 60 s for which nginx keeps an idle upstream connection, so that nginx never sends into a closing one.
_KEEP_ALIVE_SECONDS = 75
_HEADER_SECONDS = 10.0
# How long a client may continue to send a body after the response.
_LEFTOVER_SECONDS = 10.0
_HEADER_BYTES = 64 * 1024
_HEADER_COUNT = 100
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 29\r\n"
    b"connection: close\r\n\r\nRequest headers are too large."
)


class GuardedProtocol(HttpToolsProtocol):
    """Limits the time and size of a request's head, and the time of a body that the application does not read."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._in_head = True
        self._head_bytes = 0
        self._receiving = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(_HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._timer is None:
                self._arm(_HEADER_SECONDS)
            self._head_bytes += len(data)
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._receiving = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= _HEADER_COUNT:
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._receiving = False
        self._in_head = True
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._receiving:
            self._arm(_LEFTOVER_SECONDS)

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


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are libs.runtime's."""
        yield


class HttpServer:
    """The public server; `run` is a background task of libs.runtime."""

    def __init__(self, app: ASGIApp, address: str, *, drain_seconds: float) -> None:
        config = uvicorn.Config(
            app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=2048,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, int(drain_seconds) - 1),
        )
        self._server = _Server(config)
        self._socket = _bound(address)
        host, port = self._socket.getsockname()[:2]
        self.address = f"{host}:{port}"

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then finish what has begun."""
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._server.should_exit = True
        await serving

    async def started(self) -> None:
        """Return once connections are accepted."""
        await self._server.accepting.wait()


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host.strip("[]"), int(port)))
    return listener
