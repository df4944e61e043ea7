"""`make bench-http-chain`: misses and writes of ours beside Express -> grpc-js -> pg with the same transactions.

Against the running suite, started with LIMITS=bench; `ARGS="REQUESTS AGENTS"`. CPU µs per request of gateway, agent
service, Redis and PostgreSQL, or of the peer's two processes with the same stores. AGENTS fills the organization with
so many agents first, to see how the cost grows. Our misses include what a fill costs; the peer writes its value with
SET. Our writes include the relay, in the agent service and in PostgreSQL, until the last event is published; the peer
writes its outbox and publishes nothing.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from redis.asyncio import Redis

from bench.http.__main__ import KEPT_SECONDS, cpu_micros, free_port, spent_micros
from bench.journey import Customer
from bench.node import installed
from bench.request_cpu import RUN
from libs.ids import new_id, new_job_id
from suite.services import SERVICES

HERE = Path(__file__).parent
# As many as a gateway takes at once when it is slowest: one more may be refused, and a refusal is no miss.
IN_FLIGHT = 8
WARM = 200
# A service's jobs: more than a page.
JOBS = 200
# The peer's CPU by ours, at least.
GOALS = {"page": 1.0, "calls": 1.0, "jobs": 1.0, "row": 1.25, "patch": 1.0}
_COPY = """
insert into agent.agent (org_id, id, name, description, tags, status, provider, external_agent_id, system_prompt,
    first_message, language, voice_id, llm_model, llm_temperature, llm_max_tokens, dynamic_variables, draft_digest,
    published_digest, published_version, latest_version, version, created_at, updated_at)
select org_id, x.id, 'Bench ' || x.n, description, tags, status, provider, '', system_prompt, first_message, language,
    voice_id, llm_model, llm_temperature, llm_max_tokens, dynamic_variables, draft_digest, published_digest,
    published_version, latest_version, 1, created_at - x.n * interval '1 second', updated_at
from agent.agent a, unnest($2::text[]) with ordinality as x(id, n) where a.id = $1"""
_CALLS = """
insert into calllog.call (org_id, id, provider, external_call_id, external_agent_id, agent_id, agent_version, status,
    completeness, direction, from_number, to_number, successful, duration_seconds, started_at, ended_at, title, summary,
    language, termination_reason, provider_cost_units, turn_count, cost_micros, cost_currency, tags, billable, version,
    created_at, updated_at)
select $1, x.id, 'elevenlabs', 'conv_' || x.n, 'agent_bench', $2, 1, 'completed', 3, 'inbound', '+15550100',
    '+15550101', true, 61.5, t.at, t.at + interval '61.5 seconds', 'Bench ' || x.n,
    'The caller asked when the office opens.', 'en', 'end_call', 1200, 12, 250000, 'USD', '{bench}', false, 3, t.at,
    t.at
from unnest($3::text[]) with ordinality as x(id, n), lateral (select now() - x.n * interval '1 second' as at) t"""
_JOBS = """
insert into {service}.job (id, queue, kind, org_id, state, run_at, attempt, max_attempts, result, started_at,
    finished_at, progress)
select id, 'bench', 'bench', $1, 'completed', now(), 1, 5, '{{"rows": 12}}', now(), now(), 100
from unnest($2::text[]) as x(id)"""
_TABLES = """
create schema if not exists bench_http;
create table if not exists bench_http.outbox (like agent.outbox including all);
create table if not exists bench_http.cache_invalidation (like agent.cache_invalidation including all);
grant usage on schema bench_http to agent_app;
grant insert on all tables in schema bench_http to agent_app;
grant usage on all sequences in schema bench_http to agent_app"""
# Seconds that the relay is given to publish what a side wrote.
RELAY_SECONDS = 120.0

Ask = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Work:
    """What is asked, of which services; `ask` gets the number of the request, so that no row is asked for twice."""

    name: str
    ask: Ask
    services: Collection[str]


@contextmanager
def node(home: Path, script: str, *args: str) -> Iterator[int]:
    """A peer's process; gives its pid."""
    server = subprocess.Popen(["node", script, *args], cwd=home, stdout=subprocess.PIPE)
    try:
        if server.stdout is None or server.stdout.readline().strip() != b"ready":
            raise SystemExit(f"{script} did not start")
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def works(agents: Sequence[str], headers: dict[str, str]) -> list[Work]:
    # A list for which a version is demanded comes from its service.
    listed = {**headers, "X-Min-Version": "1"}
    patched = {**headers, "Content-Type": "application/merge-patch+json"}

    async def page(client: httpx.AsyncClient, number: int) -> httpx.Response:
        return await client.get("/api/agents?limit=50", headers=listed)

    async def row(client: httpx.AsyncClient, number: int) -> httpx.Response:
        return await client.get(f"/api/agents/{agents[number % len(agents)]}", headers=headers)

    async def patch(client: httpx.AsyncClient, number: int) -> httpx.Response:
        path = f"/api/agents/{agents[number % len(agents)]}"
        return await client.patch(path, headers=patched, content=json.dumps({"name": f"Renamed {number}"}))

    async def calls(client: httpx.AsyncClient, number: int) -> httpx.Response:
        return await client.get("/api/call-logs?limit=50", headers=listed)

    async def jobs(client: httpx.AsyncClient, number: int) -> httpx.Response:
        return await client.get("/api/jobs?limit=50", headers=headers)

    return [
        Work("page", page, ["agent"]),
        Work("calls", calls, ["calllog"]),
        Work("jobs", jobs, SERVICES),
        Work("row", row, ["agent"]),
        Work("patch", patch, ["agent"]),
    ]


async def measure(
    url: str, work: Work, pids: Callable[[], dict[str, list[int]]], requests: int, outbox: Outbox
) -> dict[str, float]:
    """CPU µs a request, by process."""
    numbers = iter(range(requests + WARM))

    async def worker(client: httpx.AsyncClient, last: int) -> None:
        for number in numbers:
            (await work.ask(client, number)).raise_for_status()
            if number >= last:
                return

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await asyncio.gather(*(worker(client, WARM - IN_FLIGHT) for _ in range(IN_FLIGHT)))
        await outbox.empty()
        counted = pids()
        before = {name: cpu_micros(group) for name, group in counted.items()}
        await asyncio.gather(*(worker(client, requests + WARM) for _ in range(IN_FLIGHT)))
        await outbox.empty()
        return {name: spent_micros(before[name], cpu_micros(group)) / requests for name, group in counted.items()}


@dataclass(frozen=True)
class Outbox:
    """The agent service's, seen by an administrator."""

    admin: asyncpg.Connection[asyncpg.Record]

    async def empty(self) -> None:
        """Returns when every event is published, so that no side pays for the events of the one before."""
        deadline = time.monotonic() + RELAY_SECONDS
        while time.monotonic() < deadline:
            if not await self.admin.fetchval("select exists (select from agent.outbox where published_at is null)"):
                return
            await asyncio.sleep(0.2)
        raise SystemExit(f"The relay did not publish all events within {RELAY_SECONDS:g} s.")


def tree(pid: int) -> list[int]:
    """A process and its children: PostgreSQL has one a connection."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *map(int, children)]


def _processes(run: Any, services: Collection[str]) -> dict[str, list[int]]:
    """Those of the gateway and of these services, by name."""
    found: dict[str, list[int]] = {}
    for entry in run["processes"]:
        if entry["service"] in ("gateway", *services):
            found.setdefault(f"{entry['service']} {entry['role']}", []).append(entry["pid"])
    return found


def _counted(own: dict[str, list[int]], stores: Any) -> dict[str, list[int]]:
    """The processes of a side and the stores. PostgreSQL has a process for each connection."""
    return {**own, "redis": [stores["redis"]["pid"]], "postgresql": tree(stores["postgres"]["pid"])}


async def prepare(run: Any, customer: Customer, agents: int, admin: Any) -> list[str]:
    """So many agents of the organization, and the peer's tables and session."""
    body = {"name": "Bench", "systemPrompt": "You are helpful. " * 20, "tags": ["bench"]}
    first = await customer.api.post("/api/agents", body)
    ids = [new_id("agt") for _ in range(agents)]
    for start in range(0, agents, 10_000):
        await admin.execute(_COPY, first["id"], ids[start : start + 10_000], timeout=600)
    await admin.execute(_TABLES)
    org = await admin.fetchval("select org_id from agent.agent where id = $1", first["id"])
    calls = [new_id("call") for _ in range(agents)]
    # The table's triggers name their tables without a schema.
    await admin.execute("set search_path = calllog, public")
    for start in range(0, agents, 10_000):
        await admin.execute(_CALLS, org, first["id"], calls[start : start + 10_000], timeout=600)
    await admin.execute("reset search_path")
    # One after the other, so that a page is merged of rows of all services.
    jobs = [(service, new_job_id(service)) for _ in range(JOBS) for service in SERVICES]
    for service in SERVICES:
        await admin.execute(_JOBS.format(service=service), org, [id_ for owner, id_ in jobs if owner == service])
    for table in ("agent.agent", "calllog.call", *(f"{service}.job" for service in SERVICES)):
        await admin.execute(f"vacuum (analyze) {table}", timeout=600)
    async with Redis.from_url(run["stores"]["redis"]["url"]) as redis:
        await redis.set(f"bench:session:{_token(customer)}", json.dumps({"org": org}), ex=KEPT_SECONDS)
        # The peer counts requests in it, and keeps the life that it has.
        await redis.set(f"bench:limit:{_token(customer)}", 0, ex=KEPT_SECONDS)
    return ids


def _token(customer: Customer) -> str:
    return customer.credential.removeprefix("Bearer ")


async def compare(
    run: Any, customer: Customer, requests: int, agents: int, admin: Any
) -> dict[tuple[str, str], dict[str, float]]:
    """CPU µs a request by process, by work and side."""
    home, stores = installed("http", HERE.parent), run["stores"]
    for file in ("peer.proto", "back.mjs", "front.mjs"):
        shutil.copy(HERE / file, home / file)
    ids = await prepare(run, customer, agents, admin)
    headers = {"Authorization": customer.credential, "Accept-Encoding": "identity"}
    used: dict[tuple[str, str], dict[str, float]] = {}
    with ExitStack() as peers:
        ports = free_port(), free_port()
        back = peers.enter_context(node(home, "back.mjs", str(ports[0]), stores["postgres"]["adminUrl"]))
        front = peers.enter_context(node(home, "front.mjs", str(ports[1]), stores["redis"]["url"], str(ports[0])))
        for work in works(ids, headers):
            sides = (
                ("ours", customer.api.url, _processes(run, work.services)),
                ("peer", f"http://127.0.0.1:{ports[1]}", {"front": [front], "back": [back]}),
            )
            for side, url, pids in sides:
                counted = partial(_counted, pids, stores)
                used[work.name, side] = await measure(url, work, counted, requests, Outbox(admin))
    return used


async def main() -> int:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    agents = int(sys.argv[2]) if len(sys.argv) > 2 else 2 * requests + 2 * WARM
    run, customer = json.loads(RUN.read_text("utf-8")), await Customer.sign_up()
    admin = await asyncpg.connect(run["stores"]["postgres"]["adminUrl"])
    try:
        used = await compare(run, customer, requests, agents, admin)
    finally:
        await admin.execute("drop schema if exists bench_http cascade")
        await admin.close()
        await customer.api.close()
    missed = []
    for (name, side), parts in used.items():
        print(f"{name:5} {side:4} " + ", ".join(f"{part} {micros:.0f}" for part, micros in parts.items()))
    for name, goal in GOALS.items():
        ours, peer = sum(used[name, "ours"].values()), sum(used[name, "peer"].values())
        factor = peer / ours
        stores = [used[name, side]["postgresql"] for side in ("ours", "peer")]
        print(f"{name:5} PostgreSQL's part {stores[0]:.0f} and {stores[1]:.0f} µs")
        print(f"{name:5} ours {ours:6.0f} µs, the peer {peer:6.0f} µs: {factor:.2f} times ours, goal {goal:g}")
        missed += [f"{name} {factor:.2f}"] if factor < goal else []
    print(f"bench-http-chain: {agents} agents: {'goals missed: ' + ', '.join(missed) if missed else 'all goals met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
