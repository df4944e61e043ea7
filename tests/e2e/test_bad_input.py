"""Bad input of part I: each a problem document that says what to do, nothing lost, never a 5xx."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.receivers import SILENT

from .conftest import Customer, problem

JSON = {"Content-Type": "application/json"}


def test_unknown_routes_and_methods(ada: Customer) -> None:
    problem(ada.http.get("/api/nothing"), 404, "route_not_found")
    refused = ada.http.put("/api/agents", json={})
    problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert ada.bearing(None).options("/api/agents/x").headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"name":', 400, "malformed_json"),
        (b'{"name":"a"}{', 400, "malformed_json"),
        (b'{"name":"a","name":"b"}', 400, "duplicate_key"),
        (b'{"name":"\xc3\x28"}', 400, "invalid_utf8"),
        (b'{"name":"\\ud800"}', 422, "validation_failed"),
        (b'{"name":"a\\u0000b"}', 422, "validation_failed"),
        (b"[" * 1000 + b"]" * 1000, 400, "json_too_deep"),
        (b"[" * 500_000, 400, "json_too_deep"),
        (b'{"name":1}', 422, "validation_failed"),
        (b'{"name":"a","llm":[]}', 422, "validation_failed"),
        (b'{"name":"a","unheard":true}', 422, "validation_failed"),
        (b'{"name":"a","organizationId":"org_x"}', 422, "validation_failed"),
        (b'{"name":"a","llm":{"temperature":7}}', 422, "validation_failed"),
        (b'{"name":"a","dynamicVariables":{"x":{"y":1}}}', 422, "validation_failed"),
        (b"null", 422, "validation_failed"),
        (b'{"name":"' + b"a" * (1024 * 1024) + b'"}', 413, "payload_too_large"),
        (b'{"name":"a","x":' + b"1" * 10_000 + b"}", 422, "validation_failed"),
    ],
)
def test_bad_bodies(ada: Customer, content: bytes, status: int, code: str) -> None:
    before = ada.http.get("/api/agents").json()["total"]
    problem(ada.http.post("/api/agents", content=content, headers=JSON), status, code)
    assert ada.http.get("/api/agents").json()["total"] == before


def test_a_body_of_exactly_one_mebibyte_is_read(ada: Customer) -> None:
    content = json.dumps({"name": "a", "systemPrompt": ""}).encode()
    content = content.replace(b'""', b'"' + b"x" * (1024 * 1024 - len(content)) + b'"')
    assert len(content) == 1024 * 1024
    problem(ada.http.post("/api/agents", content=content, headers=JSON), 422, "validation_failed")


def test_a_body_without_a_length_is_counted_too(ada: Customer) -> None:
    endless = (b" " * 65_536 for _ in range(20))
    problem(ada.http.post("/api/agents", content=endless, headers=JSON), 413, "payload_too_large")


def test_all_broken_rules_are_named_at_once(ada: Customer) -> None:
    body = {"name": "", "language": "not a tag", "llm": {"temperature": 9, "maxTokens": 0}, "tags": ["ok", ""]}
    refused = problem(ada.http.post("/api/agents", json=body), 422, "validation_failed")
    pointers = {error["pointer"] for error in refused["errors"]}
    assert pointers == {"#/name", "#/language", "#/llm/temperature", "#/llm/maxTokens", "#/tags/1"}


PRIVILEGED: dict[str, Any] = {
    "id": "agt_x", "organizationId": "org_x", "status": "active", "version": 9, "publishedVersion": 9,
    "createdAt": "2020-01-01T00:00:00Z", "updatedAt": "2020-01-01T00:00:00Z", "role": "owner",
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(PRIVILEGED))
def test_privileged_fields_are_refused_and_have_no_effect(ada: Customer, field: str) -> None:
    made = ada.agent()
    answer = ada.http.patch(f"/api/agents/{made['id']}", json={field: PRIVILEGED[field], "description": "taken?"})
    refused = problem(answer, 422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in refused["errors"]] == [(f"#/{field}", "privileged_field")]
    assert ada.http.get(f"/api/agents/{made['id']}").json() == made


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "page=x", "page=1.5", "page=", "limit=0", "limit=201", "limit=10000", "limit=x",
        "page=1&page=1", "nothing=1", "sort=nothing", "order=up", "page=1&cursor=", "status=gone", "search=%ff",
        "search=a%00b", "createdAtGe=yesterday", "includeTotal=perhaps", "provider=acme",
    ],
)  # fmt: skip
def test_bad_queries(ada: Customer, query: str) -> None:
    assert problem(ada.http.get(f"/api/agents?{query}"), 400, "invalid_query")["detail"]


def test_deep_pages_point_to_cursors(ada: Customer) -> None:
    for query in ("page=51&limit=200", "page=10001&limit=1", "page=999999999999999999999999&limit=200"):
        refused = problem(ada.http.get(f"/api/agents?{query}"), 400, "page_out_of_range")
        assert "cursor" in refused["detail"]
    assert ada.http.get("/api/agents?page=50&limit=200").status_code == 200


def changed(text: str) -> str:
    """One letter is another, whichever it was; not the last, of which base64 ignores some bits."""
    return text[:-4] + ("x" if text[-4] != "x" else "y") + text[-3:]


def test_foreign_and_changed_cursors(ada: Customer, bob: Customer) -> None:
    for _ in range(3):
        ada.agent()
    cursor = ada.http.get("/api/agents?limit=1").json()["nextCursor"]
    for client, params in (
        (bob.http, {"cursor": cursor}),
        (ada.http, {"cursor": cursor, "sort": "name"}),
        (ada.http, {"cursor": cursor, "status": "draft"}),
        (ada.http, {"cursor": changed(cursor)}),
        (ada.http, {"cursor": "nonsense"}),
        (ada.http, {"cursor": "\N{SNOWMAN}"}),
    ):
        problem(client.get("/api/agents", params=params), 400, "invalid_cursor")


def test_expired_wrong_and_missing_credentials(ada: Customer) -> None:
    for credential in (None, "nonsense", "esx_test_0000000000_" + "0" * 38, changed(ada.token), "x" * 2000):
        answer = ada.bearing(credential).get("/api/agents?page=0", headers={"If-Match": "x"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_order_of_refusals(ada: Customer, bob: Customer) -> None:
    made = ada.agent()
    path, nonsense = f"/api/agents/{made['id']}", {"unheard": 1}
    assert ada.bearing(None).patch(path, json=nonsense).status_code == 401
    problem(bob.http.patch(path, json=nonsense, headers={"If-Match": '"9"'}), 404, "agent_not_found")
    problem(ada.http.patch(path, json=nonsense, headers={"If-Match": '"9"'}), 412, "stale_version")
    problem(ada.http.patch(path, json=nonsense, headers={"If-Match": '"1"'}), 422, "validation_failed")
    problem(bob.http.post(f"{path}/publish", json=nonsense), 404, "agent_not_found")
    problem(bob.http.patch(path, json={}), 404, "agent_not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/webhook-endpoints/whe_0/rotate", "webhook_endpoint_not_found"),
        ("/api/webhook-endpoints/whe_0/test", "webhook_endpoint_not_found"),
        ("/api/webhook-endpoints/whe_0/deliveries/msg_0/replay", "webhook_endpoint_not_found"),
        ("/api/jobs/job_agent_0/cancel", "job_not_found"),
        ("/api/jobs/job_agent_0/retry", "job_not_found"),
        ("/api/admin/queues/agent/nowhere/pause", "queue_not_found"),
        ("/api/admin/queues/no one/default/resume", "queue_not_found"),
        ("/api/integrations/vapi/sync", "integration_not_found"),
    ],
)
def test_an_action_on_nothing_is_not_found_before_its_body_is_judged(ada: Customer, path: str, code: str) -> None:
    for nonsense in ('{"unheard": 1}', "[]"):
        answer = ada.http.post(path, content=nonsense, headers={"Content-Type": "application/json"})
        problem(answer, 404, code)


def test_another_tenants_id_is_as_if_absent(ada: Customer, bob: Customer) -> None:
    theirs, absent = ada.agent()["id"], "agt_" + "0" * 26
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("POST", "/publish", {}),
        ("POST", "/duplicate", {}),
        ("GET", "/draft", None),
        ("GET", "/versions", None),
    ):
        answers = []
        for agent_id in (theirs, absent, "not-an-id", "%00", "..%2f..", "\N{SNOWMAN}"):
            answer = bob.http.request(method, f"/api/agents/{agent_id}{rest}", json=body)
            found = problem(answer, 404, "agent_not_found")
            assert agent_id not in found["detail"]
            answers.append({**found, "requestId": "", "instance": ""})
        assert answers[0] == answers[1] == answers[2]
    assert ada.http.get(f"/api/agents/{theirs}").json()["name"] == "An agent"


def test_media_types(ada: Customer) -> None:
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/json; charset=utf-16",
    ):
        answer = ada.http.post("/api/agents", content=b'{"name":"a"}', headers={"Content-Type": media_type})
        problem(answer, 415, "unsupported_media_type")
        assert answer.headers["accept"] == "application/json"
    changed = ada.http.patch("/api/organization", content=b"{}", headers={"Content-Type": "text/plain"})
    problem(changed, 415, "unsupported_media_type")
    assert changed.headers["accept-patch"] == "application/merge-patch+json, application/json"
    uploaded = ada.http.post("/api/documents/upload", content=b"{}", headers={"Content-Type": "application/json"})
    problem(uploaded, 415, "unsupported_media_type")
    assert uploaded.headers["accept"] == "multipart/form-data"


def test_a_slow_body_is_cut(ada: Customer) -> None:
    """A byte a second is no request: it ends within fifteen seconds."""
    address = urlsplit(ada.url)
    head = (
        f"POST /api/agents HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {ada.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=15) as connection:
        connection.sendall(head.encode() + b"{")
        answer = b""
        while b"}" not in answer and (piece := connection.recv(65_536)):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_too_slow" in answer


ZERO_WIDTH = "\u200b"
REGISTRATION = {"email": "a@example.com", "password": "correct horse battery", "organizationName": "A"}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/api/agents", {"name": ZERO_WIDTH}, "#/name"),
        ("/api/api-keys", {"name": ZERO_WIDTH, "scopes": ["agents:read"]}, "#/name"),
        (
            "/api/register",
            {"email": "a@example.com", "password": "x" * 12, "organizationName": ZERO_WIDTH},
            "#/organizationName",
        ),
        (
            "/api/register",
            {"email": f"a{ZERO_WIDTH}b@example.com", "password": "x" * 12, "organizationName": "A"},
            "#/email",
        ),
        ("/api/agents", {"name": "a", "dynamicVariables": {"order": 9007199254740993}}, "#/dynamicVariables/order"),
        (
            "/api/billing/usage-events",
            {"id": "ue-zero-time", "meter": "sms", "timestamp": "0001-01-01T00:00:00Z", "value": "1"},
            "#/timestamp",
        ),
    ],
)
def test_what_only_looks_like_a_value_is_refused_by_its_place(
    ada: Customer, path: str, body: dict[str, Any], pointer: str
) -> None:
    http = ada.bearing(None) if path == "/api/register" else ada.http
    refused = problem(http.post(path, json=body), 422, "validation_failed")
    assert pointer in [error["pointer"] for error in refused["errors"]]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B02:00", "9999-12-31T23:59:59-02:00"])
def test_a_time_that_is_none_is_refused_in_a_query(ada: Customer, moment: str) -> None:
    for path in ("/api/agents?createdAtGe=", "/api/call-logs?startedAtLt=", "/api/billing/usage?from="):
        problem(ada.http.get(path + moment), 400, "invalid_query")


def test_a_quota_is_a_conflict_that_no_waiting_ends(customer: Callable[[], Customer]) -> None:
    full, body = customer(), {"url": f"http://127.0.0.1:{SILENT[0]}/none", "eventTypes": ["call.ended"]}
    for _ in range(50):
        assert full.http.post("/api/webhook-endpoints", json=body).status_code == 201
    refused = full.http.post("/api/webhook-endpoints", json=body)
    assert "50" in problem(refused, 409, "quota_reached")["detail"]
    assert "retry-after" not in refused.headers
