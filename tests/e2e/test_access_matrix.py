"""The access matrix, generated from the document that strangers read: every operation, asked by everyone who may not.

Another organization's things must look exactly like things that never were.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import httpx
import pytest

from gateway.routes.documentation import FILE
from tests.receivers import SILENT

from .conftest import Customer, problem
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
    return {
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
def test_strangers_and_former_friends_are_refused(ada: Customer, revoked: str, entry: Any) -> None:
    for client in (ada.bearing(None), ada.bearing("nonsense"), ada.bearing(revoked)):
        answer = ask(client, entry)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.fixture(scope="module")
def revoked(ada: Customer) -> str:
    """A key with all rights, revoked and asked for until it was refused."""
    made = ada.key("*")
    holder = ada.bearing(made["secret"])
    assert holder.get("/api/agents").status_code == 200
    ada.http.delete(f"/api/api-keys/{made['id']}")
    while holder.get("/api/agents").status_code == 200:
        pass
    secret: str = made["secret"]
    return secret


@pytest.mark.parametrize("entry", NAMING_AN_ID, ids=names)
def test_another_organization_cannot_tell_it_from_nothing(
    ada: Customer, bob: Customer, things: dict[str, str], entry: Any
) -> None:
    theirs = its_id(things, entry[1])
    if theirs is None:
        assert entry[1].startswith("/api/call-logs"), "make a thing for this path"
        return
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
def test_a_key_without_the_scope_is_told_which(ada: Customer, narrow: str, entry: Any) -> None:
    needed = re.search(r"Needs the scope (\S+)\.", entry[2].get("description", ""))
    if needed is None or needed[1] == "realtime:read":
        return
    refused = problem(ask(ada.bearing(narrow), entry), 403, "missing_scope")
    assert needed[1] in refused["detail"]


@pytest.fixture(scope="module")
def narrow(ada: Customer) -> str:
    """A key that may do one thing which no refused operation needs."""
    secret: str = ada.key("realtime:read")["secret"]
    return secret
