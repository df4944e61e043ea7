"""One connection to Redis: commands go out in batches and their answers come back in order.

hiredis parses the answers. A full client library costs 14 MB and 0.14 s in each of thirteen processes and four times
the CPU of a command; this needs one connection, no pool and no retry (docs/adr/0028-cache.md).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

Command = Sequence[str | bytes | int | float]


class _Protocol(asyncio.Protocol):
    """Matches answers with the commands that wait for them."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._lost: Exception | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport, which asyncio types as the base

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while self._waiting and (answer := self._reader.gets()) is not False:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = error or ConnectionResetError("Redis closed the connection")
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(self._lost)
                waiting.exception()  # retrieved: after the first failure of a batch no one awaits the others

    def send(self, commands: Iterable[Command]) -> list["asyncio.Future[Any]"]:
        if self._lost is not None or self.transport is None:
            raise self._lost or ConnectionResetError("not connected")
        loop = asyncio.get_running_loop()
        packed = [hiredis.pack_command(tuple(command)) for command in commands]  # type: ignore[arg-type]
        futures: list[asyncio.Future[Any]] = [loop.create_future() for _ in packed]
        self._waiting.extend(futures)
        self.transport.write(b"".join(packed))
        return futures

    @property
    def is_lost(self) -> bool:
        return self._lost is not None


class RedisConnection:
    """Opened by `open`. After a timeout it must be dropped: its answers would no longer match."""

    def __init__(self, protocol: _Protocol) -> None:
        self._protocol = protocol

    @classmethod
    async def open(cls, redis_url: str) -> "RedisConnection":
        """Connect to redis[s]://[user:password@]host:port[/database] and log in. Raises OSError."""
        url = urlsplit(redis_url)
        secured = ssl.create_default_context() if url.scheme == "rediss" else None
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(
            _Protocol, url.hostname or "127.0.0.1", url.port or 6379, ssl=secured
        )
        connection = cls(protocol)
        greeting: list[Command] = []
        if url.password:
            user = (unquote(url.username),) if url.username else ()
            greeting.append(("AUTH", *user, unquote(url.password)))
        if (database := url.path.strip("/")) not in ("", "0"):
            greeting.append(("SELECT", database))
        try:
            for answer in await connection.run(greeting):
                if isinstance(answer, Exception):
                    raise ConnectionRefusedError(str(answer))
        except BaseException:
            connection.drop()
            raise
        return connection

    @property
    def is_lost(self) -> bool:
        return self._protocol.is_lost

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """The answers in order; an error of one command is an exception in its place. Raises OSError."""
        return [await future for future in self._protocol.send(commands)] if commands else []

    def drop(self) -> None:
        """Close without waiting for answers."""
        if self._protocol.transport is not None:
            self._protocol.transport.abort()
