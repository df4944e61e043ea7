"""`make bench-http`: a cached page and row of ours beside Express and Fastify with ioredis, in one run.

Against the running suite. CPU µs per request (utime + stime) of the processes that answer and of Redis, so a busy
machine changes it little. Each side answers the same bytes to the same client. The other processes of the suite take
no part in a hit; what they do meanwhile is not counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from redis.asyncio import Redis

from bench.journey import Customer
from bench.node import installed
from bench.overload.generator import Generator
from bench.request_cpu import RUN

HERE = Path(__file__).parent
KINDS = ("express", "fastify-parse", "fastify-raw")
AGENTS = 60
# Requests at once, divided among up to three addresses.
IN_FLIGHT = 18
WARM_SECONDS = 1.0
# How long the peers' keys stay in Redis. It is longer than a run.
KEPT_SECONDS = 3_600
# At least so many times cheaper than the peer.
GOALS = {
    ("page", "express"): 3.0,
    ("row", "express"): 2.0,
    ("page", "fastify-parse"): 2.0,
    ("page", "fastify-raw"): 0.9,
}


def cpu_micros(pids: Iterable[int]) -> dict[int, float]:
    """utime + stime in µs of each of the processes that is there."""
    used: dict[int, float] = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
            used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6
    return used


def spent_micros(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """What the processes that both counts have used in between. A process of PostgreSQL may begin or end meanwhile,
    such as a worker of autovacuum; its whole life is not the price of these requests."""
    return sum(after[pid] - before[pid] for pid in before.keys() & after.keys())


@dataclass(frozen=True)
class Side:
    """Where to ask and whose CPU counts."""

    name: str
    url: str
    pids: list[int]

    async def measure(self, path: str, authorization: str, seconds: float) -> float:
        return await cost_of_hits([self.url], self.pids, path, authorization, seconds)


async def cost_of_hits(
    urls: Sequence[str], pids: Sequence[int], path: str, authorization: str, seconds: float
) -> float:
    """CPU µs of the processes per answer, of all addresses asked at once, as fast as they answer."""
    addresses = [urlsplit(url) for url in urls]
    clients = [Generator(address.hostname or "", address.port or 0) for address in addresses]
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n".encode()

    async def ask(wanted: float) -> list[int]:
        asked = [client.saturate([repeat(head)], IN_FLIGHT // len(clients), wanted) for client in clients]
        return [answer.status for answers in await asyncio.gather(*asked) for answer in answers]

    try:
        await ask(WARM_SECONDS)
        before = cpu_micros(pids)
        statuses = await ask(seconds)
        spent = spent_micros(before, cpu_micros(pids))
    finally:
        for client in clients:
            client.close()
    if refused := [status for status in statuses if status != HTTPStatus.OK]:
        raise SystemExit(f"{refused[0]} to {path}")
    return spent / len(statuses)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def node(kind: str, home: Path, redis_url: str, redis_pid: int) -> Iterator[Side]:
    port = free_port()
    command = ["node", "server.mjs", kind, str(port), redis_url]
    server = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE)
    try:
        if server.stdout is None or server.stdout.readline().strip() != b"ready":
            raise SystemExit(f"{kind} did not start")
        yield Side(kind, f"http://127.0.0.1:{port}", [server.pid, redis_pid])
    finally:
        server.terminate()
        server.wait()


async def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    run, home, customer = json.loads(RUN.read_text("utf-8")), installed("http", HERE), await Customer.sign_up()
    body = {"name": "Bench", "systemPrompt": "You are helpful. " * 20, "tags": ["bench"]}
    agents = [(await customer.api.post("/api/agents", body))["id"] for _ in range(AGENTS)]
    paths = {"page": "/api/agents?limit=50", "row": f"/api/agents/{agents[0]}"}
    store = run["stores"]["redis"]
    gateways = [entry["pid"] for entry in run["processes"] if entry["service"] == "gateway"]
    ours = Side("EchoSenseiX", customer.api.url, [*gateways, store["pid"]])
    await _fill(store["url"], customer, paths)
    used: dict[tuple[str, str], float] = {}
    for what, path in paths.items():
        used[what, ours.name] = await ours.measure(path, customer.credential, seconds)
    for kind in KINDS:
        with node(kind, home, store["url"], store["pid"]) as side:
            for what, path in paths.items():
                used[what, kind] = await side.measure(path, customer.credential, seconds)
    await customer.api.close()
    return _report(used, ours.name)


async def _fill(redis_url: str, customer: Customer, paths: Mapping[str, str]) -> None:
    """The peers' session and values: the very bytes that our gateway answers."""
    token = customer.credential.removeprefix("Bearer ")
    async with Redis.from_url(redis_url) as redis, httpx.AsyncClient(base_url=customer.api.url) as client:
        await redis.set(f"bench:session:{token}", json.dumps({"org": "org_1", "scopes": ["*"]}), ex=KEPT_SECONDS)
        for path in paths.values():
            answer = await client.get(path, headers={"Authorization": customer.credential})
            await redis.set(f"bench:value:{path}", answer.raise_for_status().content, ex=KEPT_SECONDS)


def _report(used: Mapping[tuple[str, str], float], ours: str) -> int:
    for (what, side), micros in used.items():
        print(f"{what:5} {side:14} {micros:8.0f} µs CPU")
    missed = []
    for (what, side), goal in GOALS.items():
        factor = used[what, side] / used[what, ours]
        print(f"{what} of {side}: {factor:.2f} times ours, goal {goal:g}")
        missed += [f"{what} {side} {factor:.2f}"] if factor < goal else []
    print(f"bench-http: {'goals missed: ' + ', '.join(missed) if missed else 'all goals met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
