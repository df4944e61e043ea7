"""The public listeners, each in this process as it runs in its own, and raw sockets against them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import statistics
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from libs.http.connection_limits import ConnectionLimits

MIB = 1024 * 1024
# What one turn of the event loop may cost while a listener is attacked.
LAG_SECONDS = 0.25
# The address from which a listener's health is asked, so that the attacker's limits do not count it.
OBSERVER = "127.0.0.2"
# Seconds between questions for a listener's health.
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Door:
    """One listener: where it is, a path that exists, a token that opens it, and its connection limits."""

    name: str
    host: str
    port: int
    path: str
    token: str
    limits: ConnectionLimits
    # Base URL of the listener that answers /health/live in the same process.
    health: str

    @property
    def is_http(self) -> bool:
        return self.name != "websocket"

    def head(self, method: str = "GET", *fields: str) -> bytes:
        lines = [f"{method} {self.path} HTTP/1.1", "Host: h", *fields]
        return "\r\n".join(lines).encode() + b"\r\n"

    def send(self, pieces: Iterable[bytes], *, seconds: float = 20.0, end: bool = False) -> tuple[bytes, int]:
        """Send until the listener closes; its answer, and how many bytes it let us send. Blocks: run it in a thread."""
        sent, answer = 0, b""
        with socket.create_connection((self.host, self.port), timeout=seconds) as client:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    client.sendall(piece)
                    sent += len(piece)
                if end:
                    client.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while more := client.recv(65_536):
                    answer += more
        return answer, sent


@contextlib.asynccontextmanager
async def prompt_loop() -> AsyncIterator[None]:
    """Fails if one turn of the loop took longer than it may.

    Measured in processor time of the loop's thread, so that a busy machine does not count.
    """
    worst = 0.0

    async def beat() -> None:
        nonlocal worst
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.005)
            worst = max(worst, time.thread_time() - before)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
    assert worst < LAG_SECONDS, f"one turn of the loop took {worst:.3f} s"


@dataclass(frozen=True, slots=True)
class Watched:
    """What /health/live answered beside one attack: seconds of each poll, in order."""

    attack: str
    seconds: list[float]

    def line(self) -> str:
        """Milliseconds: median, 95th percentile, worst."""
        ordered = sorted(self.seconds)
        p95 = ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
        figures = (statistics.median(ordered), p95, ordered[-1])
        return "  ".join(f"{figure * 1000:7.1f}" for figure in figures) + f"  {len(ordered):5d}  {self.attack}"


@contextlib.asynccontextmanager
async def health_is_answered(base: str, attack: str) -> AsyncIterator[Watched]:
    """Fails unless every poll beside the attack is answered 200, from an address of its own.

    How long each took is reported and not judged: the attacker shares the machine and this process.
    """
    watched, over = Watched(attack, []), asyncio.Event()
    transport = httpx.AsyncHTTPTransport(local_address=OBSERVER)

    async def poll() -> None:
        async with httpx.AsyncClient(base_url=base, transport=transport, timeout=60) as client:
            while not (over.is_set() and watched.seconds):
                began = time.perf_counter()
                answer = await client.get("/health/live")
                watched.seconds.append(time.perf_counter() - began)
                assert answer.status_code == 200, answer.text
                await asyncio.sleep(POLL_SECONDS)

    polling = asyncio.create_task(poll())
    try:
        yield watched
    finally:
        over.set()
        await polling


@contextlib.asynccontextmanager
async def memory_returns() -> AsyncIterator[None]:
    """Fails if resident memory stays a tenth and 16 MiB above what it was."""
    gc.collect()
    allowed = resident() * 1.1 + 16 * MIB
    yield
    for _ in range(50):
        gc.collect()
        if resident() <= allowed:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{resident() / MIB:.0f} MiB stay resident; allowed are {allowed / MIB:.0f}")


def resident() -> int:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def endless(start: bytes, piece: bytes, total: int = 32 * MIB) -> Iterator[bytes]:
    """`start`, then `piece` until `total` bytes."""
    yield start
    for _ in range(total // len(piece)):
        yield piece
