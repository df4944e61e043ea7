"""The two ways in which a customer hears of events: the public SDK on a socket, and a webhook receiver."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import centrifuge

from local.demo.console import StepFailed

# The range that OUTBOUND_ALLOW of `make up` opens on loopback.
FIRST_PORT, LAST_PORT = 9900, 9999


async def until(condition: Callable[[], bool], promise: str, seconds: float = 15.0) -> None:
    """Wait until the condition holds; StepFailed when it does not in time."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 the condition is set by callbacks of others' code
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise StepFailed(f"{promise}: not within {seconds:.0f} s") from None


async def leave(client: centrifuge.Client) -> None:
    """Disconnect, and return when the connection is closed. The SDK closes it in a task of its own, which the end of a
    loop would cancel: the transport would stay open."""
    await client.disconnect()
    await asyncio.gather(*client._background_tasks, return_exceptions=True)


class Listener(centrifuge.SubscriptionEventHandler):  # type: ignore[misc]
    """A subscription of the unmodified centrifuge-python SDK that keeps what it hears."""

    def __init__(self, url: str, token: str, channel: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.subscribed = 0
        self.recovered = False
        self.refused = 0
        self._client = centrifuge.Client(url, token=token)
        self._subscription = self._client.new_subscription(channel, events=self)

    async def start(self) -> None:
        await self._client.connect()
        await self._subscription.subscribe()
        await until(lambda: bool(self.subscribed or self.refused), "the socket subscribes")

    async def drop(self) -> None:
        """Cut the connection under the SDK, as a network does; it comes back by itself."""
        connection = self._client._conn
        if connection is not None:
            connection.transport.abort()

    async def stop(self) -> None:
        await leave(self._client)

    async def on_subscribed(self, context: centrifuge.SubscribedContext) -> None:
        self.subscribed += 1
        self.recovered = context.recovered

    async def on_unsubscribed(self, context: centrifuge.UnsubscribedContext) -> None:
        self.refused = context.code

    async def on_publication(self, context: centrifuge.PublicationContext) -> None:
        self.events.append(context.pub.data)

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == event_type]


@dataclass
class Receiver:
    """A webhook receiver on one of the ports that `make up` lets us call. It refuses its first delivery."""

    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    failures: int = 1
    url: str = ""
    _server: asyncio.Server | None = None
    _callers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        for port in range(FIRST_PORT, LAST_PORT + 1):
            try:
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
            except OSError:
                continue
            self.url = f"http://127.0.0.1:{port}/hook"
            return
        raise StepFailed(f"every port from {FIRST_PORT} to {LAST_PORT} is taken")

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for writer in tuple(self._callers):
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.add(writer)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # The caller went, or `stop` came first.
        finally:
            await _close(writer)
            self._callers.discard(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append((headers, body))
        status = "503 Service Unavailable" if len(self.requests) <= self.failures else "204 No Content"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
