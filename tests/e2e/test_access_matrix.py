"""The access matrix, generated from the document that strangers read: every operation, asked by everyone who may not.

Another organization's things must look exactly like things that never were.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from gateway.routes.documentation import FILE
from local.runner.suite import Suite
from local.stores import run_sql
from suite.roles import ROLE_SCOPES
from tests.receivers import SILENT

from .conftest import PASSWORD, Customer, join, problem, until_refused
from .deliveries import Account, conversation, fresh_id
from .things import first_entry, made_host

DOCUMENT = json.loads(FILE.read_bytes())
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if "servers" not in operation
]
GUARDED = [entry for entry in OPERATIONS if entry[2].get("security") != []]
# Only the platform's own organization may do these, whatever they name.
OF_OPERATORS = [
    entry for entry in GUARDED if entry[1].startswith(("/api/admin/organizations/{id}", "/api/admin/figures"))
]
NAMING_AN_ID = [entry for entry in GUARDED if "{id}" in entry[1] and entry not in OF_OPERATORS]


def names(entry: tuple[str, str, dict[str, Any]]) -> str:
    return f"{entry[0]} {entry[1]}"


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """A valid body, so that nothing but access can be what is refused."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if "example" in content:
            return {"json": content["example"]}
    return {}


def ask(client: httpx.Client, entry: tuple[str, str, dict[str, Any]], **ids: str) -> httpx.Response:
    method, path, operation = entry
    path = re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "nothing"), path)
    return client.request(method, path, **body_of(operation))


@pytest.fixture(scope="module")
def things(ada: Customer) -> dict[str, str]:
    """Ada's ids, by the path that names them."""
    agent = ada.agent()["id"]
    ada.http.post(f"/api/agents/{agent}/publish")
    uploaded = ada.http.post("/api/documents/upload", files={"document": ("a.txt", b"Words.")}).json()
    body = {"url": f"http://127.0.0.1:{SILENT[0]}/none", "eventTypes": ["call.ended"]}
    source = ada.http.post("/api/knowledge-base/sources", json={"url": f"http://127.0.0.1:{SILENT[0]}/none"}).json()
    amount = {"amount": "10.00", "currency": "USD"}
    top_up = ada.http.post("/api/billing/top-ups", json=amount, headers={"Idempotency-Key": "matrix"}).json()
    invited = {"email": f"{secrets.token_hex(6)}@example.com", "role": "viewer"}
    told = fresh_id()
    return {
        "/api/call-logs": Account(ada, "elevenlabs").told(conversation(told), told)["id"],
        "/api/users": ada.user["id"],
        "/api/users/invitations": ada.http.post("/api/users/invitations", json=invited).json()["id"],
        "/api/whitelabel/hosts": made_host(ada),
        "/api/organizations": ada.organization["id"],
        "/api/audit-logs": first_entry(ada),
        "/api/live-calls": ada.http.post("/api/live-calls", json={"externalCallId": "matrix"}).json()["id"],
        "/api/agents": agent,
        "/api/billing/top-ups": top_up["id"],
        "/api/api-keys": ada.key("agents:read")["id"],
        # The suite of the tests has no OpenID provider, so no account has one.
        "/api/auth/openid-links": "oil_" + "0" * 26,
        "/api/auth/sessions": ada.http.get("/api/auth/sessions").json()["data"][0]["id"],
        "/api/knowledge-base/entries": uploaded["entryId"],
        "/api/knowledge-base/sources": source["id"],
        "/api/documents": uploaded["documentId"],
        "/api/jobs": uploaded["jobId"],
        "/api/webhook-endpoints": ada.http.post("/api/webhook-endpoints", json=body).json()["id"],
    }


def its_id(things: dict[str, str], path: str) -> str | None:
    return next((thing for prefix, thing in things.items() if path.startswith(prefix + "/{id}")), None)


@pytest.mark.parametrize("entry", GUARDED, ids=names)
def test_strangers_and_former_friends_are_refused(ada: Customer, former: dict[str, str], entry: Any) -> None:
    for who, credential in {"no one": None, "anyone": "nonsense", **former}.items():
        answer = ask(ada.bearing(credential), entry)
        assert answer.status_code == 401, who
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.fixture(scope="module")
def former(suite: Suite, ada: Customer) -> dict[str, str]:
    """Credentials with all rights by how they ended, each asked for until it was refused."""
    key = ada.key("*")
    ends: dict[str, tuple[str, Callable[[], object]]] = {
        "a revoked key": (key["secret"], lambda: ada.http.delete(f"/api/api-keys/{key['id']}"))
    }
    for who in ("an expired key", "an ended session", "an expired session"):
        credential, end = _ending(suite, ada, who)
        ends[who] = (credential, end)
    for credential, end in ends.values():
        holder = ada.bearing(credential)
        assert holder.get("/api/agents").status_code == 200
        end()
        until_refused(partial(holder.get, "/api/agents"), 200)
    return {who: credential for who, (credential, _) in ends.items()}


def _ending(suite: Suite, ada: Customer, who: str) -> tuple[str, Callable[[], object]]:
    """A credential, and what makes it end in this way. Time passes in the row alone."""
    database = suite.run["stores"]["postgres"]["adminUrl"]
    if who == "an expired key":
        key = ada.key("*")
        sql = f"update identity.api_key set expires_at = now() where id = '{key['id']}'"
        return key["secret"], partial(run_sql, database, sql)
    login = {"email": ada.email, "password": PASSWORD}
    token = ada.bearing(None).post("/api/login", json=login).json()["token"]
    holder = ada.bearing(token)
    if who == "an ended session":
        return token, partial(holder.post, "/api/logout")
    own = next(row["id"] for row in holder.get("/api/auth/sessions").json()["data"] if row["current"])
    return token, partial(run_sql, database, f"update identity.session set expires_at = now() where id = '{own}'")


@pytest.mark.parametrize("entry", NAMING_AN_ID, ids=names)
def test_another_organization_cannot_tell_it_from_nothing(
    ada: Customer, bob: Customer, things: dict[str, str], entry: Any
) -> None:
    theirs = its_id(things, entry[1])
    assert theirs is not None, "make a thing for this path"
    absent = theirs[:-8] + "00000000"
    kept = ada.http.get(re.sub(r"(\{id\}).*", theirs, entry[1])) if entry[0] != "GET" else None
    answers = []
    for thing in (theirs, absent):
        answer = ask(bob.http, entry, id=thing)
        assert answer.status_code == 404, answer.text
        found = problem(answer, 404, answer.json()["code"])
        answers.append({**found, "instance": "", "requestId": ""})
    assert answers[0] == answers[1]
    if kept is not None and kept.status_code == 200:
        assert ada.http.get(re.sub(r"(\{id\}).*", theirs, entry[1])).json() == kept.json()


@pytest.mark.parametrize("entry", OF_OPERATORS, ids=names)
def test_customers_are_no_operators(bob: Customer, entry: Any) -> None:
    own = bob.http.get("/api/organization").json()["id"]
    answers = [problem(ask(bob.http, entry, id=org), 403, "operators_only") for org in (own, "org_nothing")]
    assert answers[0]["detail"] == answers[1]["detail"]


@pytest.mark.parametrize("entry", GUARDED, ids=names)
def test_a_key_without_the_scope_is_told_which(ada: Customer, narrow: dict[str, str], entry: Any) -> None:
    needed = needed_scope(entry)
    if not needed:
        return
    key = next(secret for scope, secret in narrow.items() if scope != needed)
    refused = problem(ask(ada.bearing(key), entry), 403, "missing_scope")
    assert needed in refused["detail"]


def needed_scope(entry: tuple[str, str, dict[str, Any]]) -> str:
    """Empty where any credential will do."""
    found = re.search(r"Needs the scope (\S+)\.", entry[2].get("description", ""))
    return found[1] if found else ""


@pytest.fixture(scope="module")
def narrow(ada: Customer) -> dict[str, str]:
    """Two keys, each by the one scope that it has."""
    return {scope: ada.key(scope)["secret"] for scope in ("realtime:read", "agents:read")}


BEYOND_VIEWERS = [entry for entry in GUARDED if needed_scope(entry) not in ("", *ROLE_SCOPES["viewer"])]


@pytest.fixture(scope="module")
def viewer(ada: Customer, operator: httpx.Client) -> httpx.Client:
    return join(ada, operator, "viewer").http


@pytest.mark.parametrize("entry", BEYOND_VIEWERS, ids=names)
def test_a_low_role_is_told_the_scope_that_it_lacks(viewer: httpx.Client, things: dict[str, str], entry: Any) -> None:
    refused = problem(ask(viewer, entry, id=its_id(things, entry[1]) or "nothing"), 403, "missing_scope")
    assert needed_scope(entry) in refused["detail"]


def test_viewers_are_kept_from_every_write_but_their_own_accounts() -> None:
    assert len(BEYOND_VIEWERS) > 40
    assert {entry[0] for entry in BEYOND_VIEWERS} >= {"POST", "PUT", "PATCH", "DELETE"}
