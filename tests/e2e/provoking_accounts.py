"""What makes the operations of people succeed: registration, login, invitations, own accounts and second factors."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pyotp

from .conftest import PASSWORD, Customer, join, registering
from .document import Operation
from .mailbox import mailed_token
from .scene import Scene


def _register(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(
        operation, content=json.dumps({**operation.example, "email": f"{secrets.token_hex(6)}@example.com"})
    )


def _login(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, content=json.dumps({"email": scene.customer.email, "password": PASSWORD}))


def _logout(scene: Scene, operation: Operation) -> httpx.Response:
    login = {"email": scene.customer.email, "password": PASSWORD}
    token = scene.customer.bearing(None).post("/api/login", json=login).json()["token"]
    return scene.ask(operation, client=scene.customer.bearing(token))


def invited(scene: Scene) -> dict[str, str]:
    sent = {"email": f"{secrets.token_hex(6)}@example.com", "role": "viewer"}
    made: dict[str, str] = scene.customer.http.post("/api/users/invitations", json=sent).json()
    return made


def _invite(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(
        operation, content=json.dumps({**operation.example, "email": f"{secrets.token_hex(6)}@example.com"})
    )


def accept(scene: Scene, operation: Operation, **changes: Any) -> httpx.Response:
    token = mailed_token(scene.operator, invited(scene)["email"], "/accept-invitation")
    return scene.ask(operation, content=json.dumps({**operation.example, "token": token}), **changes)


def _person(scene: Scene) -> Customer:
    """A new user of the customer, whose account a test may change."""
    return join(scene.customer, scene.operator, "viewer")


def _sent(
    scene: Scene, operation: Operation, body: dict[str, str], client: httpx.Client | None = None
) -> httpx.Response:
    return scene.ask(operation, content=json.dumps(body), client=client or scene.customer.bearing(None))


def _reset(scene: Scene, operation: Operation) -> httpx.Response:
    email = _person(scene).email
    scene.customer.bearing(None).post("/api/auth/password/forgot", json={"email": email})
    token = mailed_token(scene.operator, email, "/reset-password")
    return _sent(scene, operation, {"token": token, "password": PASSWORD})


def _change_password(scene: Scene, operation: Operation) -> httpx.Response:
    return _sent(scene, operation, {"currentPassword": PASSWORD, "newPassword": PASSWORD}, _person(scene).http)


def _change_email(scene: Scene, operation: Operation) -> httpx.Response:
    body = {"email": f"{secrets.token_hex(6)}@example.com", "password": PASSWORD}
    return _sent(scene, operation, body, _person(scene).http)


def _confirm_email(scene: Scene, operation: Operation) -> httpx.Response:
    body = {"email": f"{secrets.token_hex(6)}@example.com", "password": PASSWORD}
    person = _person(scene)
    person.http.post("/api/auth/email", json=body)
    token = mailed_token(scene.operator, body["email"], "/confirm-email")
    return _sent(scene, operation, {"token": token}, person.http)


def _begin(scene: Scene, operation: Operation) -> httpx.Response:
    return _sent(scene, operation, {"password": PASSWORD}, _person(scene).http)


def _confirm(scene: Scene, operation: Operation) -> httpx.Response:
    person = _person(scene)
    secret = person.http.post("/api/auth/second-factor", json={"password": PASSWORD}).json()["secret"]
    return _sent(scene, operation, {"code": pyotp.TOTP(secret).now()}, person.http)


def _enrolled(scene: Scene) -> tuple[Customer, str]:
    """A person with a second factor, and a recovery code."""
    person = _person(scene)
    secret = person.http.post("/api/auth/second-factor", json={"password": PASSWORD}).json()["secret"]
    done = person.http.post("/api/auth/second-factor/confirm", json={"code": pyotp.TOTP(secret).now()})
    code: str = done.json()["recoveryCodes"][0]
    return person, code


def _with_code(scene: Scene, operation: Operation) -> httpx.Response:
    person, code = _enrolled(scene)
    return _sent(scene, operation, {"code": code}, person.http)


def second_step(scene: Scene, operation: Operation, code: str = "") -> httpx.Response:
    person, recovery = _enrolled(scene)
    login = {"email": person.email, "password": PASSWORD}
    challenge = scene.customer.bearing(None).post("/api/login", json=login).json()["challenge"]
    return _sent(scene, operation, {"challenge": challenge, "code": code or recovery})


def _rotate(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, client=_person(scene).http)


def _switch(scene: Scene, operation: Operation) -> httpx.Response:
    """To another organization, which a user of the customer joined as one who reads its audit log."""
    person, page = _person(scene), "/accept-invitation"
    first = mailed_token(scene.operator, person.email, page)
    with registering(scene.customer.url) as register:
        other = register()
        other.http.post("/api/users/invitations", json={"email": person.email, "role": "admin"})
        token = mailed_token(scene.operator, person.email, page, after=first)
        scene.customer.bearing(None).post("/api/invitations/accept", json={"token": token, "password": PASSWORD})
        return _sent(scene, operation, {"organizationId": other.organization["id"]}, person.http)


def _limits(scene: Scene, operation: Operation) -> httpx.Response:
    agent, person = scene.customer.agent()["id"], _person(scene)
    body = {"agentAccess": "granted", "grants": [{"agentId": agent, "access": "read"}]}
    path = operation.at(id=person.user["id"])
    if operation.method == "PUT":
        return scene.ask(operation, path, content=json.dumps(body))
    scene.customer.http.put(path, json=body)
    return scene.ask(operation, path)


SUCCESSES: dict[str, Callable[[Scene, Operation], httpx.Response]] = {
    "POST /api/register": _register,
    "POST /api/login": _login,
    "POST /api/logout": _logout,
    "POST /api/users/invitations": _invite,
    "POST /api/auth/password/reset": _reset,
    "POST /api/auth/password": _change_password,
    "POST /api/auth/email": _change_email,
    "POST /api/auth/email/confirm": _confirm_email,
    "POST /api/auth/second-factor": _begin,
    "POST /api/auth/second-factor/confirm": _confirm,
    "POST /api/auth/second-factor/recovery-codes": _with_code,
    "POST /api/auth/second-factor/disable": _with_code,
    "POST /api/login/second-factor": second_step,
    "POST /api/auth/sessions/rotate": _rotate,
    "DELETE /api/auth/sessions": _rotate,
    "POST /api/auth/organizations/switch": _switch,
    "POST /api/invitations/preview": accept,
    "POST /api/invitations/accept": accept,
    "GET /api/users/{id}/agent-grants": _limits,
    "PUT /api/users/{id}/agent-grants": _limits,
}
