"""Accounts, sessions, API keys and the organization on the running suite."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from .conftest import PASSWORD, Customer, problem, until_refused


def test_registering_answers_the_wire_of_the_journey(ada: Customer) -> None:
    assert ada.user.items() >= {"email": ada.email, "role": "owner", "organizationId": ada.organization["id"]}.items()
    assert ada.user["id"].startswith("usr_")
    assert ada.organization["id"].startswith("org_")
    assert "password" not in str(ada.user).lower()


def test_logging_in_gives_a_token_and_a_cookie_that_scripts_cannot_read(ada: Customer) -> None:
    answer = ada.bearing(None).post("/api/login", json={"email": ada.email.upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "expiresAt", "user", "challenge"}
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("echosenseix_session=" + answer.json()["token"])
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_bearer_key_header_and_cookie_all_open_the_door(ada: Customer) -> None:
    stranger = ada.bearing(None)
    key = ada.key("agents:read")["secret"]
    for headers in (
        {"Authorization": f"Bearer {ada.token}"},
        {"Authorization": f"bearer {key}"},
        {"X-API-Key": key},
        {"Cookie": f"echosenseix_session={ada.token}"},
    ):
        answer = stranger.get("/api/auth/user", headers=headers)
        assert answer.status_code == 200, headers
        assert answer.json()["email"] == ada.email
        assert answer.json()["organization"]["id"] == ada.organization["id"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "no-address"}, "#/email"),
        ({"password": "short"}, "#/password"),
        ({"organizationName": "  "}, "#/organizationName"),
        ({"organizationName": None}, "#/organizationName"),
        ({"role": "owner"}, "#/role"),
        ({"isAdmin": True}, "#/isAdmin"),
    ],
)
def test_a_registration_that_breaks_a_rule_names_it(ada: Customer, body: dict[str, Any], pointer: str) -> None:
    sent = {"email": "x@example.com", "password": PASSWORD, "organizationName": "X", **body}
    answer = ada.bearing(None).post("/api/register", json=sent)
    refused = problem(answer, 422, "validation_failed")
    assert pointer in [error["pointer"] for error in refused["errors"]]


def test_an_address_is_registered_once(ada: Customer) -> None:
    sent = {"email": ada.email, "password": PASSWORD, "organizationName": "Again"}
    problem(ada.bearing(None).post("/api/register", json=sent), 409, "email_taken")


def test_a_wrong_password_and_an_unknown_address_look_alike(ada: Customer) -> None:
    stranger = ada.bearing(None)
    wrong = problem(
        stranger.post("/api/login", json={"email": ada.email, "password": "x" * 12}), 401, "wrong_credentials"
    )
    unknown = problem(
        stranger.post("/api/login", json={"email": "no one@example.com", "password": "x" * 12}),
        401,
        "wrong_credentials",
    )
    assert {**wrong, "requestId": ""} == {**unknown, "requestId": ""}


def test_logging_out_ends_the_session_at_once(customer: Callable[[], Customer]) -> None:
    eve = customer()
    answer = eve.http.post("/api/logout")
    assert answer.status_code == 204
    assert 'echosenseix_session=""' in answer.headers["set-cookie"]
    problem(eve.http.get("/api/auth/user"), 401, "invalid_credentials")


def test_sessions_are_listed_and_ended_one_by_one(customer: Callable[[], Customer]) -> None:
    eve = customer()
    other = eve.bearing(eve.http.post("/api/login", json={"email": eve.email, "password": PASSWORD}).json()["token"])
    sessions = eve.http.get("/api/auth/sessions").json()["data"]
    assert len(sessions) == 2
    assert [session["current"] for session in sessions].count(True) == 1
    doomed = next(session["id"] for session in sessions if not session["current"])
    assert other.get("/api/auth/user").status_code == 200
    assert eve.http.delete(f"/api/auth/sessions/{doomed}").status_code == 204
    assert other.get("/api/auth/user").status_code == 401
    problem(eve.http.delete(f"/api/auth/sessions/{doomed}"), 404, "session_not_found")


def test_a_key_shows_its_secret_once(ada: Customer) -> None:
    made = ada.key("agents:read", "calls:read")
    assert {"id", "name", "prefix", "scopes", "secret"} <= set(made)
    assert made["secret"].startswith(made["prefix"])
    for text in (
        ada.http.get(f"/api/api-keys/{made['id']}").text,
        ada.http.get("/api/api-keys").text,
        ada.http.get("/api/events").text,
    ):
        assert made["secret"] not in text


def test_an_answer_with_a_secret_is_neither_stored_nor_compressed(ada: Customer) -> None:
    sent = {"name": "n" * 100, "scopes": ["*"] * 1}
    answer = ada.http.post("/api/api-keys", json=sent, headers={"Accept-Encoding": "gzip, zstd"})
    assert answer.headers["cache-control"] == "no-store"
    assert "content-encoding" not in answer.headers


def test_a_revoked_key_stops(ada: Customer) -> None:
    made = ada.key("agents:read")
    holder = ada.bearing(made["secret"])
    assert holder.get("/api/agents").status_code == 200
    assert ada.http.delete(f"/api/api-keys/{made['id']}").status_code == 204
    until_refused(partial(holder.get, "/api/agents"), 200)
    problem(holder.get("/api/agents"), 401, "invalid_api_key")


def test_a_key_ends_when_it_said_it_would(ada: Customer) -> None:
    ends = (datetime.now(UTC) + timedelta(seconds=5)).isoformat(timespec="milliseconds")
    holder = ada.bearing(ada.key("agents:read", expiresAt=ends)["secret"])
    assert holder.get("/api/agents").status_code == 200
    until_refused(partial(holder.get, "/api/agents"), 200)
    problem(holder.get("/api/agents"), 401, "invalid_api_key")


def test_rotating_a_key_lets_the_old_secret_overlap_or_not(ada: Customer) -> None:
    made = ada.key("agents:read")
    first = ada.bearing(made["secret"])
    overlapping = ada.http.post(f"/api/api-keys/{made['id']}/rotate", json={"overlapSeconds": 60})
    assert overlapping.status_code == 200
    second = ada.bearing(overlapping.json()["secret"])
    assert [first.get("/api/agents").status_code, second.get("/api/agents").status_code] == [200, 200]
    at_once = ada.http.post(f"/api/api-keys/{made['id']}/rotate", json={"overlapSeconds": 0})
    third = ada.bearing(at_once.json()["secret"])
    assert third.get("/api/agents").status_code == 200
    until_refused(partial(second.get, "/api/agents"), 200)
    unasked = ada.http.post(f"/api/api-keys/{made['id']}/rotate", json={})
    fourth = ada.bearing(unasked.json()["secret"])
    assert [third.get("/api/agents").status_code, fourth.get("/api/agents").status_code] == [200, 200]


def test_a_key_does_what_its_scopes_say_and_nothing_else(ada: Customer) -> None:
    reader = ada.bearing(ada.key("agents:read")["secret"])
    assert reader.get("/api/agents").status_code == 200
    refused = problem(reader.post("/api/agents", json={"name": "x"}), 403, "missing_scope")
    assert "agents:write" in refused["detail"]
    for path in (
        "/api/api-keys",
        "/api/call-logs",
        "/api/billing/balance",
        "/api/knowledge-base/entries",
        "/api/admin/queues",
    ):
        problem(reader.get(path), 403, "missing_scope")


def test_no_one_grants_more_than_they_have(ada: Customer) -> None:
    keeper = ada.bearing(ada.key("members:write", "agents:read")["secret"])
    sent = {"name": "more", "scopes": ["billing:write"]}
    problem(keeper.post("/api/api-keys", json=sent), 403, "scope_not_grantable")


def test_a_repeated_key_creation_does_not_show_the_secret_again(ada: Customer) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    sent = {"name": "once", "scopes": ["agents:read"]}
    assert ada.http.post("/api/api-keys", json=sent, headers=headers).status_code == 201
    problem(ada.http.post("/api/api-keys", json=sent, headers=headers), 409, "secret_already_shown")


def test_the_organization_is_read_and_changed(customer: Callable[[], Customer]) -> None:
    eve = customer()
    before = eve.http.get("/api/organization")
    assert before.headers["etag"] == '"1"'
    changed = eve.http.patch("/api/organization", json={"name": "New", "timeZone": "Europe/Berlin"})
    assert changed.json().items() >= {"name": "New", "timeZone": "Europe/Berlin", "version": 2}.items()
    stale = eve.http.patch("/api/organization", json={"name": "Old"}, headers={"If-Match": '"1"'})
    problem(stale, 412, "stale_version")
    problem(eve.http.patch("/api/organization", json={"timeZone": "Mars/Base"}), 422, "validation_failed")
    refused = problem(eve.http.patch("/api/organization", json={"id": "org_x"}), 422, "validation_failed")
    assert refused["errors"] == [
        {"pointer": "#/id", "code": "privileged_field", "detail": refused["errors"][0]["detail"]}
    ]


def test_what_belongs_to_another_organization_is_as_if_absent(ada: Customer, bob: Customer) -> None:
    key = ada.key("agents:read")["id"]
    absent = "key_" + "0" * 26
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        theirs = problem(bob.http.request(method, f"/api/api-keys/{key}{path}"), 404, "api_key_not_found")
        nobodys = problem(bob.http.request(method, f"/api/api-keys/{absent}{path}"), 404, "api_key_not_found")
        assert {**theirs, "requestId": "", "instance": ""} == {**nobodys, "requestId": "", "instance": ""}
    assert ada.http.get(f"/api/api-keys/{key}").json()["revokedAt"] is None
