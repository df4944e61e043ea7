"""The whole suite under kill -9: customers write through the gateway while its processes die at random instants.

A history says of every write whether it was acknowledged, refused or unknown; afterwards the suite itself is asked what
there is. Acknowledged means exactly one effect, refused none, unknown at most one; and every call became one charge.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from libs.clock import rfc3339_ms, utcnow
from local.demo.api import Api
from local.demo.console import Console
from local.demo.envelope import post_call, signed
from local.demo.journey import Journey, publish_an_agent, sign_up
from local.suite import Suite
from tests.faults.jobs import Outcome

_SERVICES = ("identity", "agent", "knowledge", "calllog", "billing", "realtime")
VICTIMS = ("gateway", *_SERVICES, *(f"{name}-worker" for name in _SERVICES))
SETTLE_SECONDS = 90.0


@dataclass
class History:
    """What became of each write, by its kind and its own name."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, kind: str, name: str, status: int | None) -> None:
        verdict = "unknown" if status is None or status >= 500 else "ok" if status < 300 else "fail"
        self.known[kind, name] = verdict

    def problems(self, kind: str, effects: Counter[str]) -> list[str]:
        found = []
        for (of, name), verdict in self.known.items():
            least, most = {"ok": (1, 1), "fail": (0, 0), "unknown": (0, 1)}[verdict]
            if of == kind and not least <= effects[name] <= most:
                found.append(f"{kind} {name}: {verdict}, yet {effects[name]} effects")
        return found

    def count(self, verdict: str) -> int:
        return sum(one == verdict for one in self.known.values())


async def kill_processes(folder: Path, kills: int, writes: int, rate: float, seed: int) -> Outcome:
    """`writes` at `rate` a second from one customer, `kills` spread over them; NATS loses its store once."""
    chance = random.Random(seed)
    with Suite(folder, environment={"LIMITS": "bench"}) as suite:
        journey = await _customer(suite.url)
        history = History()
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=suite.url, timeout=10, limits=limits) as http:
            killing = asyncio.create_task(_kill(suite, kills, writes / rate / kills, chance))
            writing = [asyncio.create_task(_write(http, journey, history, n, n / rate)) for n in range(writes)]
            await asyncio.gather(*writing)
            await killing
            problems = await _settled(http, journey, history)
        for api in journey.callers:
            await api.close()
    figures = {"kills": kills, "acknowledged": history.count("ok"), "unknown": history.count("unknown")}
    return Outcome(figures=figures, problems=problems)


async def _customer(url: str) -> Journey:
    console = Console(io.StringIO())
    journey = Journey(Api(url, console), console)
    await sign_up(journey)
    await publish_an_agent(journey)
    return journey


async def _kill(suite: Suite, kills: int, every: float, chance: random.Random) -> None:
    for number in range(kills):
        await asyncio.sleep(every * chance.uniform(0.5, 1.5))
        if number == kills // 2:
            _lose_nats(suite)
        with contextlib.suppress(ProcessLookupError, StopIteration, TypeError):  # it is down already
            suite.kill(chance.choice(VICTIMS), signal.SIGKILL)


def _lose_nats(suite: Suite) -> None:
    """The server dies and its store is gone when it comes back."""
    store = Path(suite.run["stores"]["nats"]["data"])
    store.rename(store.with_name("nats-gone"))
    suite.kill("nats", signal.SIGKILL)


async def _write(http: httpx.AsyncClient, journey: Journey, history: History, number: int, at: float) -> None:
    """One write at its time, tried once: what became of it goes into the history."""
    await asyncio.sleep(at)
    kind, name = ("agent", "usage", "call")[number % 3], f"w{number}"
    try:
        answer = await _post(http, journey, kind, name)
        history.note(kind, name, answer.status_code)
    except httpx.TransportError:
        history.note(kind, name, None)


async def _post(http: httpx.AsyncClient, journey: Journey, kind: str, name: str) -> httpx.Response:
    headers = {"Authorization": journey.api.authorization, "Idempotency-Key": name}
    if kind == "agent":
        return await http.post("/api/agents", json={"name": name}, headers=headers)
    if kind == "usage":
        event = {"id": name, "meter": "llm_tokens", "timestamp": rfc3339_ms(utcnow()), "value": "1"}
        return await http.post("/api/billing/usage-events", json=event, headers=headers)
    body, signature = signed(post_call(journey.external_agent_id, name, seconds=6), journey.webhook_secret)
    return await http.post("/" + journey.made["webhookUrl"].split("/", 3)[3], content=body, headers=signature)


async def _settled(http: httpx.AsyncClient, journey: Journey, history: History) -> list[str]:
    """The problems that are left when everything acknowledged had time to take effect."""
    deadline = time.monotonic() + SETTLE_SECONDS
    problems = ["never asked"]
    while problems and time.monotonic() < deadline:
        await asyncio.sleep(1.0)
        try:
            problems = await _problems(http, journey, history)
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            problems = [f"the suite does not answer: {error}"]
    return problems


async def _problems(http: httpx.AsyncClient, journey: Journey, history: History) -> list[str]:
    agents = Counter(row["name"] for row in await _all(http, journey, "/api/agents"))
    calls = await _all(http, journey, "/api/call-logs")
    ledger = await _all(http, journey, "/api/billing/ledger")
    charges = Counter(row["usageEventId"] for row in ledger if row["type"] == "usage")
    told = Counter(row["externalCallId"] for row in calls)
    found = history.problems("agent", agents) + history.problems("usage", charges) + history.problems("call", told)
    charged = Counter(row["callId"] for row in ledger if row["callId"])
    found += [f"call {row['id']}: {charged[row['id']]} charges" for row in calls if charged[row["id"]] != 1]
    answer = await http.get("/api/billing/reconcile", headers={"Authorization": journey.api.authorization})
    answer.raise_for_status()
    return found + [f"reconcile: {difference}" for difference in answer.json()["differences"]]


async def _all(http: httpx.AsyncClient, journey: Journey, path: str) -> list[dict[str, Any]]:
    """Every row of a list, by cursor."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        parameters = {"cursor": cursor, "limit": "200"}
        answer = await http.get(path, params=parameters, headers={"Authorization": journey.api.authorization})
        answer.raise_for_status()
        rows += answer.json()["data"]
        cursor = answer.json()["nextCursor"]
    return rows
