"""Users, roles and invitations on the running suite, as the people of a customer use them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import httpx
import pytest

from .conftest import PASSWORD, Customer, join, problem, until_refused
from .mailbox import mailed_token


def test_an_invitation_brings_a_user_in_and_its_role_says_what_it_may(
    customer: Callable[[], Customer], operator: httpx.Client
) -> None:
    owner, email = customer(), f"{secrets.token_hex(6)}@example.com"
    made = owner.http.post("/api/users/invitations", json={"email": email, "role": "member"})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/api/users/invitations/{made.json()['id']}"
    token = mailed_token(operator, email, "/accept-invitation")
    # The organization that invited reads neither the mail nor the token.
    for path in ("/api/admin/mail", "/api/events", "/api/users/invitations"):
        assert token not in owner.http.get(path).text
    stranger = owner.bearing(None)
    offered = stranger.post("/api/invitations/preview", json={"token": token})
    assert offered.json()["organizationName"] == owner.organization["name"]
    joined = stranger.post("/api/invitations/accept", json={"token": token, "password": PASSWORD, "firstName": "Grace"})
    assert joined.status_code == 201, joined.text
    assert joined.json()["user"].items() >= {"email": email, "role": "member", "firstName": "Grace"}.items()
    problem(
        stranger.post("/api/invitations/accept", json={"token": token, "password": PASSWORD}),
        404,
        "invitation_link_invalid",
    )
    session = stranger.post("/api/login", json={"email": email, "password": PASSWORD}).json()["token"]
    user = owner.bearing(session)
    assert user.post("/api/agents", json={"name": "Made by a member"}).status_code == 201
    for path, body in (("/api/users/invitations", {"email": "x@example.com", "role": "viewer"}),):
        problem(user.post(path, json=body), 403, "missing_scope")
    listed = owner.http.get("/api/users", params={"role": "member"}).json()
    assert [row["email"] for row in listed["data"]] == [email]


def test_a_demoted_user_loses_its_rights(customer: Callable[[], Customer], operator: httpx.Client) -> None:
    owner = customer()
    user = join(owner, operator, "admin")
    key = user.bearing(user.key("*")["secret"])
    clients = (user.http, key)
    assert [client.post("/api/agents", json={"name": "x"}).status_code for client in clients] == [201, 201]
    changed = owner.http.patch(f"/api/users/{user.user['id']}", json={"role": "viewer"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["role"] == "viewer"
    for client in clients:
        until_refused(partial(client.post, "/api/agents", json={"name": "x"}), 201)
        problem(client.post("/api/agents", json={"name": "x"}), 403, "missing_scope")


def test_a_removed_user_is_out_and_its_streams_end(customer: Callable[[], Customer], operator: httpx.Client) -> None:
    owner = customer()
    user = join(owner, operator, "admin")
    key = owner.bearing(user.key("agents:read")["secret"])
    realtime = user.http.post("/api/realtime/token", json={}).json()
    headers = {"Authorization": f"Bearer {realtime['token']}"}
    with httpx.stream("GET", realtime["eventsUrl"], headers=headers, timeout=30) as stream:
        assert stream.status_code == 200
        assert owner.http.delete(f"/api/users/{user.user['id']}").status_code == 204
        until_refused(partial(user.http.get, "/api/agents"), 200)
        until_refused(partial(key.get, "/api/agents"), 200)
        for _ in stream.iter_raw():  # ends because the server ends it
            pass
    problem(user.http.get("/api/agents"), 401, "invalid_credentials")
    problem(key.get("/api/agents"), 401, "invalid_api_key")
    assert owner.http.get("/api/users").json()["total"] == 1


def test_the_last_owner_and_roles_above_the_own_are_kept(
    customer: Callable[[], Customer], operator: httpx.Client
) -> None:
    owner = customer()
    admin = join(owner, operator, "admin")
    path = f"/api/users/{owner.user['id']}"
    problem(owner.http.delete(path), 409, "last_owner")
    problem(owner.http.patch(path, json={"role": "admin"}), 409, "last_owner")
    problem(admin.http.delete(path), 403, "role_not_grantable")
    problem(admin.http.patch(f"/api/users/{admin.user['id']}", json={"role": "owner"}), 403, "role_not_grantable")
    grantable = {role["name"]: role["grantable"] for role in admin.http.get("/api/roles").json()["data"]}
    assert grantable == {"owner": False, "admin": True, "member": True, "viewer": True}


@pytest.mark.parametrize("field", ["id", "organizationId", "email", "passwordHash", "accountId", "isAdmin", "version"])
def test_no_field_but_role_and_names_is_written(ada: Customer, field: str) -> None:
    path = f"/api/users/{ada.user['id']}"
    before = ada.http.get(path).json()
    refused = problem(ada.http.patch(path, json={field: "x", "firstName": "Eve"}), 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == [f"#/{field}"]
    assert ada.http.get(path).json() == before
