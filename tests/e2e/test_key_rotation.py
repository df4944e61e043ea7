"""Every key of a running suite is replaced under a customer's load: no request is refused or fails for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from local.cli import keys
from local.paths import ROOT
from local.processes.probes import http_ready
from local.runner.keys import Keys
from local.runner.rotation import KEPT, kids_of
from local.runner.shown_keys import keys_of
from local.runner.suite import Suite
from local.stores import run_sql
from tests.patience import PATIENCE_SECONDS
from tests.receivers import SILENT

# Seconds between two requests of the load.
EVERY_SECONDS = 0.05
# Sealed values beside the provider's: more than two batches of the job.
ENDPOINTS = 40


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with Suite(tmp_path_factory.mktemp("rotating"), scale="gateway=2", environment={"LIMITS": "bench"}) as suite:
        yield suite


def _client(suite: Suite) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {suite.api_key}"}
    return httpx.AsyncClient(base_url=suite.url, headers=headers, timeout=30)


async def _keys(suite: Suite, *words: str) -> str:
    """`python -m local keys …` as an operator runs it; what it said."""
    command = [sys.executable, "-m", "local", "keys", *words, "--var", str(suite.folder.path)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Load:
    """Reads, writes, merged lists and tokens, one after the other without a pause for answers."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.statuses: Counter[int] = Counter()
        self.failed: list[str] = []
        self._stop = asyncio.Event()

    async def run(self) -> None:
        count, running = 0, set[asyncio.Task[None]]()
        while not self._stop.is_set():
            task = asyncio.create_task(self._ask(count))
            running.add(task)
            task.add_done_callback(running.discard)
            count += 1
            await asyncio.sleep(EVERY_SECONDS)
        await asyncio.gather(*running)

    def stop(self) -> None:
        self._stop.set()

    async def _ask(self, count: int) -> None:
        kind = count % 5
        # A parameter that no other request has, so that no cache answers.
        fresh = {"page": 1, "limit": 1 + count % 50}
        if kind == 0:
            body = {"name": f"agent {count}", "systemPrompt": "Be brief."}
            answer = await self.client.post("/api/agents", json=body, headers={"idempotency-key": f"load-{count}"})
        elif kind == 1:
            answer = await self.client.post("/api/realtime/token")
        else:
            paths = {2: "/api/jobs", 3: "/api/webhook-endpoints", 4: "/api/agents"}
            answer = await self.client.get(paths[kind], params=fresh)
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 400:
            self.failed.append(f"{answer.status_code} {answer.request.method} {answer.request.url.path} {answer.text}")


def _processes(suite: Suite) -> list[dict[str, Any]]:
    return [entry for entry in suite.run["processes"] if entry.get("ops")]


def _active(suite: Suite) -> dict[tuple[str, str], set[str]]:
    """The ids that make, of each process and setting."""
    found: dict[tuple[str, str], set[str]] = {}
    for process in _processes(suite):
        for row in keys_of(process):
            if row["state"] == "active":
                found.setdefault((process["name"], row["setting"]), set()).add(row["kid"].rpartition("/")[2])
    return found


def _pids(suite: Suite) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in _processes(suite)}


def _values_under(suite: Suite, schema: str, table: str, column: str) -> Counter[str]:
    """How many values each key id has encrypted."""
    sql = (
        f"select convert_from(substring({column} from 3 for get_byte({column}, 1)), 'UTF8') "
        f"from {schema}.{table} where {column} is not null"
    )
    return Counter(run_sql(suite.run["stores"]["postgres"]["adminUrl"], sql).split())


async def _stream_status(suite: Suite, token: str) -> int:
    url = f"{suite.credentials['eventsUrl']}/api/events/stream"
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", url, params={"token": token, "after": "0"}) as answer,
    ):
        return answer.status_code


async def _until(what: str, condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


async def test_all_keys_are_replaced_under_load_without_a_restart_or_a_refused_request(own: Suite) -> None:
    before, pids = Keys.load_or_create(own.folder.keys_file).values, _pids(own)
    async with _client(own) as client:
        account = {"credentials": {"apiKey": "sk_" + "a" * 40, "webhookSecret": "wsec_" + "b" * 40}}
        made = await client.put("/api/integrations/elevenlabs", json=account)
        assert made.status_code < 300, made.text
        # Of events that do not happen: forty refused deliveries of each agent would keep the machine from the rest.
        for number in range(ENDPOINTS):
            body = {"url": f"http://127.0.0.1:{SILENT[0]}/{number}", "eventTypes": ["agent.deleted"]}
            created = await client.post("/api/webhook-endpoints", json=body)
            assert created.status_code == 201, created.text
        token = (await client.post("/api/realtime/token")).json()["token"]
        page = (await client.get("/api/agents", params={"limit": 1})).json()
        first = await client.post(
            "/api/agents", json={"name": "once", "systemPrompt": "x"}, headers={"idempotency-key": "over-a-rotation"}
        )
        load = Load(client)
        loading = asyncio.create_task(load.run())
        said = await _keys(own, "rotate")
        await asyncio.sleep(1)
        load.stop()
        await loading
        assert load.failed == []
        assert load.statuses.total() > 50
        assert "encryption.agent" in said
        # What was made under the old keys goes on: a token, a cursor, a fingerprint.
        assert await _stream_status(own, token) == 200
        assert await _stream_status(own, token[:-4] + "AAAA") == 401
        again = await client.post(
            "/api/agents", json={"name": "once", "systemPrompt": "x"}, headers={"idempotency-key": "over-a-rotation"}
        )
        assert (again.json()["id"], again.headers["idempotency-replayed"]) == (first.json()["id"], "true")
        if cursor := page.get("pagination", {}).get("nextCursor"):
            assert (await client.get("/api/agents", params={"limit": 1, "cursor": cursor})).status_code == 200
    after = Keys.load_or_create(own.folder.keys_file).values
    rotated = [name for name in before if before[name] != after[name]]
    assert {name.partition(".")[0] for name in rotated} == {"principal", "encryption", "cursor", "realtime"}
    assert all(after[name].endswith("," + before[name]) for name in rotated)
    new = {kids_of(after[name])[0] for name in rotated}
    assert all(kids <= new for kids in _active(own).values()), _active(own)
    assert _pids(own) == pids


async def test_stored_secrets_are_encrypted_anew_and_only_then_is_their_key_dropped(
    own: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = Keys.load_or_create(own.folder.keys_file).values
    current = {service: kids_of(values[f"encryption.{service}"])[0] for service in ("agent", "realtime")}
    for schema, table, column in (
        ("agent", "integration", "api_key"),
        ("agent", "integration", "webhook_secret"),
        ("realtime", "webhook_endpoint", "secret"),
    ):
        await _until(
            f"{table}.{column} is encrypted anew",
            lambda s=schema, t=table, c=column: _values_under(own, s, t, c).keys() == {current[s]},
        )
    assert _values_under(own, "realtime", "webhook_endpoint", "secret").total() == ENDPOINTS
    assert "dropped" not in await _keys(own, "retire", "encryption")  # its time is not over
    monkeypatch.setitem(KEPT, "encryption", timedelta(0))
    assert await asyncio.to_thread(keys.retire, own.folder, ["encryption.agent", "encryption.realtime"]) == 0
    assert capsys.readouterr().out.count("dropped") == 2
    async with _client(own) as client:
        found = await client.get("/api/webhook-endpoints", params={"limit": 1})
        endpoint = found.json()["data"][0]["id"]
        assert (await client.post(f"/api/webhook-endpoints/{endpoint}/rotate")).status_code == 200
    # A value that still needs the old key keeps it.
    await _keys(own, "rotate", "encryption.realtime")
    values = Keys.load_or_create(own.folder.keys_file).values
    old, admin = kids_of(values["encryption.realtime"])[1], own.run["stores"]["postgres"]["adminUrl"]
    await _until(
        "all are encrypted anew",
        lambda: old not in _values_under(own, "realtime", "webhook_endpoint", "secret"),
    )
    head = (bytes((1, len(old))) + old.encode()).hex()
    run_sql(
        admin,
        f"update realtime.webhook_endpoint set previous_secret = '\\x{head}'::bytea "
        "where id = (select min(id) from realtime.webhook_endpoint)",
    )
    assert await asyncio.to_thread(keys.retire, own.folder, ["encryption.realtime"]) == 0
    assert "still needs it" in capsys.readouterr().out
    assert old in kids_of(Keys.load_or_create(own.folder.keys_file).values["encryption.realtime"])
    assert http_ready(f"{own.url}/health")
