"""A listener on uvloop, as the services run it, while more arrives than a turn of the loop can take."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from libs.http import listener
from libs.http.listener import Listener
from libs.http.server import HttpServer

# Connections of a flood; each refusal keeps the loop for so many seconds.
FLOOD, REFUSAL_SECONDS = 60, 0.005
# Turns that the one request needs which was accepted.
TURNS = 10
# Seconds until a test that hangs has failed.
PATIENCE_SECONDS = 60
# Turns in which all connections of the flood are accepted: many at a time.
FEW_TURNS = 10


class Gate:
    """Refuses /refused before a task is made, and takes TURNS for any other request."""

    def __init__(self) -> None:
        self.told: list[str] = []
        # Bytes of each body.
        self.received: list[int] = []

    def answer_now(self, scope: Any) -> tuple[int, bytes, bytes] | None:
        if scope["path"] != "/refused":
            return None
        time.sleep(REFUSAL_SECONDS)
        self.told.append("refused")
        return 503, b"content-length: 0\r\n", b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self.told.append("answered")
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        self.received.append(size)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[HttpServer]:
    server, stop = HttpServer(app, "127.0.0.1:0", drain_seconds=3), asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    await server.started()
    try:
        yield server
    finally:
        stop.set()
        await running


def on_uvloop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test(), PATIENCE_SECONDS))


def connected(address: str, count: int) -> list[socket.socket]:
    """The kernel completes them, whether the server accepts them or not."""
    host, _, port = address.rpartition(":")
    return [socket.create_connection((host, int(port)), timeout=10) for _ in range(count)]


def test_what_was_accepted_goes_on_between_the_refusals_of_a_flood() -> None:
    async def flood() -> None:
        gate = Gate()
        async with serving(gate) as server:
            sockets = connected(server.address, FLOOD + 1)
            while server.limits.open < len(sockets):
                await asyncio.sleep(0)
            for number, one in enumerate(sockets):
                path = b"/refused" if number else b"/answered"
                one.sendall(b"GET " + path + b" HTTP/1.1\r\nhost: a\r\n\r\n")
            while len(gate.told) <= FLOOD:
                await asyncio.sleep(0)
            statuses = [one.recv(100)[9:12] for one in sockets]
            for one in sockets:
                one.close()
        assert statuses == [b"200"] + [b"503"] * FLOOD
        # One refusal fills a turn; all at once would be FLOOD of them before the second turn.
        assert gate.told.index("answered") <= 2 * TURNS

    on_uvloop(flood)


def test_a_server_that_stops_answers_what_waits_for_its_turn() -> None:
    async def stop() -> None:
        gate = Gate()
        async with serving(gate) as server:
            sockets = connected(server.address, FLOOD)
            while server.limits.open < FLOOD:
                await asyncio.sleep(0)
            for one in sockets:
                one.sendall(b"GET /refused HTTP/1.1\r\nhost: a\r\n\r\n")
            while not gate.told:
                await asyncio.sleep(0)
            assert len(gate.told) < FLOOD
        assert [one.recv(100)[9:12] for one in sockets] == [b"503"] * FLOOD
        for one in sockets:
            one.close()

    on_uvloop(stop)


def test_a_body_that_arrives_while_its_head_waits_is_kept_whole() -> None:
    async def flood() -> None:
        gate, body = Gate(), b"x" * 300_000
        async with serving(gate) as server:
            *sockets, sender = connected(server.address, FLOOD)
            while server.limits.open < FLOOD:
                await asyncio.sleep(0)
            for one in sockets:
                one.sendall(b"GET /refused HTTP/1.1\r\nhost: a\r\n\r\n")
            head = b"POST /answered HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
            sending = asyncio.create_task(asyncio.to_thread(sender.sendall, head + body))
            while "answered" not in gate.told:
                await asyncio.sleep(0)
            await sending
            answer = await asyncio.to_thread(sender.recv, 100)
            for one in (*sockets, sender):
                one.close()
        assert answer[9:12] == b"200"
        assert gate.received == [len(body)]

    on_uvloop(flood)


def test_new_connections_are_accepted_many_in_a_turn() -> None:
    async def connect() -> None:
        async with serving(Gate()) as server:
            sockets = connected(server.address, FLOOD)
            turns = 0
            while server.limits.open < FLOOD:
                turns += 1
                await asyncio.sleep(0)
            for one in sockets:
                one.close()
        assert turns <= FEW_TURNS

    on_uvloop(connect)


class Exhausted(socket.socket):
    """Has no descriptor left for its first connection."""

    failed = False

    def accept(self) -> Any:
        if not self.failed:
            self.failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_listener_without_descriptors_accepts_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_RETRY_SECONDS", 0.01)

    async def connect() -> None:
        bound = Exhausted(socket.AF_INET, socket.SOCK_STREAM)
        bound.bind(("127.0.0.1", 0))
        made: list[asyncio.Protocol] = []

        def factory() -> asyncio.Protocol:
            made.append(asyncio.Protocol())
            return made[0]

        listening = Listener(bound, factory, 16)
        (one,) = connected(f"127.0.0.1:{bound.getsockname()[1]}", 1)
        async with asyncio.timeout(10):
            while not made:
                await asyncio.sleep(0.01)
        assert bound.failed
        one.close()
        listening.close()
        listening.close()
        await listening.wait_closed()

    on_uvloop(connect)
