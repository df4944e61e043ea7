"""CPU of the server processes per request: `python -m bench.request_cpu [REQUESTS]` against the running suite.

Counts utime + stime of every process of run.json before and after, divided by the requests; so a busy machine changes
the rate but hardly the figure. Start the suite with LIMITS=bench.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import httpx

from bench.journey import Customer

RUN = Path(__file__).resolve().parent.parent / "var" / "run.json"
REQUESTS = 2_000
IN_FLIGHT = 16
AGENTS = 60


def cpu_seconds() -> dict[str, float]:
    """utime + stime by service and role, of all processes that run now."""
    used: defaultdict[str, float] = defaultdict(float)
    for process in json.loads(RUN.read_text("utf-8"))["processes"]:
        try:
            fields = Path(f"/proc/{process['pid']}/stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        ticks = int(fields[11]) + int(fields[12])
        used[f"{process['service']} {process['role']}"] += ticks / os.sysconf("SC_CLK_TCK")
    return used


async def measure(client: httpx.AsyncClient, path: str, requests: int) -> str:
    await send(client, path, 200)
    before, started = cpu_seconds(), time.perf_counter()
    took = sorted(await send(client, path, requests))
    seconds, after = time.perf_counter() - started, cpu_seconds()
    spent = {name: (after[name] - before[name]) / requests * 1e6 for name in after}
    parts = "  ".join(f"{name} {used:.0f}" for name, used in sorted(spent.items(), key=lambda item: -item[1])[:3])
    p95 = took[int(len(took) * 0.95)] * 1000
    return (
        f"{path}: {requests / seconds:.0f}/s, p95 {p95:.1f} ms, CPU µs a request: {sum(spent.values()):.0f} ({parts})"
    )


async def send(client: httpx.AsyncClient, path: str, requests: int) -> list[float]:
    left = iter(range(requests))
    took: list[float] = []

    async def worker() -> None:
        for _ in left:
            started = time.perf_counter()
            answer = await client.get(path)
            answer.raise_for_status()
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return took


async def _agents(customer: Customer) -> Sequence[str]:
    body = {"name": "Bench", "systemPrompt": "You are helpful. " * 20, "tags": ["bench"]}
    return [(await customer.api.post("/api/agents", body))["id"] for _ in range(AGENTS)]


async def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    customer = await Customer.sign_up()
    agent_id = (await _agents(customer))[0]
    headers = {"Authorization": customer.credential, "Accept-Encoding": "identity"}
    async with httpx.AsyncClient(base_url=customer.api.url, headers=headers, timeout=30) as client:
        for path in (f"/api/agents/{agent_id}", "/api/agents?limit=50", "/health/live"):
            print(await measure(client, path, requests))
    await customer.api.close()


if __name__ == "__main__":
    asyncio.run(main())
