"""Clients that speak HTTP badly, slowly, endlessly or too often, against every public listener."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.services.realtime.driving import until
from tests.security.conftest import CONNECTIONS, PATIENCE_SECONDS, Attacked
from tests.security.doors import MIB, OBSERVER, Door, endless

CHUNKED = "Transfer-Encoding: chunked"
BLOCK = b"a" * 65_536
# What the kernel's buffers take although the listener reads no more.
READ_AT_MOST = 12 * MIB


def endless_request(attack: str, door: Door) -> Iterator[bytes]:
    head = door.head("POST", CHUNKED) + b"\r\n"
    return {
        "request line": endless(b"GET /", BLOCK),
        "header value": endless(door.head() + b"X: ", BLOCK),
        "headers": endless(door.head(), b"X-A: b\r\n" * 8_192),
        "trailer value": endless(head + b"1\r\nx\r\n0\r\nX: ", BLOCK),
        "trailers": endless(head + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 8_192),
        "chunk extension": endless(head + b"1;", BLOCK),
        "chunk size": endless(head, b"0" * 65_536),
    }[attack]


@pytest.mark.parametrize(
    "attack",
    ["request line", "header value", "headers", "trailer value", "trailers", "chunk extension", "chunk size"],
)
async def test_endless_framing_is_cut_early_and_freezes_nothing(door: Door, attacked: Attacked, attack: str) -> None:
    async with attacked():
        answer, sent = await asyncio.to_thread(door.send, endless_request(attack, door))
    assert sent < READ_AT_MOST
    assert not answer or answer.split(b" ")[1] in (b"400", b"401", b"403", b"404", b"405", b"415", b"431"), answer


async def test_many_endless_requests_at_once_freeze_nothing(door: Door, attacked: Attacked) -> None:
    async with attacked():
        attacks = [
            asyncio.to_thread(door.send, endless_request(attack, door))
            for attack in ("header value", "trailer value", "trailers", "headers") * 2
        ]
        results = await asyncio.gather(*attacks)
    assert max(sent for _, sent in results) < READ_AT_MOST


@pytest.mark.parametrize("part", ["head", "trailer"])
async def test_framing_that_dribbles_is_cut(door: Door, attacked: Attacked, part: str) -> None:
    start = door.head() if part == "head" else door.head("POST", CHUNKED) + b"\r\n1\r\nx\r\n0\r\n"

    def dribble() -> float:
        started = time.monotonic()
        with socket.create_connection((door.host, door.port), timeout=0.05) as client, contextlib.suppress(OSError):
            client.sendall(start)
            while time.monotonic() - started < PATIENCE_SECONDS * 20:
                with contextlib.suppress(TimeoutError):
                    if client.recv(65_536) == b"":
                        break
                client.sendall(b"X")
        return time.monotonic() - started

    async with attacked():
        assert await asyncio.to_thread(dribble) < PATIENCE_SECONDS * 20


MALFORMED = {
    "HTTP/0.9": b"GET %b\r\n\r\n",
    "HTTP/2.0 in a line": b"GET %b HTTP/2.0\r\nHost: h\r\n\r\n",
    "HTTP/1.2": b"GET %b HTTP/1.2\r\nHost: h\r\n\r\n",
    "no Host": b"GET %b HTTP/1.1\r\nX: y\r\n\r\n",
    "two Hosts": b"GET %b HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    "an empty Host": b"GET %b HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host with a path": b"GET %b HTTP/1.1\r\nHost: h/x\r\n\r\n",
    "a Host with a user": b"GET %b HTTP/1.1\r\nHost: a@h\r\n\r\n",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_version_or_host_that_is_not_strict_is_a_400(door: Door, case: str) -> None:
    answer, _ = await asyncio.to_thread(door.send, [MALFORMED[case] % door.path.encode()], end=True)
    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert b"x-content-type-options: nosniff" in answer.lower()


async def test_a_credential_in_a_trailer_counts_for_nothing(door: Door) -> None:
    trailer = f"Authorization: Bearer {door.token}\r\n\r\n".encode()
    answer, _ = await asyncio.to_thread(
        door.send, [door.head("GET", CHUNKED, "Connection: close") + b"\r\n1\r\nx\r\n0\r\n" + trailer]
    )
    # The socket port takes no body at all.
    assert answer.startswith(b"HTTP/1.1 401" if door.is_http else b"HTTP/1.1 400"), answer


async def test_one_address_opens_no_more_connections_than_it_may(door: Door, attacked: Attacked) -> None:
    def flood() -> int:
        with contextlib.ExitStack() as opened:
            clients = [
                opened.enter_context(socket.create_connection((door.host, door.port), timeout=20))
                for _ in range(CONNECTIONS + 20)
            ]
            refused = 0
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(upgrade(door))
            for client in clients:
                try:
                    refused += is_refused(client.recv(65_536))
                except ConnectionError:
                    refused += 1
            return refused

    async with attacked():
        assert await asyncio.to_thread(flood) == 20
    await until(lambda: door.limits.open == 0)
    answer, _ = await asyncio.to_thread(door.send, [door.head("GET", "Connection: close") + b"\r\n"])
    assert answer.split(b" ")[1] in (b"400", b"401")


async def test_a_refused_connection_breaks_none_that_comes_after_it(door: Door) -> None:
    """The next connection gets the file descriptor of the one that was refused."""
    transport = httpx.AsyncHTTPTransport(local_address=OBSERVER)
    with contextlib.ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(await asyncio.to_thread(socket.create_connection, (door.host, door.port), 20))
        await until(lambda: door.limits.open == CONNECTIONS)
        async with httpx.AsyncClient(base_url=door.health, transport=transport, timeout=60) as other:
            for _ in range(30):
                await asyncio.to_thread(door.send, [])
                answer = await other.get("/health/live", headers={"Connection": "close"})
                assert answer.status_code == 200
    await until(lambda: door.limits.open == 0)


async def test_a_connection_that_has_said_nothing_counts(door: Door) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(CONNECTIONS):
            opened.enter_context(socket.create_connection((door.host, door.port), timeout=20))
        await until(lambda: door.limits.open == CONNECTIONS)
        answer, _ = await asyncio.to_thread(door.send, [])
        assert answer.startswith(b"HTTP/1.1 503"), answer
        assert b"x-content-type-options: nosniff" in answer
    await until(lambda: door.limits.open == 0)


def upgrade(door: Door) -> bytes:
    """A request after which the connection stays open."""
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13") if not door.is_http else ()
    key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",) if fields else ()
    return door.head("GET", *fields, *key) + b"\r\n"


def is_refused(answer: bytes) -> bool:
    return answer == b"" or answer.startswith(b"HTTP/1.1 503")
