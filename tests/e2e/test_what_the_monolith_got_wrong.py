"""Every weak spot of the application that this suite replaces, one test each, through the public doors of a running
suite. Rooms of services test the same in depth; this list is complete and short.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import websockets.asyncio.client
import websockets.exceptions

from local.demo.listening import Listener
from local.processes.memory import children_by_parent
from local.runner.suite import Suite
from tests.contract import tree_rules
from tests.integration.gateway.test_rate_limits import MISSING, gateways
from tests.patience import PATIENCE_SECONDS

from .conftest import PASSWORD, Customer, problem, until
from .deliveries import Account, conversation, fresh_id
from .document import DOCUMENT

__all__ = ["gateways"]  # a fixture: three gateways before one Valkey
ROOT = Path(__file__).resolve().parents[2]
# Writes that need no credential: each proves who asks by what it carries (a password, a mailed link, a signature).
PUBLIC_WRITES = {
    "/api/auth/password/forgot", "/api/auth/password/reset", "/api/invitations/accept", "/api/invitations/preview",
    "/api/login", "/api/login/openid", "/api/login/openid/complete", "/api/login/second-factor",
    "/api/notifications/unsubscribe/{token}", "/api/register", "/api/register/resend", "/api/register/verify",
    "/api/webhooks/bland/{orgToken}", "/api/webhooks/elevenlabs/{orgToken}/post-call",
    "/api/webhooks/retell/{orgToken}", "/api/webhooks/stripe", "/api/webhooks/vapi/{orgToken}",
}  # fmt: skip


# 1
async def test_a_sockets_identity_comes_from_its_token_and_never_from_the_query(ada: Customer, bob: Customer) -> None:
    theirs = ada.http.post("/api/realtime/token", json={}).json()
    own = bob.http.post("/api/realtime/token", json={}).json()
    claimed = f"{own['url']}&userId={ada.user['id']}&organizationId={ada.organization['id']}&token={theirs['token']}"
    async with websockets.asyncio.client.connect(claimed) as socket:
        await socket.send('{"id":1,"connect":{}}')
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in (3500, 3501)  # no token: ended for good
    async with websockets.asyncio.client.connect(claimed) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {"token": own["token"]}}))
        assert "connect" in json.loads(await socket.recv())
        await socket.send(json.dumps({"id": 2, "subscribe": {"channel": theirs["channels"][0]}}))
        assert json.loads(await socket.recv())["error"]["code"] == 103


# 2
def test_no_answer_has_a_password_or_its_hash(customer: Callable[[], Customer]) -> None:
    made = customer()
    login = made.bearing(None).post("/api/login", json={"email": made.email, "password": PASSWORD})
    paths = ("/api/auth/user", "/api/users", f"/api/users/{made.user['id']}", "/api/audit-logs", "/api/organization")
    answers = [login, *(made.http.get(path) for path in paths)]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert "$argon2" not in answer.text
        assert PASSWORD not in answer.text
        assert not re.search(r'"password(_?hash)?"\s*:\s*"(?!\(hidden\))', answer.text, re.IGNORECASE)


# 3
@pytest.mark.parametrize("path", ["/api/agents/{agent}", "/api/organization", "/api/users/{user}"])
def test_an_organization_id_in_a_patch_is_refused(ada: Customer, bob: Customer, path: str) -> None:
    where = path.format(agent=ada.agent()["id"], user=ada.user["id"])
    before = ada.http.get(where).json()
    answer = ada.http.patch(where, json={"organizationId": bob.organization["id"]})
    refused = problem(answer, 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == ["#/organizationId"]
    assert ada.http.get(where).json() == before


# 4
def test_every_action_needs_a_credential_but_those_that_carry_their_own_proof(ada: Customer) -> None:
    writes = [
        (method, path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if method not in ("get", "head", "options", "parameters")
    ]
    public = {path for _, path, operation in writes if operation.get("security") == []}
    assert public == PUBLIC_WRITES
    stranger = ada.bearing(None)
    for method, path, operation in writes:
        if operation.get("security") != []:
            answer = stranger.request(method, re.sub(r"\{\w+\}", "nothing", path), json={})
            assert answer.status_code == 401, f"{method} {path}"


# 5
async def test_a_providers_key_is_stored_sealed_and_never_answered(
    suite: Suite, customer: Callable[[], Customer]
) -> None:
    made, key, secret = customer(), f"sk_{secrets.token_hex(16)}", f"wsec_{secrets.token_hex(16)}"
    credentials = {"apiKey": key, "webhookSecret": secret}
    answers = [made.http.put("/api/integrations/elevenlabs", json={"credentials": credentials})]
    answers += [
        made.http.get(path) for path in ("/api/integrations", "/api/integrations/elevenlabs", "/api/audit-logs")
    ]
    entries = until(lambda: made.http.get("/api/audit-logs").json()["data"])
    answers += [made.http.get(f"/api/audit-logs/{entry['id']}") for entry in entries]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert key not in answer.text
        assert secret not in answer.text
    rows = await rows_of_every_table(suite, made.organization["id"])
    assert any("elevenlabs" in row for row in rows)
    shapes = [form for clear in (key, secret) for form in (clear, clear.encode().hex())]
    assert not [row[:200] for row in rows if any(shape in row for shape in shapes)]


async def rows_of_every_table(suite: Suite, organization: str) -> list[str]:
    """The rows of an organization in all schemas, as text."""
    database = await asyncpg.connect(suite.run["stores"]["postgres"]["adminUrl"])
    try:
        tables = await database.fetch(
            "select c.table_schema as schema, c.table_name as name from information_schema.columns c"
            " join information_schema.tables t using (table_schema, table_name)"
            " where c.column_name = 'org_id' and t.table_type = 'BASE TABLE'"
        )
        found: list[str] = []
        for table in tables:
            rows = f'select x::text as row from "{table["schema"]}"."{table["name"]}" x where x.org_id = $1'
            found += [row["row"] for row in await database.fetch(rows, organization)]
        return found
    finally:
        await database.close()


# 6
def test_a_webhooks_signature_is_demanded_over_the_bytes_that_came(bob: Customer) -> None:
    account, external_id = Account(bob, "elevenlabs"), fresh_id()
    document = conversation(external_id, agent_id="agent_of_bob")
    written = json.dumps(document, indent=3, sort_keys=True).replace("Good morning.", "G\\u006fod morning.")
    sent = f" {written}\n".encode()
    again = json.dumps(json.loads(sent)).encode()
    for body in (again, sent + b" "):
        problem(account.deliver(body, headers=account.signature(sent)), 401, "webhook_signature_invalid")
    problem(account.deliver(sent, headers={}), 401, "webhook_signature_invalid")
    assert account.deliver(sent, headers=account.signature(sent)).status_code == 200
    assert account.call(external_id)["transcript"][0]["text"] == "Good morning."


# 7
def test_a_delivery_finds_the_agents_of_its_own_organization_alone(ada: Customer, bob: Customer) -> None:
    external = fresh_id("agent")
    Account(ada, "elevenlabs")
    own = ada.agent()
    tied = ada.http.patch(f"/api/agents/{own['id']}", json={"externalAgentId": external})
    assert tied.status_code == 200, tied.text
    external_id = fresh_id()
    call = Account(bob, "elevenlabs").told(conversation(external_id, agent_id=external), external_id)
    assert call["agentId"] is None
    assert ada.http.get("/api/call-logs", params={"externalCallId": external_id}).json()["data"] == []


# 8
async def test_a_limit_is_counted_over_all_gateways_whatever_a_header_claims(
    gateways: list[httpx.AsyncClient],
) -> None:
    refused = 0
    for number in range(520):
        headers = {
            "authorization": f"Bearer wrong{number}", "x-forwarded-for": f"203.0.113.{number % 250}",
            "forwarded": f"for=198.51.100.{number % 250}", "x-real-ip": f"192.0.2.{number % 250}",
        }  # fmt: skip
        answer = await gateways[number % 3].get(MISSING, headers=headers)
        refused += answer.status_code == 429
    assert refused == 20


# 10
def test_one_delivery_in_many_copies_is_one_call_and_one_charge(customer: Callable[[], Customer]) -> None:
    made, external_id = customer(), fresh_id()
    account = Account(made, "elevenlabs")
    made.bearing(None)  # opened once, before threads share it
    body = json.dumps(conversation(external_id, agent_id="agent_of_no_one")).encode()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: account.deliver(body), range(24)))
    assert [answer.status_code for answer in answers] == [200] * 24
    assert sum(not answer.json()["duplicate"] for answer in answers) == 1
    call = account.call(external_id)
    charges = until(lambda: [row for row in ledger(made) if row["callId"] == call["id"]])
    assert len(charges) == 1
    assert len(made.http.get("/api/call-logs").json()["data"]) == 1


def ledger(made: Customer) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = made.http.get("/api/billing/ledger", params={"limit": "200"}).json()["data"]
    return rows


# 11
def test_credit_that_is_spent_and_added_at_once_adds_up(customer: Callable[[], Customer]) -> None:
    made = customer()
    before = Decimal(made.http.get("/api/billing/balance").json()["posted"])

    def spend(number: int) -> httpx.Response:
        event = {"id": f"e{number}", "meter": "sms_segments", "timestamp": "2026-01-02T03:04:05Z", "value": "1"}
        return made.http.post("/api/billing/usage-events", json=event)

    def add(number: int) -> httpx.Response:
        headers = {"Idempotency-Key": f"t{number}"}
        return made.http.post("/api/billing/top-ups", json={"amount": "1.00", "currency": "USD"}, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: (add if number % 3 == 0 else spend)(number), range(60)))
    assert [answer.status_code for answer in answers] == [201] * 60
    until(lambda: len([row for row in ledger(made) if row["type"] == "usage"]) == 40)
    spent = sum(Decimal(row["amount"]) for row in ledger(made) if row["type"] == "usage")
    assert spent < 0
    assert Decimal(made.http.get("/api/billing/balance").json()["posted"]) == before + 20 + spent
    assert made.http.get("/api/billing/reconcile").json()["differences"] == []


# 12
def test_lists_leave_transcripts_out_and_queries_name_their_columns(ada: Customer) -> None:
    account, external_id = Account(ada, "elevenlabs"), fresh_id()
    whole = account.told(conversation(external_id, agent_id="agent_x"), external_id)
    row = next(row for row in ada.http.get("/api/call-logs").json()["data"] if row["id"] == whole["id"])
    assert whole["transcript"]
    assert whole.keys() - row.keys() >= {"transcript"}
    assert "Hello." not in json.dumps(row)
    assert tree_rules.select_star(ROOT) == []


# 13
def test_a_document_that_fails_marks_no_other(ada: Customer) -> None:
    def upload(name: str, content: bytes) -> str:
        answer = ada.http.post("/api/documents/upload", files={"document": (name, content)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["documentId"])

    names = [upload(f"good-{number}.txt", f"Opening hours of shop {number}.".encode()) for number in range(3)]
    broken = upload("broken.pdf", b"%PDF-1.7\nno page, no table of objects")
    names += [upload(f"good-{number}.txt", f"Opening hours of shop {number}.".encode()) for number in range(3, 6)]

    def status(name: str) -> dict[str, Any]:
        found: dict[str, Any] = ada.http.get(f"/api/documents/{name}/status").json()
        return found

    until(lambda: all(status(name)["status"] != "processing" for name in (*names, broken)))
    assert status(broken)["status"] == "failed"
    assert status(broken)["error"]
    assert [status(name)["status"] for name in names] == ["completed"] * 6


# 14
async def test_closing_one_tab_leaves_the_users_other_sockets(customer: Callable[[], Customer]) -> None:
    made = customer()
    token = made.http.post("/api/realtime/token", json={}).json()
    channel = next(name for name in token["channels"] if name.endswith(":agents"))
    async with listening(token, channel) as other:
        async with listening(token, channel):
            pass
        told = made.agent(name="after the first tab closed")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not [event for event in other.of_type("agent.created") if event["data"]["agentId"] == told["id"]]:
                await asyncio.sleep(0.05)
        assert other.subscribed == 1


@asynccontextmanager
async def listening(token: dict[str, Any], channel: str) -> AsyncIterator[Listener]:
    listener = Listener(token["url"], token["token"], channel)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop()


# 15
def test_analytics_of_nothing_are_zero_or_unknown(customer: Callable[[], Customer]) -> None:
    made = customer()
    found = made.http.get("/api/analytics/organization").json()
    known = {name: value for name, value in found.items() if value not in (0, None)}
    assert {name: value for name, value in known.items() if isinstance(value, int | float | str)} == {}
    assert {"totalCalls": found["totalCalls"], "estimatedCost": found["estimatedCost"]} == {
        "totalCalls": 0, "estimatedCost": None,
    }  # fmt: skip


# 16
def test_an_upload_lies_in_the_object_store_and_nowhere_else(suite: Suite, ada: Customer) -> None:
    marker = f"only the object store has {secrets.token_hex(16)}".encode()
    sent = ada.http.post("/api/documents/upload", files={"document": ("a.txt", marker)}).json()
    until(lambda: ada.http.get(f"/api/documents/{sent['documentId']}/status").json()["status"] == "completed")
    stores = {Path(store["data"]).resolve() for store in suite.run["stores"].values()}
    holding = [path for path in files_below(suite.folder.path, stores) if marker in path.read_bytes()]
    assert holding
    assert {path.relative_to(suite.folder.path).parts[0] for path in holding} == {"blobs"}
    for process in suite.run["processes"]:
        opened = [link.readlink() for link in Path(f"/proc/{process['pid']}/fd").iterdir() if link.is_symlink()]
        assert not [path for path in opened if path in holding]


def files_below(folder: Path, without: set[Path]) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not without & set(path.resolve().parents):
            yield path


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process and its children stand still; a backend of PostgreSQL answers although its postmaster stands."""
    everyone = [pid, *children_by_parent().get(pid, [])]
    for one in everyone:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in everyone:
            os.kill(one, signal.SIGCONT)


# 9, the last, because it stops PostgreSQL for a moment
def test_health_says_that_the_database_is_away(suite: Suite, ada: Customer) -> None:
    with stopped(int(suite.run["stores"]["postgres"]["pid"])):
        until(lambda: ada.bearing(None).get("/health").status_code == 503)
        answer = ada.bearing(None).get("/health")
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["connections"]["database"] == "disconnected"
    until(lambda: ada.bearing(None).get("/health").status_code == 200)
    until(lambda: ada.http.post("/api/agents", json={"name": "after the stop"}).status_code == 201)
