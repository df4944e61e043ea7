"""Every quota, filled over HTTP to a small limit: 409 quota_reached names it, and GET /api/quotas shows it full."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator

import httpx
import pytest

from local.runner.suite import Suite
from suite.tables import QUOTAS
from tests.receivers import SILENT

from .conftest import Customer, problem, registering
from .deliveries import Account, conversation, fresh_id

# Small enough to fill each with a few requests.
LIMITS = {
    "api_keys": 3,
    "ended_api_keys": 2,
    "children": 2,
    "archived_children": 2,
    "white_label_hosts": 2,
    "agents": 3,
    "deleted_agents": 2,
    "agent_versions": 2,
    "knowledge_entries": 3,
    "sources": 2,
    "documents": 2,
    "document_bytes": 40,
    "webhook_bytes_per_day": 2_000,
    "usage_events_per_day": 4,
    "webhook_endpoints": 2,
    "webhook_tests_per_day": 2,
    "idempotency_keys_per_day": 3,
    "invitations": 2,
    "ended_invitations": 2,
    "invitation_mails_per_day": 4,
    "live_calls": 2,
    "live_turns_per_day": 4,
    "pending_call_commands": 2,
}
# Users are invited and accept by mail (tests/integration/services/identity). The others are filled with a stand-in of
# the payment provider, which has unpaid checkouts (test_payments.py).
ELSEWHERE = {"users", "pending_top_ups", "unpaid_top_ups"}
Answers = Iterator[httpx.Response]
Fill = Callable[[Customer], Answers]


def _agents(one: Customer) -> Answers:
    while True:
        yield one.http.post("/api/agents", json={"name": "One more"})


def _deleted_agents(one: Customer) -> Answers:
    while True:
        made = one.http.post("/api/agents", json={"name": "One more"})
        yield made
        yield one.http.delete(f"/api/agents/{made.json()['id']}")


def _versions(one: Customer) -> Answers:
    agent = one.agent()["id"]
    while True:
        one.http.patch(f"/api/agents/{agent}", json={"description": secrets.token_hex(4)})
        yield one.http.post(f"/api/agents/{agent}/publish", json={})


def _keys(one: Customer) -> Answers:
    while True:
        yield one.http.post("/api/api-keys", json={"name": "one more", "scopes": ["agents:read"]})


def _ended_keys(one: Customer) -> Answers:
    while True:
        made = one.http.post("/api/api-keys", json={"name": "one more", "scopes": ["agents:read"]})
        yield made
        yield one.http.delete(f"/api/api-keys/{made.json()['id']}")


def _child(one: Customer) -> httpx.Response:
    path = f"/api/organizations/{one.organization['id']}/children"
    return one.http.post(path, json={"name": "One more"})


def _children(one: Customer) -> Answers:
    while True:
        yield _child(one)


def _archived_children(one: Customer) -> Answers:
    while True:
        made = _child(one)
        yield made
        yield one.http.delete(made.headers["location"])


def _hosts(one: Customer) -> Answers:
    while True:
        yield one.http.post("/api/whitelabel/hosts", json={"host": f"{secrets.token_hex(6)}.example.com"})


def _entries(one: Customer) -> Answers:
    while True:
        yield one.http.post("/api/knowledge-base/entries", json={"title": "One more", "content": "Words."})


def _sources(one: Customer) -> Answers:
    while True:
        url = f"http://127.0.0.1:{SILENT[0]}/{secrets.token_hex(4)}"
        yield one.http.post("/api/knowledge-base/sources", json={"url": url})


def _documents(one: Customer) -> Answers:
    while True:
        yield one.http.post("/api/documents/upload", files={"document": ("a.txt", b"Words.")})


def _document_bytes(one: Customer) -> Answers:
    while True:
        yield one.http.post("/api/documents/upload", files={"document": ("a.txt", b"Words. " * 5)})


def _deliveries(one: Customer) -> Answers:
    account = Account(one, "elevenlabs")
    while True:
        yield account.deliver(conversation(fresh_id()))


def _usage(one: Customer) -> Answers:
    while True:
        known = {"meter": "llm_tokens", "timestamp": "2026-01-02T03:04:05Z", "value": "1"}
        events = [{"id": secrets.token_hex(8), **known} for _ in range(2)]
        yield one.http.post("/api/billing/usage-events", json={"events": events})


def _endpoints(one: Customer) -> Answers:
    while True:
        sent = {"url": f"http://127.0.0.1:{SILENT[0]}/none", "eventTypes": ["call.ended"]}
        yield one.http.post("/api/webhook-endpoints", json=sent)


def _tests(one: Customer) -> Answers:
    endpoint = next(_endpoints(one)).json()["id"]
    while True:
        yield one.http.post(f"/api/webhook-endpoints/{endpoint}/test")


def _keyed(one: Customer) -> Answers:
    while True:
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        yield one.http.patch("/api/organization", json={"name": secrets.token_hex(4)}, headers=headers)


def _invite(one: Customer) -> httpx.Response:
    sent = {"email": f"{secrets.token_hex(6)}@example.com", "role": "viewer"}
    return one.http.post("/api/users/invitations", json=sent)


def _invitations(one: Customer) -> Answers:
    while True:
        yield _invite(one)


def _ended_invitations(one: Customer) -> Answers:
    while True:
        made = _invite(one)
        yield made
        yield one.http.delete(f"/api/users/invitations/{made.json()['id']}")


def _invitation_mails(one: Customer) -> Answers:
    made = _invite(one)
    while True:
        yield one.http.post(f"/api/users/invitations/{made.json()['id']}/resend")


def _live_call(one: Customer) -> httpx.Response:
    return one.http.post("/api/live-calls", json={"externalCallId": secrets.token_hex(8)})


def _live_calls(one: Customer) -> Answers:
    while True:
        yield _live_call(one)


def _live_turns(one: Customer) -> Answers:
    call = _live_call(one).json()["id"]
    for index in itertools.count():
        turns = [{"index": index, "role": "user", "text": "Hello."}]
        yield one.http.post(f"/api/live-calls/{call}/turns", json={"turns": turns})


def _commands(one: Customer) -> Answers:
    call = _live_call(one).json()["id"]
    while True:
        yield one.http.post(f"/api/live-calls/{call}/commands", json={"type": "end_call"})


FILL: dict[str, Fill] = {
    "api_keys": _keys,
    "ended_api_keys": _ended_keys,
    "children": _children,
    "archived_children": _archived_children,
    "white_label_hosts": _hosts,
    "agents": _agents,
    "deleted_agents": _deleted_agents,
    "agent_versions": _versions,
    "knowledge_entries": _entries,
    "sources": _sources,
    "documents": _documents,
    "document_bytes": _document_bytes,
    "webhook_bytes_per_day": _deliveries,
    "usage_events_per_day": _usage,
    "webhook_endpoints": _endpoints,
    "webhook_tests_per_day": _tests,
    "idempotency_keys_per_day": _keyed,
    "invitations": _invitations,
    "ended_invitations": _ended_invitations,
    "invitation_mails_per_day": _invitation_mails,
    "live_calls": _live_calls,
    "live_turns_per_day": _live_turns,
    "pending_call_commands": _commands,
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Customer]]:
    """`small()`: a customer of a suite whose quotas are small."""
    limits = ",".join(f"{name}={limit}" for name, limit in LIMITS.items())
    environment = {"LIMITS": "bench", "QUOTAS": limits}
    with Suite(tmp_path_factory.mktemp("small"), environment=environment) as suite, registering(suite.url) as register:
        yield register


def test_every_quota_is_filled_here_or_with_a_payment_provider() -> None:
    assert FILL.keys() == LIMITS.keys()
    assert FILL.keys() | ELSEWHERE == {quota.name for quotas in QUOTAS.values() for quota in quotas}


@pytest.mark.parametrize("name", FILL)
def test_a_full_quota_refuses_by_name_and_is_shown_full(small: Callable[[], Customer], name: str) -> None:
    one = small()
    answers: list[httpx.Response] = []
    for answer in FILL[name](one):
        answers.append(answer)
        if answer.status_code >= 300:
            break
        assert len(answers) <= 12, f"{name} lets everything in"
    refused = problem(answers[-1], 409, "quota_reached")
    assert f"{LIMITS[name]:,}" in refused["detail"]
    assert len(answers) > 1, f"{name} lets nothing in"
    shown = {quota["name"]: quota for quota in one.http.get("/api/quotas").json()["data"]}
    assert shown[name]["limit"] == LIMITS[name]
    assert 0 < shown[name]["used"] <= LIMITS[name]
    assert shown.keys() == LIMITS.keys() | ELSEWHERE


def test_a_key_sees_the_quotas_of_what_it_may_read(small: Callable[[], Customer]) -> None:
    one = small()
    holder = one.bearing(one.key("agents:read")["secret"])
    names = {quota["name"] for quota in holder.get("/api/quotas").json()["data"]}
    assert names == {"agents", "deleted_agents", "agent_versions", "idempotency_keys_per_day"}
