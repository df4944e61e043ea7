"""The peer: a monolith in Node (Express, pg, BullMQ, Socket.IO) on stores of its own, which are those of the suite.

It proves, stores, rates in a ledger and tells as the suite does, with the promises that such a monolith has: what it
tells is lost with the process, and a call whose job was not added is never rated.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bench.calls.posting import Posting
from bench.jobs.measure import Role, cpu_of, percentile
from bench.node import installed
from local.demo.envelope import post_call, signed
from local.stores import Stores, run_sql

NODE = Path(__file__).parent / "node"
SECRET = "wsec_bench"
AGENT = "agent_bench"
_CUSTOMER = f"""
insert into integration values ('token', 'org_1', '{SECRET}');
insert into agent values ('agt_1', 'org_1', '{AGENT}', 1);
insert into account values ('org_1', 1000000000)"""


@dataclass(frozen=True)
class Measured:
    """Milliseconds of CPU and commits a call, calls a second; milliseconds until the answer and until the event."""

    cpu_ms: float
    by_process: dict[str, float]
    commits: float
    per_second: float
    webhook_p99_ms: float
    visible_p99_ms: float


def measure(calls: int, rate: float, warm_up: int) -> Measured:
    """Post this many calls at this rate, after a warm-up."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-calls-") as folder,
        Stores(Path(folder), parts=("postgres", "redis")) as stores,
    ):
        return asyncio.run(_measure(stores, calls, rate, warm_up))


async def _measure(stores: Stores, calls: int, rate: float, warm_up: int) -> Measured:
    run_sql(stores.postgres_admin_dsn, "create database monolith")
    database = _database(stores.postgres_admin_dsn)
    run_sql(database, (NODE / "schema.sql").read_text("utf-8"))
    run_sql(database, _CUSTOMER)
    with _served(database, stores.redis_url) as (server, port):
        await _send(port, warm_up, 20.0)
        pids = {"node": server.pid, **{name: store.pid or 0 for name, store in stores.all.items()}}
        before, commits = {name: cpu_of(pid) for name, pid in pids.items()}, _commits(database)
        sent, answered, ended, took = await _send(port, calls, rate)
        used = {name: (cpu_of(pid) - before[name]) / calls * 1000 for name, pid in pids.items()}
        await asyncio.sleep(2.0)  # pg_stat_database shows what ended before
        visible = [ended[name] - at for name, at in sent.items()]
        return Measured(
            sum(used.values()), used, (_commits(database) - commits) / calls, calls / took,
            percentile(answered, 0.99) * 1000, percentile(visible, 0.99) * 1000,
        )  # fmt: skip


async def _send(port: int, calls: int, rate: float) -> tuple[dict[str, float], list[float], dict[str, float], float]:
    """When each conversation was sent, how long the answers took, when each end was heard, and the seconds of all."""
    listener = Role(
        ["node", "server.mjs", "listen", "--port", str(port), "--calls", str(calls)], {}, installed("calls", NODE)
    )
    listener.say()
    sent: dict[str, float] = {}
    answered: list[float] = []
    posting = Posting(f"http://127.0.0.1:{port}")

    async def post() -> None:
        conversation = f"conv_{os.urandom(12).hex()}"
        body, headers = signed(post_call(AGENT, conversation), SECRET)
        sent[conversation] = began = time.time()
        status, _ = await posting.post("/webhooks/token", body, headers)
        if status != HTTPStatus.OK:
            raise SystemExit(f"the monolith answered {status}")
        answered.append(time.time() - began)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            group.create_task(post())
    said = await asyncio.to_thread(listener.say)
    took = time.perf_counter() - started
    posting.close()
    listener.wait()
    return sent, answered, said["ended"], took


@contextmanager
def _served(database: str, redis: str) -> Iterator[tuple[Role, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    named = ["--port", str(port), "--database", database, "--redis", redis]
    server = Role(["node", "server.mjs", "serve", *named], {}, installed("calls", NODE))
    try:
        server.say()
        yield server, port
    finally:
        server.kill()


def _commits(database: str) -> int:
    return int(run_sql(database, "select xact_commit from pg_stat_database where datname = 'monolith'"))


def _database(admin: str) -> str:
    parts = urlsplit(admin)
    return urlunsplit((parts.scheme, parts.netloc, "/monolith", "", ""))
