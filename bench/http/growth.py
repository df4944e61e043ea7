"""`make bench-growth`: what a read costs with 10 agents and with a million, and with one gateway and with three.

It starts a suite of its own. CPU µs per request of the gateways, the agent service, PostgreSQL and Redis, so a busy
machine changes it little. A read with an Idempotency-Key reaches the service always, which is how a miss is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench.http.__main__ import IN_FLIGHT, cost_of_hits, cpu_micros, spent_micros
from local.runner.suite import Suite

FEW = 10
# How long cached values are asked for.
CACHED_SECONDS = 5.0
# Requests before those that are measured.
WARM = 300
GATEWAYS = (1, 3)
# A figure may change by so much, in percent of that of the small one.
FLAT = 15.0
_COPY = """
insert into agent.agent ({columns})
select {values} from agent.agent a, generate_series(1, $2::bigint) number where a.org_id = $1 and a.id = $3
"""


@dataclass
class Reader:
    """A customer's reads over all gateways of a suite, and what they cost."""

    suite: Suite
    http: httpx.AsyncClient
    gateways: Sequence[str]
    numbers: Iterator[int]

    async def miss(self, path: str, requests: int) -> None:
        left = iter(range(requests))

        async def worker() -> None:
            for number in left:
                headers = {"Idempotency-Key": f"miss-{next(self.numbers)}"}
                answer = await self.http.get(self.gateways[number % len(self.gateways)] + path, headers=headers)
                answer.raise_for_status()

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))

    async def missed(self, path: str, requests: int) -> float:
        """CPU µs per request that reaches the service."""
        await self.miss(path, WARM)
        before = cpu_micros(processes(self.suite))
        await self.miss(path, requests)
        return spent_micros(before, cpu_micros(processes(self.suite))) / requests

    async def cached(self, path: str) -> float:
        """CPU µs per request that a gateway answers."""
        authorization = self.http.headers["Authorization"]
        return await cost_of_hits(self.gateways, processes(self.suite), path, authorization, CACHED_SECONDS)

    async def costs(self, agent: str, requests: int) -> dict[str, float]:
        # As many rows on the page whatever the number of agents.
        paths = {"page": f"/api/agents?limit={FEW}", "row": f"/api/agents/{agent}"}
        used = {f"cached {what}": await self.cached(path) for what, path in paths.items()}
        return used | {f"missed {what}": await self.missed(path, requests) for what, path in paths.items()}


def processes(suite: Suite) -> list[int]:
    """The processes that answer a read: gateways, agent service, Redis, and all of PostgreSQL."""
    run = suite.run
    pids = [one["pid"] for one in run["processes"] if one["service"] == "gateway"]
    pids += [suite.process("agent")["pid"], run["stores"]["redis"]["pid"]]
    server = run["stores"]["postgres"]["pid"]
    children = Path(f"/proc/{server}/task/{server}/children").read_text("ascii").split()
    return [*pids, server, *map(int, children)]


async def multiply(admin_url: str, org_id: str, agent: str, count: int) -> None:
    """So many further agents of the organization, each a copy of that one with an id, a name and times of its own."""
    admin: Any = await asyncpg.connect(admin_url)
    names = await admin.fetch(
        "select column_name from information_schema.columns where table_schema = 'agent' and table_name = 'agent'"
        " and is_generated = 'NEVER'"
    )
    columns = [record["column_name"] for record in names]
    own = {
        "id": "left(a.id, -8) || lpad(number::text, 8, '0')",
        "name": "'Copy ' || number",
        "created_at": "a.created_at - number * interval '1 s'",
        "updated_at": "a.updated_at - number * interval '1 s'",
    }
    values = ", ".join(own.get(column, f"a.{column}") for column in columns)
    await admin.execute(_COPY.format(columns=", ".join(columns), values=values), org_id, count, agent, timeout=1_800)
    await admin.execute("vacuum analyze agent.agent", timeout=600)
    await admin.close()


async def measure(suite: Suite, requests: int, copies: int) -> list[dict[str, float]]:
    """The costs as the suite is, and, where copies are asked for, with so many agents more."""
    headers = {"Authorization": f"Bearer {suite.api_key}", "Accept-Encoding": "identity"}
    gateways = [one["http"] for one in suite.run["processes"] if one["service"] == "gateway"]
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        reader = Reader(suite, http, gateways, itertools.count())
        body = {"name": "Bench", "systemPrompt": "You are helpful. " * 20, "tags": ["bench"]}
        made = [(await http.post(f"{gateways[0]}/api/agents", json=body)).raise_for_status().json() for _ in range(FEW)]
        agent = made[0]["id"]
        found = [await reader.costs(agent, requests)]
        if copies:
            org = (await http.get(f"{gateways[0]}/api/organization")).raise_for_status().json()["id"]
            await multiply(suite.run["stores"]["postgres"]["adminUrl"], org, agent, copies)
            found.append(await reader.costs(agent, requests))
        return found


def report(title: str, small: Mapping[str, float], large: Mapping[str, float]) -> list[str]:
    """Print both and their ratio; what is not flat."""
    print(title)
    for what in small:
        print(f"  {what:12} {small[what]:8.0f} {large[what]:8.0f} µs CPU: {large[what] / small[what]:.2f}")
    return [f"{title}, {what}" for what in small if large[what] > (1 + FLAT / 100) * small[what]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.http.growth", description=__doc__)
    parser.add_argument("--agents", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=600)
    given = parser.parse_args()
    by_gateways: list[dict[str, float]] = []
    by_agents: list[dict[str, float]] = []
    for gateways in GATEWAYS:
        with (
            tempfile.TemporaryDirectory() as folder,
            Suite(Path(folder), scale=f"gateway={gateways}", environment={"LIMITS": "bench"}) as suite,
        ):
            copies = given.agents if gateways == 1 else 0
            found = asyncio.run(measure(suite, given.requests, copies))
            by_gateways.append(found[0])
            by_agents += found if copies else []
    missed = report("1 gateway, 3 gateways", *by_gateways)
    missed += report(f"{FEW} agents, {given.agents}", *by_agents)
    print(f"bench-growth: {'not flat: ' + '; '.join(missed) if missed else 'all flat'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
