"""Twenty clients that ask for much and read nothing: the others get theirs, and the twenty are cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket

import httpx
import pytest
import websockets

from libs.http import guarded_protocol
from local.demo.listening import leave
from services.realtime.protocol import websocket
from tests.integration.services.realtime.driving import Realtime, until
from tests.security.conftest import Attacked
from tests.security.doors import Door, memory_returns, prompt_loop

READERS = 20
# Large events: more than the kernel's buffers of a connection and the server's take for a client that does not read.
EVENTS, EVENT_CHARACTERS = 30, 400_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_protocol, "_WRITE_SECONDS", 1.0)
    monkeypatch.setattr(websocket, "SLOW_SECONDS", 1.0)


async def emit_large(realtime: Realtime, org_id: str) -> None:
    for number in range(EVENTS):
        await realtime.emit(org_id, call_id=f"call_{number}", summary="x" * EVENT_CHARACTERS)


def stalled(stack: contextlib.ExitStack, address: tuple[str, int], request: bytes) -> None:
    """A client that asks and never reads."""
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client.connect(address)
    client.sendall(request)


@pytest.mark.parametrize("door", ["gateway"], indirect=True)
async def test_twenty_readers_that_read_no_answer_are_cut_and_slow_no_other(door: Door, attacked: Attacked) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n" * 40
    with contextlib.ExitStack() as stack:
        async with attacked():
            for _ in range(READERS):
                await asyncio.to_thread(stalled, stack, (door.host, door.port), request)
            await until(lambda: door.limits.open >= READERS)
            transport = httpx.AsyncHTTPTransport(local_address="127.0.0.3")
            async with httpx.AsyncClient(base_url=door.health, transport=transport, timeout=60) as other:
                whole = [len((await other.get("/openapi.json")).content) for _ in range(5)]
                assert len(set(whole)) == 1
                # The others, this client and the one that asks for health.
                await until(lambda: door.limits.open <= 2)


async def test_twenty_streams_that_read_nothing_are_cut_and_another_misses_nothing(realtime: Realtime) -> None:
    host, _, port = realtime.doors.addresses["http"].rpartition(":")
    tokens = [realtime.token("org_slow", user_id=f"usr_{number}") for number in range(READERS + 1)]
    limits = realtime.doors.http_limits
    with contextlib.ExitStack() as stack:
        async with memory_returns(), prompt_loop():
            for token in tokens[1:]:
                request = f"GET /api/events/stream HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n"
                await asyncio.to_thread(stalled, stack, (host, int(port)), request.encode())
            headers = {"authorization": f"Bearer {tokens[0]}"}
            async with (
                httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=60) as http,
                http.stream("GET", "/api/events/stream?after=0", headers=headers) as answer,
            ):
                await until(lambda: limits.open == READERS + 1)
                writing = asyncio.create_task(emit_large(realtime, "org_slow"))
                seen: list[str] = []
                async with asyncio.timeout(120):
                    async for line in answer.aiter_lines():
                        seen += [line] if line.startswith("id:") else []
                        if len(seen) == EVENTS:
                            break
                await writing
                assert seen == [f"id: {position}" for position in range(1, EVENTS + 1)]
                # The client closes its own when it stops to iterate.
                await until(lambda: limits.open <= 1)


async def test_twenty_sockets_that_read_nothing_are_cut_and_another_misses_nothing(realtime: Realtime) -> None:
    doors, channel = realtime.doors, "org:org_stalled:calls"
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(READERS):
            # Its queue full, the library reads no more.
            client = await stack.enter_async_context(
                websockets.connect(realtime.url, max_queue=1, close_timeout=0.1, ping_interval=None)
            )
            token = realtime.token("org_stalled")
            commands: list[dict[str, object]] = [
                {"id": 1, "connect": {"token": token}},
                {"id": 2, "subscribe": {"channel": channel}},
            ]
            await client.send("\n".join(map(json.dumps, commands)))
        prompt = realtime.client("org_stalled")
        await prompt.sdk.connect()
        heard = await prompt.subscribe(channel)
        await until(lambda: len(doors.sockets.sockets) == READERS + 1)
        async with prompt_loop():
            await emit_large(realtime, "org_stalled")
            await until(lambda: len(heard.publications) == EVENTS)
            assert heard.call_ids == [f"call_{number}" for number in range(EVENTS)]
            assert prompt.disconnects == []
            await until(lambda: len(doors.sockets.sockets) == 1)
        await leave(prompt.sdk)
