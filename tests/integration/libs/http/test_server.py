"""The server at the socket: what it does with clients that speak HTTP badly, slowly, or not at all."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import pytest_asyncio

from gateway.http.request import Options, Request
from libs.http import guarded_protocol, request_head
from libs.http.server import HttpServer

HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers the length of the body, or at once without reading it."""
    body = b"unread" if scope["path"] == "/unread" else b"read"
    if scope["path"] == "/read":
        body = str(len(await Request(scope, receive, Options("")).read_body(10**6))).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest_asyncio.fixture(loop_scope="session")
async def address(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, int]]:
    """A server whose patience is a fifth of a second."""
    monkeypatch.setattr(request_head, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(guarded_protocol, "_LEFTOVER_SECONDS", 0.2)
    stop = asyncio.Event()
    server = HttpServer(app, "127.0.0.1:0", drain_seconds=3)
    running = asyncio.create_task(server.run(stop))
    await server.started()
    host, _, port = server.address.rpartition(":")
    yield host, int(port)
    stop.set()
    await running


WRITTEN = 24 * 1024 * 1024


async def large(scope: Any, receive: Any, send: Any) -> None:
    """An answer that no buffer takes whole, in pieces."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(WRITTEN // 65_536):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest_asyncio.fixture(loop_scope="session")
async def writing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[HttpServer, tuple[str, int]]]:
    """A server of a large answer that waits for a client three tenths of a second."""
    monkeypatch.setattr(guarded_protocol, "_WRITE_SECONDS", 0.3)
    stop = asyncio.Event()
    server = HttpServer(large, "127.0.0.1:0", drain_seconds=3)
    running = asyncio.create_task(server.run(stop))
    await server.started()
    host, _, port = server.address.rpartition(":")
    yield server, (host, int(port))
    stop.set()
    await running


def asking(address: tuple[str, int]) -> socket.socket:
    client = socket.create_connection(address, timeout=20)
    client.sendall(HEAD + b"Connection: close\r\n\r\n")
    return client


async def test_a_client_that_takes_nothing_of_its_answer_is_cut(writing: tuple[HttpServer, tuple[str, int]]) -> None:
    server, address = writing
    with await asyncio.to_thread(asking, address):
        async with asyncio.timeout(20):
            while server.limits.open != 1:
                await asyncio.sleep(0.01)
            while server.limits.open:
                await asyncio.sleep(0.01)


async def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(
    writing: tuple[HttpServer, tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_protocol, "_WRITE_SECONDS", 2.0)

    def read_slowly(client: socket.socket) -> int:
        taken = 0
        while more := client.recv(262_144):
            taken += len(more)
            time.sleep(0.03)
        return taken

    with await asyncio.to_thread(asking, writing[1]) as client:
        assert await asyncio.to_thread(read_slowly, client) > WRITTEN


async def exchange(address: tuple[str, int], *pieces: bytes, end: bool = False) -> bytes:
    """Send the pieces and read until the server closes, or for ten seconds."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if end:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except (ConnectionError, TimeoutError) as error:
        return type(error).__name__.encode()
    finally:
        writer.close()


async def test_a_plain_request_is_answered(address: tuple[str, int]) -> None:
    answer = await exchange(address, HEAD + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize(
    ("status", "method"), [(200, b"GET"), (200, b"HEAD"), (204, b"GET"), (304, b"GET"), (404, b"GET"), (500, b"POST")]
)
async def test_every_answer_has_one_date(status: int, method: bytes) -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    stop = asyncio.Event()
    server = HttpServer(bare, "127.0.0.1:0", drain_seconds=3)
    running = asyncio.create_task(server.run(stop))
    await server.started()
    host, _, port = server.address.rpartition(":")
    request = method + b" / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answer = await exchange((host, int(port)), request)
    stop.set()
    await running
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert len(dates(answer)) == 1


async def test_a_refusal_of_the_server_itself_has_one_date(address: tuple[str, int]) -> None:
    answer = await exchange(address, b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert len(dates(answer)) == 1


def dates(answer: bytes) -> list[datetime]:
    """The `Date` fields of an answer's head."""
    fields = [line.partition(b":") for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    return [parsedate_to_datetime(value.decode()) for name, _, value in fields if name.lower() == b"date"]


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        HEAD + b"X : y\r\n\r\n",
        HEAD + b"X: a\x00b\r\n\r\n",
        HEAD + b" folded: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n",
        HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
    ],
)
async def test_broken_framing_is_refused_or_cut(address: tuple[str, int], raw: bytes) -> None:
    answer = await exchange(address, raw, end=True)
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b""), answer


async def test_a_huge_head_is_refused_before_it_ends(address: tuple[str, int]) -> None:
    answer = await exchange(address, HEAD + b"X: " + b"y" * 70_000)
    assert answer.startswith(b"HTTP/1.1 431") or answer == b"ConnectionResetError"


async def test_many_headers_in_small_pieces_are_refused_too(address: tuple[str, int]) -> None:
    pieces = [b"X-%d: " % number + b"y" * 1000 + b"\r\n" for number in range(80)]
    answer = await exchange(address, HEAD, *pieces)
    assert answer[:12] == b"HTTP/1.1 431" or answer.startswith(b"Connection")


async def test_a_head_that_dribbles_is_cut(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    answered = asyncio.create_task(reader.read())
    sent = 0
    for byte in HEAD * 100:
        if answered.done():
            break
        writer.write(bytes([byte]))
        sent += 1
        await asyncio.sleep(0.02)
    writer.close()
    await asyncio.gather(answered, return_exceptions=True)
    assert sent < len(HEAD) * 50


async def test_a_connection_that_says_nothing_is_cut(address: tuple[str, int]) -> None:
    assert await exchange(address) == b""


async def test_the_wait_for_a_body_is_the_applications(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
    await asyncio.sleep(3 * request_head.HEADER_SECONDS)
    writer.write(b"later")
    assert (await reader.read()).endswith(b"\r\n\r\n5")
    writer.close()


async def test_a_second_request_on_the_connection_is_guarded_as_well(address: tuple[str, int]) -> None:
    answer = await exchange(address, HEAD + b"\r\n", b"GET / HT")
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_body_no_one_reads_is_let_through_for_a_while_only(address: tuple[str, int]) -> None:
    head = b"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
    whole = await exchange(address, head + b"x" * 100_000 + HEAD + b"Connection: close\r\n\r\n")
    assert whole.count(b"HTTP/1.1 200") == 2
    cut = await exchange(address, head + b"x")
    assert cut.count(b"HTTP/1.1 200") == 1


async def test_a_whole_body_and_pipelined_requests_come_through(address: tuple[str, int]) -> None:
    post = b"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    answer = await exchange(address, post + HEAD + b"\r\n" + HEAD + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 3
    assert b"300000" in answer


async def test_what_has_begun_is_finished_before_the_server_stops() -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await release.wait()
        await app(scope, receive, send)

    stop = asyncio.Event()
    server = HttpServer(slow, "127.0.0.1:0", drain_seconds=5)
    running = asyncio.create_task(server.run(stop))
    await server.started()
    host, _, port = server.address.rpartition(":")
    asking = asyncio.create_task(exchange((host, int(port)), HEAD + b"Connection: close\r\n\r\n"))
    await begun.wait()
    stop.set()
    await asyncio.sleep(0.2)
    release.set()
    assert (await asking).startswith(b"HTTP/1.1 200")
    await running


async def test_an_honest_chunked_body_comes_through_whole(address: tuple[str, int]) -> None:
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    head = b"POST /read HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await exchange(address, head + chunk * 900 + b"0\r\nX-Sum: 1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"%d" % (900 * 1024))


async def test_a_body_in_pieces_of_one_byte_costs_more_framing_than_it_may(address: tuple[str, int]) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await exchange(address, head, *[b"1\r\nx\r\n" * 2_000] * 20)
    assert answer.startswith(b"HTTP/1.1 431") or answer == b"ConnectionResetError"


async def test_many_pipelined_requests_in_one_segment_are_within_the_budget(address: tuple[str, int]) -> None:
    one = HEAD + b"X: " + b"y" * 1_000 + b"\r\n\r\n"
    answer = await exchange(address, one * 100 + HEAD + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 101


async def test_every_answer_has_the_header_against_sniffing_once(address: tuple[str, int]) -> None:
    for request in (HEAD + b"Connection: close\r\n\r\n", b"nonsense\r\n\r\n", HEAD + b"X: " + b"y" * 70_000):
        answer = await exchange(address, request)
        if not answer.startswith(b"Connection"):
            assert answer.lower().count(b"x-content-type-options: nosniff") == 1, answer
