"""What nginx does with the requests of a gateway that dies over them: a real nginx before real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from local.processes.ports import free_ports
from local.processes.probes import tcp_ready
from local.processes.process import Child
from local.runner import nginx
from local.runner.topology import Part, Plan

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
KEY = {"idempotency-key": "k1"}


class Gateway:
    """Reads a request and answers it, or is gone in the middle of it."""

    def __init__(self) -> None:
        self.heard = 0
        self.dies = False
        self._writers: list[asyncio.StreamWriter] = []

    def leave(self) -> None:
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.heard += 1
                if self.dies:
                    break
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def balanced(folder: Path, ports: list[int]) -> AsyncIterator[httpx.AsyncClient]:
    public, *behind = ports
    parts = [
        Part("gateway", "gateway", place, (), {}, {"http": f"http://127.0.0.1:{port}"}, "")
        for place, port in enumerate(behind)
    ]
    command = nginx.command(Plan(tuple(parts), {}, {"gateway": public}), folder / "nginx", folder / "nginx.log")
    child = Child(command)
    child.start()
    try:
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(tcp_ready, public):
                await asyncio.sleep(0.02)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{public}") as http:
            yield http
    finally:
        await asyncio.to_thread(child.stop)


async def _ask(folder: Path, method: str, path: str, headers: dict[str, str]) -> tuple[set[int], int]:
    """The statuses of ten requests, and how many of them reached a gateway that died over them."""
    ports, well, ill = free_ports(3), Gateway(), Gateway()
    ill.dies = True
    async with (
        await asyncio.start_server(well.serve, "127.0.0.1", ports[1]),
        await asyncio.start_server(ill.serve, "127.0.0.1", ports[2]),
        balanced(folder, ports) as http,
    ):
        statuses = {(await http.request(method, path, headers=headers)).status_code for _ in range(10)}
    return statuses, ill.heard


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/api/agents", {}),
        ("POST", "/api/agents", KEY),
        ("PATCH", "/api/agents/agt_1", KEY),
        ("POST", "/api/webhooks/retell/token", {}),
    ],
)
async def test_what_may_be_repeated_is_answered_by_the_other(
    tmp_path: Path, method: str, path: str, headers: dict[str, str]
) -> None:
    statuses, died = await _ask(tmp_path, method, path, headers)
    assert statuses == {200}
    assert died > 0


async def test_a_write_without_a_key_is_not_sent_twice(tmp_path: Path) -> None:
    statuses, died = await _ask(tmp_path, "POST", "/api/agents", {})
    assert statuses == {200, 502}
    assert died > 0


async def test_where_no_one_listens_nothing_was_sent_so_any_write_goes_to_the_other(tmp_path: Path) -> None:
    ports, well = free_ports(3), Gateway()
    async with (
        await asyncio.start_server(well.serve, "127.0.0.1", ports[1]),
        balanced(tmp_path, ports) as http,
    ):
        statuses = {(await http.post("/api/agents")).status_code for _ in range(10)}
    assert statuses == {200}
    assert well.heard == 10


async def test_one_that_is_back_is_asked_at_once_when_its_neighbour_dies(tmp_path: Path) -> None:
    ports, one, other = free_ports(3), Gateway(), Gateway()
    async with balanced(tmp_path, ports) as http:
        async with await asyncio.start_server(one.serve, "127.0.0.1", ports[1]):
            assert {(await http.get("/")).status_code for _ in range(5)} == {200}  # the other one refuses meanwhile
            one.leave()
        async with await asyncio.start_server(other.serve, "127.0.0.1", ports[2]):
            assert {(await http.get("/")).status_code for _ in range(5)} == {200}
