"""`python -m bench.http.statements`: the statements that PostgreSQL sees for the reads of a journey, cache on and off.

Against the running suite, started with LIMITS=bench. Counted by pg_stat_statements in the whole database, what the
idle suite asks in the same time taken off. A read with an Idempotency-Key always reaches its service, which is how the
cache is off. The reads choose among the customer's own things by Zipf's law; one read in a hundred is a write.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import httpx

from bench.journey import Customer
from bench.request_cpu import RUN

AGENTS = 60
ZIPF = 1.1
# One write in so many requests.
WRITE_EVERY = 100
IN_FLIGHT = 8
# Percent by which the cache must lower the statements.
GOAL = 90.0
# What a page of the console and an integration ask for besides a single agent.
LISTS = (
    "/api/agents?limit=50", "/api/knowledge-base/entries?limit=20", "/api/call-logs?limit=20", "/api/organization",
    "/api/analytics/organization",
)  # fmt: skip
_CALLS = "select coalesce(sum(calls), 0)::bigint from extensions.pg_stat_statements"


async def ask(client: httpx.AsyncClient, agents: Sequence[str], requests: int, *, cached: bool) -> None:
    chance = random.Random(7)
    weights = list(itertools.accumulate(1 / rank**ZIPF for rank in range(1, len(agents) + 1)))
    numbers = iter(range(1, requests + 1))

    async def reader() -> None:
        for number in numbers:
            path = f"/api/agents/{chance.choices(agents, cum_weights=weights)[0]}"
            if number % WRITE_EVERY == 0:
                answer = await client.patch(path, json={"description": f"Changed {cached} {number}"})
            else:
                asked = chance.choice(LISTS) if number % 2 else path
                headers = {} if cached else {"Idempotency-Key": f"off-{number}"}
                answer = await client.get(asked, headers=headers)
            answer.raise_for_status()

    await asyncio.gather(*(reader() for _ in range(IN_FLIGHT)))


async def counted(admin: Any, work: Any) -> float:
    """Statements during the work less those of an idle suite in as many seconds."""
    await admin.execute("select extensions.pg_stat_statements_reset()")
    began = time.monotonic()
    await work
    seconds, seen = time.monotonic() - began, int(await admin.fetchval(_CALLS))
    await admin.execute("select extensions.pg_stat_statements_reset()")
    await asyncio.sleep(min(seconds, 10.0))
    idle = int(await admin.fetchval(_CALLS)) / min(seconds, 10.0)
    return max(0.0, seen - idle * seconds)


async def main() -> int:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    run, customer = json.loads(RUN.read_text("utf-8")), await Customer.sign_up()
    body = {"name": "Bench", "systemPrompt": "You are helpful. " * 20}
    agents = [(await customer.api.post("/api/agents", body))["id"] for _ in range(AGENTS)]
    admin = await asyncpg.connect(run["stores"]["postgres"]["adminUrl"])
    headers = {"Authorization": customer.credential}
    async with httpx.AsyncClient(base_url=customer.api.url, headers=headers, timeout=30) as client:
        off = await counted(admin, ask(client, agents, requests, cached=False))
        on = await counted(admin, ask(client, agents, requests, cached=True))
    await admin.close()
    await customer.api.close()
    fall = 100 * (1 - on / off)
    print(f"{requests} requests: {off / requests:.2f} statements each without the cache, {on / requests:.2f} with it")
    print(f"bench-http-statements: {fall:.1f} % fewer, goal {GOAL:g} %")
    return 0 if fall >= GOAL else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
