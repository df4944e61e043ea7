import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.telemetry.ops import OpsServer, Page


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[OpsServer, str]]:
    ops = OpsServer("127.0.0.1:0")
    address = await ops.start()
    yield ops, address
    await ops.stop()


async def _ask(address: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


async def test_metrics_are_prometheus_text(server: tuple[OpsServer, str]) -> None:
    status, headers, body = await _ask(server[1], b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert int(headers["Content-Length"]) == len(body)
    assert b"process_resident_memory_bytes" in body
    assert b"process_cpu_seconds_total" in body
    assert b"# TYPE rpc_server_duration_seconds histogram" in body


async def test_readiness_names_what_is_missing(server: tuple[OpsServer, str]) -> None:
    ops, address = server
    ops.checks["database"] = lambda: False
    status, _, body = await _ask(address, b"GET /ready HTTP/1.1\r\n\r\n")
    assert (status, json.loads(body)) == (503, {"status": "unready", "failing": ["database"]})
    ops.checks["database"] = lambda: True
    status, _, body = await _ask(address, b"GET /ready HTTP/1.1\r\n\r\n")
    assert (status, json.loads(body)) == (200, {"status": "ready", "failing": []})


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /live HTTP/1.1\r\n\r\n", 200),
        (b"HEAD /live HTTP/1.1\r\n\r\n", 200),
        (b"POST /live HTTP/1.1\r\n\r\n", 405),
        (b"GET /other HTTP/1.1\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 405),
    ],
)
async def test_only_three_questions_are_answered(
    server: tuple[OpsServer, str], request_line: bytes, status: int
) -> None:
    assert (await _ask(server[1], request_line))[0] == status


async def test_an_endless_head_is_cut(server: tuple[OpsServer, str]) -> None:
    host, _, port = server[1].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /live HTTP/1.1\r\nX: " + b"a" * 20_000)
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


async def test_a_page_is_made_once_for_all_who_ask_within_a_second(server: tuple[OpsServer, str]) -> None:
    made = 0

    async def page() -> Page:
        nonlocal made
        made += 1
        await asyncio.sleep(0.05)
        return Page(503, b"well", "text/plain")

    server[0].add_page("/suite", page)
    answers = await asyncio.gather(*(_ask(server[1], b"GET /suite HTTP/1.1\r\n\r\n") for _ in range(20)))
    assert {(status, body) for status, _, body in answers} == {(503, b"well")}
    assert made == 1


async def test_a_page_that_cannot_be_made_is_a_500_and_the_port_lives_on(server: tuple[OpsServer, str]) -> None:
    async def page() -> Page:
        raise ValueError("no figures")

    server[0].add_page("/suite", page)
    assert (await _ask(server[1], b"GET /suite HTTP/1.1\r\n\r\n"))[0] == 500
    assert (await _ask(server[1], b"GET /live HTTP/1.1\r\n\r\n"))[0] == 200
