"""A process with many sockets: `python -m bench.fanout.clients`, a JSON command a line in, a JSON answer a line out.

Both sides are read by the same code: bare WebSockets that count messages. What differs is the conversation that opens a
connection and what a message looks like.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import picows

# Connections that open at one time.
_OPENING = 50
# Seconds between two looks at how late this process itself is.
_TICK = 0.01


class Reader(picows.WSListener):
    """One socket of a crowd."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        super().__init__()
        self._crowd, self._number = crowd, number
        self.transport: picows.WSTransport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport = transport
        self._crowd.open.add(self)
        self._crowd.talk(self, b"")

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            self._crowd.ended[frame.get_close_code()] += 1
            transport.disconnect()
            return
        text = frame.get_payload_as_bytes()
        if text.startswith(self._crowd.mark):
            self._crowd.heard += 1
            if self._number % self._crowd.timed == 0:
                self._crowd.note(text)
        else:
            self._crowd.talk(self, text)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._crowd.open.discard(self)
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("cut before it was ready"))
        self._crowd.lost(self._number)

    def say(self, text: bytes) -> None:
        assert self.transport is not None
        self.transport.send(picows.WSMsgType.TEXT, text)


class Crowd(ABC):
    """The sockets of one side. A subclass knows the conversation."""

    mark = b""
    # Every so many sockets' messages are timed; all are counted.
    timed = 20

    def __init__(self, urls: list[str], token: str, channel: str) -> None:
        self.urls, self.token, self.channel = urls, token, channel
        self.heard = 0
        self.open: set[Reader] = set()
        # How often the server ended a connection, by its code.
        self.ended: collections.Counter[picows.WSCloseCode] = collections.Counter()
        self.seen: dict[int, list[float]] = {}
        self.comes_back = False
        self._gate = asyncio.Semaphore(_OPENING)
        self._tasks: set[asyncio.Task[None]] = set()

    @abstractmethod
    def talk(self, reader: Reader, text: bytes) -> None:
        """Answer what the server sent before the subscription stands; an empty text is the opening."""

    def note(self, text: bytes) -> None:
        """The time at which an event of this position came."""
        position = int(text[text.rindex(b'"offset":') + 9 :].rstrip(b"}"))
        self.seen.setdefault(position, []).append(time.time())

    async def join(self, count: int) -> None:
        await asyncio.gather(*(self._one(number) for number in range(count)))

    async def _one(self, number: int) -> None:
        async with self._gate:
            url = self.urls[number % len(self.urls)]
            reader = Reader(self, number)
            await picows.ws_connect(lambda: reader, url)
            await reader.ready

    def lost(self, number: int) -> None:
        """As SDKs do: another connection, after a moment that grows with the tries."""
        if self.comes_back:
            task = asyncio.get_running_loop().create_task(self._again(number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _again(self, number: int) -> None:
        wait = 0.1
        while True:
            await asyncio.sleep(wait * (0.5 + number % 97 / 97))
            try:
                await self._one(number)
                return
            except (OSError, picows.WSError, ConnectionError):
                wait = min(wait * 2, 5.0)


class Centrifugo(Crowd):
    mark = b'{"push":'

    def talk(self, reader: Reader, text: bytes) -> None:
        if not text:
            connect = {"id": 1, "connect": {"token": self.token}}
            subscribe = {"id": 2, "subscribe": {"channel": self.channel}}
            reader.say(f"{json.dumps(connect)}\n{json.dumps(subscribe)}".encode())
        elif text == b"{}":
            reader.say(b"{}")
        elif b'"error"' in text:
            reader.ready.set_exception(ConnectionError(text.decode()))
        elif text.startswith(b'{"id":2') and not reader.ready.done():
            reader.ready.set_result(None)


class Dated(Centrifugo):
    """Notes how long after the event's own time each socket received it, and how late this process itself was."""

    timed = 1

    def __init__(self, urls: list[str], token: str, channel: str) -> None:
        super().__init__(urls, token, channel)
        self.delays_ms: list[float] = []
        self.own_ms: list[float] = []
        self._ticks = asyncio.create_task(self._watch())

    def note(self, text: bytes) -> None:
        now = time.time()
        for line in text.splitlines():
            event = json.loads(line)["push"].get("pub", {}).get("data", {})
            if event.get("type") == "agent.updated":
                self.delays_ms.append(1000 * (now - datetime.fromisoformat(event["time"]).timestamp()))

    async def _watch(self) -> None:
        while True:
            wanted = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            self.own_ms.append(1000 * (time.monotonic() - wanted))


class SocketIo(Crowd):
    mark = b'42["m"'

    def talk(self, reader: Reader, text: bytes) -> None:
        if text.startswith(b"0"):
            reader.say(b"40" + json.dumps({"token": self.token}).encode())
        elif text == b"2":
            reader.say(b"3")
        elif text.startswith(b"40"):
            reader.say(b'420["join","room"]')
        elif text.startswith(b"430") and not reader.ready.done():
            reader.ready.set_result(None)

    def note(self, text: bytes) -> None:
        """Its messages have no position."""


async def serve() -> None:
    crowd: Crowd | None = None
    loop = asyncio.get_running_loop()

    async def open_crowd(kind: str, urls: list[str], token: str, channel: str) -> None:
        nonlocal crowd
        crowd = {"ours": Centrifugo, "dated": Dated, "theirs": SocketIo}[kind](urls, token, channel)

    acts: dict[str, Callable[..., Awaitable[Any]]] = {"open": open_crowd}
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        act = json.loads(line)
        name, answer = act.pop("act"), None
        if name in acts:
            await acts[name](**act)
        elif crowd is not None:
            answer = await _act(crowd, name, act)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def _act(crowd: Crowd, name: str, how: dict[str, Any]) -> Any:
    if name == "join":
        await crowd.join(how["count"])
    elif name == "heard":
        deadline = time.monotonic() + how["seconds"]
        # An event for each message would cost the reader more than this.
        while crowd.heard < how["count"] and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        heard, crowd.heard = crowd.heard, 0
        return heard
    elif name == "seen":
        seen, crowd.seen = crowd.seen, {}
        return seen
    elif name == "delays" and isinstance(crowd, Dated):
        return {"delays": crowd.delays_ms, "own": crowd.own_ms}
    elif name == "ended":
        return f"{type(crowd).__name__} {dict(crowd.ended)}"
    elif name == "storm":
        crowd.comes_back = True
    elif name == "count":
        return len([reader for reader in crowd.open if reader.ready.done() and reader.ready.exception() is None])
    return None


if __name__ == "__main__":
    asyncio.run(serve())
