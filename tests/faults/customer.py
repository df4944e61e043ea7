"""A customer of a suite under faults: what it asks, what it was told, and whether the suite agrees afterwards.

A history says of every write whether it was acknowledged, refused or unknown; afterwards the suite itself is asked what
there is. Acknowledged means exactly one effect, refused none, unknown at most one; and every call became one charge.
It tries each request once, so that every answer is counted; writes carry an Idempotency-Key, a provider's webhook none.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from libs.clock import rfc3339_ms, utcnow
from local.demo.api import Api
from local.demo.console import Console
from local.demo.envelope import post_call, signed
from local.demo.journey import Journey, publish_an_agent, sign_up

SETTLE_SECONDS = 90.0
TIMEOUT_SECONDS = 10.0
# One of each service's; identity is asked with every one of them.
READS = (
    "/api/agents?limit=20",
    "/api/knowledge-base/entries?limit=20",
    "/api/call-logs?limit=20",
    "/api/billing/ledger?limit=20",
    "/api/webhook-endpoints?limit=20",
    "/api/organization",
)


@dataclass
class History:
    """What became of each write, by its kind and its own name."""

    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, kind: str, name: str, status: int | None) -> None:
        """409: the same key still runs in a process that took the first try over; whether it ends well is not told."""
        verdict = "unknown" if status in (None, 409) or status >= 500 else "ok" if status < 300 else "fail"
        self.known[kind, name] = verdict

    def problems(self, kind: str, effects: Counter[str]) -> list[str]:
        found = []
        for (of, name), verdict in self.known.items():
            least, most = {"ok": (1, 1), "fail": (0, 0), "unknown": (0, 1)}[verdict]
            if of == kind and not least <= effects[name] <= most:
                found.append(f"{kind} {name}: {verdict}, yet {effects[name]} effects")
        return found

    def names(self, kind: str, verdict: str) -> list[str]:
        return [name for (of, name), one in self.known.items() if of == kind and one == verdict]

    def count(self, verdict: str) -> int:
        return sum(one == verdict for one in self.known.values())


class Customer:
    """One organization with an agent, an API key and connections that are kept open."""

    def __init__(self, http: httpx.AsyncClient, journey: Journey) -> None:
        self._http = http
        self._journey = journey
        self.headers = {"Authorization": journey.api.authorization}
        self.history = History()

    async def read(self, number: int) -> int | None:
        """The status of one read, None when no answer came."""
        with contextlib.suppress(httpx.TransportError):
            return (await self._http.get(READS[number % len(READS)], headers=self.headers)).status_code
        return None

    async def search(self, number: int) -> int | None:
        """The status of a read that no cache has: each asks for other words."""
        with contextlib.suppress(httpx.TransportError):
            asked = {"search": f"words {number}"}
            answer = await self._http.get("/api/knowledge-base/entries", params=asked, headers=self.headers)
            return answer.status_code
        return None

    async def post(self, path: str) -> dict[str, Any]:
        """The answer to a write without a body that must succeed and is no part of the history."""
        answer = await self._http.post(path, json={}, headers=self.headers)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    async def write(self, number: int) -> int | None:
        """The status of one write, None when no answer came; it goes into the history."""
        kind, name = ("agent", "usage", "call")[number % 3], f"w{number}"
        status = None
        with contextlib.suppress(httpx.TransportError):
            status = (await self._post(kind, name)).status_code
        self.history.note(kind, name, status)
        return status

    async def _post(self, kind: str, name: str) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": name}
        if kind == "agent":
            return await self._http.post("/api/agents", json={"name": name}, headers=headers)
        if kind == "usage":
            event = {"id": name, "meter": "llm_tokens", "timestamp": rfc3339_ms(utcnow()), "value": "1"}
            return await self._http.post("/api/billing/usage-events", json=event, headers=headers)
        envelope = post_call(self._journey.external_agent_id, name, seconds=6)
        body, signature = signed(envelope, self._journey.webhook_secret)
        path = "/" + self._journey.made["webhookUrl"].split("/", 3)[3]
        return await self._http.post(path, content=body, headers=signature)

    async def events(self, after: str) -> list[dict[str, Any]]:
        """A page of the log's agent.created after the position."""
        asked = {"after": after, "types": "agent.created", "limit": "200"}
        answer = await self._http.get("/api/events", params=asked, headers=self.headers)
        answer.raise_for_status()
        page: list[dict[str, Any]] = answer.json()["data"]
        return page

    async def mistype(self, times: int) -> None:
        """Fail to sign in, so that there are tries to be remembered."""
        for _ in range(times):
            guess = {"email": "no one@example.com", "password": "a wrong guess"}
            answer = await self._http.post("/api/login", json=guess)
            if answer.status_code != 401:
                raise AssertionError(f"a wrong password was answered {answer.status_code}")

    async def settled(self) -> list[str]:
        """The problems that are left when everything acknowledged had time to take effect."""
        deadline = time.monotonic() + SETTLE_SECONDS
        problems = ["never asked"]
        while problems and time.monotonic() < deadline:
            await asyncio.sleep(1.0)
            try:
                problems = await self._problems()
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                problems = [f"the suite does not answer: {error}"]
        return problems

    async def _problems(self) -> list[str]:
        agents = Counter(row["name"] for row in await self._all("/api/agents"))
        calls = await self._all("/api/call-logs")
        ledger = await self._all("/api/billing/ledger")
        charges = Counter(row["usageEventId"] for row in ledger if row["type"] == "usage")
        told = Counter(row["externalCallId"] for row in calls)
        history = self.history
        found = history.problems("agent", agents) + history.problems("usage", charges) + history.problems("call", told)
        charged = Counter(row["callId"] for row in ledger if row["callId"])
        found += [f"call {row['id']}: {charged[row['id']]} charges" for row in calls if charged[row["id"]] != 1]
        answer = await self._http.get("/api/billing/reconcile", headers=self.headers)
        answer.raise_for_status()
        return found + [f"reconcile: {difference}" for difference in answer.json()["differences"]]

    async def _all(self, path: str) -> list[dict[str, Any]]:
        """Every row of a list, by cursor."""
        rows: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = await self._http.get(path, params={"cursor": cursor, "limit": "200"}, headers=self.headers)
            answer.raise_for_status()
            rows += answer.json()["data"]
            cursor = answer.json()["nextCursor"]
        return rows


@contextlib.asynccontextmanager
async def customer(url: str, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Customer]:
    """A new organization at a running suite; `transport` may spread its requests."""
    console = Console(io.StringIO())
    journey = Journey(Api(url, console), console)
    limits = httpx.Limits(max_connections=100)
    try:
        await sign_up(journey)
        await publish_an_agent(journey)
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, limits=limits, transport=transport) as http:
            yield Customer(http, journey)
    finally:
        for api in journey.callers:
            await api.close()
