"""Secrets of a whole run (promise H11): a customer makes, uses and misplaces them. Afterwards none is in a log, a
trace, a problem document, Redis, or any row: what is kept of them is hashed or sealed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import redis
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from local.runner.suite import Suite
from local.stores import run_sql
from suite.services import SERVICES

from .conftest import PASSWORD, Customer, registering, until
from .deliveries import KEY, SECRET, Account, conversation, fresh_id

# Requests of `_misplace`, none of which has success.
MISPLACED = 14
_TABLES = """
select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname in ({})"""


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent, as bytes."""

    def __init__(self) -> None:
        self.exports: list[bytes] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 (the generated name)
        self.exports.append(request.SerializeToString())
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    server, servicer = grpc.server(ThreadPoolExecutor(2)), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    server.stop(0)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, collector: tuple[Collector, str]) -> Iterator[Suite]:
    settings = {"LIMITS": "bench", "LOG_LEVEL": "DEBUG", "OTEL_EXPORTER_OTLP_ENDPOINT": collector[1]}
    with Suite(tmp_path_factory.mktemp("traced"), environment=settings) as running:
        yield running


@dataclass
class Run:
    """What a customer did: the secrets of it by name, and the refusals that it got."""

    canaries: dict[str, str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def fresh(self, name: str) -> str:
        """A secret that the customer has from elsewhere."""
        self.canaries[name] = f"canary{secrets.token_hex(12)}"
        return self.canaries[name]

    def kept(self, name: str, secret: str) -> str:
        """A secret that the suite gave."""
        self.canaries[name] = secret
        return secret

    def note(self, answer: httpx.Response) -> None:
        answer.read()
        if answer.status_code >= 400:
            self.refusals.append(answer.text)


@pytest.fixture(scope="module")
def run(traced: Suite) -> Run:
    run = Run({"password": PASSWORD, "provider's key": KEY, "provider's webhook secret": SECRET})
    with registering(traced.url) as register:
        ada = register()
        ada.http.event_hooks = {"response": [run.note]}
        run.kept("session", ada.token)
        _use(run, ada)
        with httpx.Client(base_url=traced.url, timeout=30, event_hooks={"response": [run.note]}) as stranger:
            _misplace(run, ada, stranger)
    return run


def _use(run: Run, ada: Customer) -> None:
    key = ada.key("*")
    holder = ada.bearing(run.kept("API key", key["secret"]))
    assert holder.get("/api/agents").status_code == 200
    run.kept("rotated key", ada.http.post(f"/api/api-keys/{key['id']}/rotate", json={}).json()["secret"])
    account, told = Account(ada, "elevenlabs"), fresh_id()
    account.told(conversation(told), told)
    endpoint = {"url": "http://127.0.0.1:9901/none", "eventTypes": ["call.ended"]}
    made = ada.http.post("/api/webhook-endpoints", json=endpoint).json()
    run.kept("webhook endpoint", made["secret"].removeprefix("whsec_"))
    ada.http.post(f"/api/webhook-endpoints/{made['id']}/test")
    factor = ada.http.post("/api/auth/second-factor", json={"password": PASSWORD}).json()
    run.kept("second factor", factor["secret"])
    opened = ada.http.post("/api/realtime/token", json={}).json()
    token = run.kept("connection token", opened["token"])
    for sent in ({"headers": {"Authorization": f"Bearer {token}"}}, {"params": {"token": token}}):
        with httpx.stream("GET", opened["eventsUrl"], timeout=30, **sent) as stream:  # type: ignore[arg-type]
            assert stream.status_code == 200
    until(lambda: ada.http.get("/api/audit-logs").json()["data"])


def _misplace(run: Run, ada: Customer, stranger: httpx.Client) -> None:
    """Secrets where mistakes put them; each request is refused."""
    stranger.post("/api/login", json={"email": ada.email, "password": run.fresh("wrong password")})
    stranger.post("/api/login", json={"email": ada.email, "password": [run.fresh("password of another type")]})
    stranger.post(
        "/api/login",
        content=f'{{"password": "{run.fresh("broken JSON")}"',
        headers={"Content-Type": "application/json"},
    )
    stranger.post("/api/register", json={"password": run.fresh("password without an address")})
    for place in ("Authorization", "X-API-Key", "Cookie"):
        stranger.get("/api/agents", headers={place: run.fresh(f"a {place} of no kind")})
    stranger.get("/api/agents", headers={"Authorization": f"Bearer esx_test_{run.fresh('an unknown key')}"})
    ada.http.get("/api/agents", params={"token": run.fresh("an unknown parameter"), "page": "x"})
    ada.http.post("/api/agents", json={"name": "x", "apiKey": run.fresh("an unknown field")})
    credentials = {"apiKey": [run.fresh("a key of another type")], "webhookSecret": run.fresh("a secret beside it")}
    ada.http.put("/api/integrations/elevenlabs", json={"credentials": credentials})
    ada.http.put("/api/integrations/nothing", json={"credentials": {"apiKey": run.fresh("a key of no provider")}})
    ada.http.post(
        "/api/auth/password", json={"currentPassword": run.fresh("no current one"), "newPassword": run.fresh("new")}
    )
    body = b'{"type": "post_call_transcription"}'
    signed = {"ElevenLabs-Signature": f"t=1,v0={run.fresh('a forged signature')}"}
    stranger.post(Account(ada, "elevenlabs").path, content=body, headers=signed)


def shapes(secret: str) -> list[bytes]:
    """As text, and as PostgreSQL shows bytes."""
    return [secret.encode(), secret.encode().hex().encode()]


def found(run: Run, *where: bytes) -> set[str]:
    """The names of the secrets that are there."""
    return {
        name for name, secret in run.canaries.items() for text in where if any(one in text for one in shapes(secret))
    }


def test_refusals_repeat_no_secret(run: Run) -> None:
    assert len(run.refusals) == MISPLACED
    assert found(run, *(text.encode() for text in run.refusals)) == set()


def test_no_log_and_no_trace_has_a_secret(traced: Suite, run: Run, collector: tuple[Collector, str]) -> None:
    until(lambda: b"/api/login" in b"".join(collector[0].exports))
    logs = {path.name: path.read_bytes() for path in Path(traced.folder.logs).glob("*.log")}
    assert {"gateway.log", "identity.log", "calllog-worker.log"} <= logs.keys()
    assert all(logs.values())
    assert {name: names for name, text in logs.items() if (names := found(run, text))} == {}
    assert found(run, *collector[0].exports) == set()


def test_no_row_and_nothing_in_redis_has_a_secret(traced: Suite, run: Run) -> None:
    database = traced.run["stores"]["postgres"]["adminUrl"]
    named = ", ".join(f"'{service}'" for service in SERVICES)
    rows = {
        table: run_sql(database, f"select t::text from {table} t").encode()
        for table in run_sql(database, _TABLES.format(named)).split()
    }
    assert b"elevenlabs" in rows["agent.integration"]
    assert {table: names for table, text in rows.items() if (names := found(run, text))} == {}
    client: Any = redis.Redis.from_url(traced.run["stores"]["redis"]["url"])
    client.config_set("rdbcompression", "no")  # so that a dump shows what it holds
    stored = [key + b" " + (client.dump(key) or b"") for key in client.scan_iter()]
    client.close()
    assert stored
    assert found(run, *stored) == set()
