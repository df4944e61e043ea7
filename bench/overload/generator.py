"""An open-loop HTTP/1.1 client that costs little: prepared bytes out, a status and a length in.

Requests go out when they are due, whether earlier ones were answered or not, as those of many clients do. A client
library costs ten times as much a request; on a small machine it would measure itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

# Connections at most. A request that finds none is counted as not sent.
_CONNECTIONS = 1_000
# Seconds between looks at what is due.
_TICK_SECONDS = 0.002
# Seconds that answers may take after the last request was sent.
_REST_SECONDS = 10.0

Done = Callable[[int], None]
Requests = Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """`caller` sent it; `due` and `ended` in seconds since the start, `seconds` from sending to the last byte."""

    caller: int
    status: int
    due: float
    ended: float
    seconds: float


class _Connection(asyncio.Protocol):
    """One request at a time on a connection that is kept."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._whole = 0
        self._status = 0
        self._done: Done | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport

    def send(self, request: bytes, done: Done) -> None:
        self._done = done
        if self._transport is None or self._transport.is_closing():
            self._end(0)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._whole:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._status = int(head[9:12])
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._whole = end + 4 + int(length or b"0")
        if len(self._buffer) >= self._whole:
            status, self._whole = self._status, 0
            self._buffer.clear()
            self._end(status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(0)

    def _end(self, status: int) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(status)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Generator:
    """Drives one address. Status 0 stands for a request that got no answer or found no connection."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._idle: list[_Connection] = []
        self._opened = 0
        self._busy = 0
        self._quiet = asyncio.Event()
        # Seconds by which requests went out late, because this process had no time for them.
        self.late: list[float] = []

    async def offer(self, callers: Sequence[tuple[Requests, float]], seconds: float) -> list[Answer]:
        """Each caller's requests at its rate a second, evenly spaced, for so long."""
        await self._warm(64)
        answers: list[Answer] = []
        due = sorted(
            (number / rate, caller) for caller, (_, rate) in enumerate(callers) for number in range(int(rate * seconds))
        )
        start, sent, self.late = time.perf_counter(), 0, []
        while sent < len(due):
            now = time.perf_counter() - start
            while sent < len(due) and due[sent][0] <= now:
                at, caller = due[sent]
                sent += 1
                self.late.append(now - at)
                await self._send(next(callers[caller][0]), caller, at, start, answers)
            await asyncio.sleep(_TICK_SECONDS)
        await self._rest()
        return answers

    async def saturate(self, callers: Sequence[Requests], in_flight: int, seconds: float) -> list[Answer]:
        """So many requests at a time, of the callers in turn: what can be answered at most."""
        await self._warm(in_flight)
        answers: list[Answer] = []
        start = time.perf_counter()

        async def worker(first: int) -> None:
            caller = first % len(callers)
            while (now := time.perf_counter() - start) < seconds:
                ended = asyncio.get_running_loop().create_future()
                await self._send(next(callers[caller]), caller, now, start, answers, ended)
                await ended
                caller = (caller + 1) % len(callers)

        await asyncio.gather(*(worker(number) for number in range(in_flight)))
        return answers

    async def _send(
        self,
        request: bytes,
        caller: int,
        due: float,
        start: float,
        answers: list[Answer],
        ended: asyncio.Future[None] | None = None,
    ) -> None:
        sent = time.perf_counter()
        connection = self._kept() or await self._open()

        def done(status: int) -> None:
            now = time.perf_counter()
            self._busy -= 1
            if not self._busy:
                self._quiet.set()
            answers.append(Answer(caller, status, due, now - start, now - sent))
            if connection is not None and connection.is_open:
                self._idle.append(connection)
            elif connection is not None:
                self._opened -= 1
            if ended is not None and not ended.done():
                ended.set_result(None)

        self._busy += 1
        if connection is None:
            done(0)
        else:
            connection.send(request, done)

    def _kept(self) -> _Connection | None:
        """An idle connection; the server closes those that were idle for long."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            self._opened -= 1
        return None

    async def _open(self) -> _Connection | None:
        if self._opened >= _CONNECTIONS:
            return None
        self._opened += 1
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, *self._address)
        return connection

    async def _warm(self, connections: int) -> None:
        for _ in range(connections - len(self._idle)):
            connection = await self._open()
            if connection is not None:
                self._idle.append(connection)

    async def _rest(self) -> None:
        """Until every answer is here."""
        self._quiet.clear()
        if self._busy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), _REST_SECONDS)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
