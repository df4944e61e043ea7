"""The HTTP server of every public listener: uvicorn under libs.runtime, with our signals, our drain and our limits.

The limits at the socket are libs.http.guarded_protocol's. Every answer carries `X-Content-Type-Options: nosniff`
(libs.http.response_cycle), the server's own refusals included.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn

from libs.http.connection_limits import ConnectionLimits
from libs.http.guarded_protocol import GuardedProtocol
from libs.http.listener import Listener
from libs.http.new_requests import NewRequests

# Seconds between renewals of the Date header, which has seconds.
_DATE_SECONDS = 1.0
# Above the 60 s for which nginx keeps an idle upstream connection, so that nginx never sends into a closing one.
_KEEP_ALIVE_SECONDS = 75

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """End `serve` after what has begun."""
        self.should_exit = True
        self._leaving.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, with our listener."""
        await super().startup([])
        self.servers = [Listener(one, self._protocol, self.config.backlog) for one in sockets or ()]  # type: ignore[misc]
        self.accepting.set()

    async def main_loop(self) -> None:
        """As uvicorn does, without its ten looks a second whether to end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_SECONDS):
                    await self._leaving.wait()

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are libs.runtime's."""
        yield


class HttpServer:
    """A public server; `run` is a background task of libs.runtime. Raises OSError if the address cannot be bound."""

    def __init__(
        self, app: AsgiApp, address: str, *, drain_seconds: float, limits: ConnectionLimits | None = None
    ) -> None:
        self.limits = limits or ConnectionLimits()
        config = uvicorn.Config(
            app,
            http=functools.partial(GuardedProtocol, self.limits, NewRequests()),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # uvicorn would believe the X-Forwarded-For of any peer on this machine; the application reads it by itself.
            proxy_headers=False,
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
        self._server.leave()
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
