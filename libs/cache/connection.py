"""One connection to Redis: commands go out in batches and their answers come back in order.

hiredis parses the answers. A full client library costs 14 MB and 0.14 s in each of thirteen processes and four times
the CPU of a command; this needs one connection, no pool and no retry (docs/adr/0028-cache.md).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

Command = Sequence[str | bytes | int | float]
# Takes an answer, or the exception in its place: an error of the command, or OSError when the connection is lost.
Settle = Callable[[Any], None]


class _Protocol(asyncio.Protocol):
    """Matches answers with the commands that wait for them."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: deque[Settle] = deque()
        self._lost: Exception | None = None
        self.transport: asyncio.Transport | None = None
        # How many answers have come: a count that stands still while some wait says that the server hangs.
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream transport, which asyncio types as the base

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while self._waiting and (answer := self._reader.gets()) is not False:
            self.answered += 1
            self._waiting.popleft()(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = error or ConnectionResetError("Redis closed the connection")
        while self._waiting:
            self._waiting.popleft()(self._lost)

    def send(self, commands: Iterable[tuple[Command, Settle]]) -> None:
        if self._lost is not None or self.transport is None:
            raise self._lost or ConnectionResetError("not connected")
        packed: list[bytes] = []
        settles: list[Settle] = []
        for command, settle in commands:
            packed.append(hiredis.pack_command(tuple(command)))  # type: ignore[arg-type]
            settles.append(settle)
        self._waiting.extend(settles)
        self.transport.write(b"".join(packed))

    @property
    def is_lost(self) -> bool:
        return self._lost is not None

    @property
    def waits(self) -> int:
        """Commands without an answer."""
        return len(self._waiting)


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

    @property
    def answered(self) -> int:
        """How many answers have come over it."""
        return self._protocol.answered

    @property
    def waits(self) -> int:
        """How many commands have no answer."""
        return self._protocol.waits

    def send(self, commands: Iterable[tuple[Command, Settle]]) -> None:
        """Write all of them at once; each answer goes to its `settle`. Raises OSError when the connection is lost."""
        self._protocol.send(commands)

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """The answers in order; an error of one command is an exception in its place. Raises OSError."""
        if not commands:
            return []
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[Any]] = [loop.create_future() for _ in commands]
        self.send([(command, _into(answer)) for command, answer in zip(commands, answers, strict=True)])
        found = [await answer for answer in answers]
        for answer in found:
            if isinstance(answer, OSError):
                raise answer
        return found

    def drop(self) -> None:
        """Close without waiting for answers."""
        if self._protocol.transport is not None:
            self._protocol.transport.abort()


def _into(future: "asyncio.Future[Any]") -> Settle:
    def settle(answer: Any) -> None:
        if not future.done():
            future.set_result(answer)

    return settle
