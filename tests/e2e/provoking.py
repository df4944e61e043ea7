"""What provokes each status of an operation from outside. Each function asks once and returns the answer.

A function returns None where the operation cannot be asked so; tests/e2e/test_every_status.py decides whether it must.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyotp

from .conftest import PASSWORD, Customer, join, registering
from .deliveries import Account, conversation, fresh_id
from .document import Operation
from .mailbox import mailed_token
from .things import Things

# A key that another request holds for as long as the tests run.
HELD_KEY = "held-by-another-request"
SAMPLES = Path(__file__).resolve().parents[1] / "samples"
_REPORTS = {
    "retell": "retell/call_analyzed.json",
    "vapi": "vapi/end_of_call_report.json",
    "bland": "bland/call.json",
}
# Two in turn, so that a second request names another thing.
_PROVIDERS = itertools.cycle(("bland", "retell"))
# Their scope follows from what the id names, or from who asks, so the document names none.
_SCOPED = ("/api/jobs/", "/api/auth/sessions")
# What an API key cannot do: 409.
_OF_SESSIONS = (
    "/api/logout",
    "/api/auth/password",
    "/api/auth/email",
    "/api/auth/email/confirm",
    "/api/auth/second-factor",
    "/api/auth/sessions/rotate",
    "/api/auth/organizations",
    "/api/auth/organizations/switch",
)
# More than any operation takes.
TOO_MUCH = 64 * 1024 * 1024 + 1
_MULTIPART = "multipart/form-data; boundary=x"


@dataclass(frozen=True)
class Scene:
    """A customer with a thing of every kind, and the platform's own organization."""

    things: Things
    operator: httpx.Client
    operator_org: str

    @property
    def customer(self) -> Customer:
        return self.things.customer

    def path(self, operation: Operation) -> str:
        """The operation's path with things that exist."""
        if operation.path.startswith("/api/webhooks/") and "orgToken" in operation.path:
            return Account(self.customer, operation.path.split("/")[3]).path
        if operation.path.startswith("/api/admin/organizations/"):
            return operation.at(id=self.operator_org)
        if "{deliveryId}" in operation.path:
            ids = self.things.ids["/api/webhook-endpoints"]
            rows = self.customer.http.get(f"/api/webhook-endpoints/{ids['id']}/deliveries").json()["data"]
            delivery: str = rows[-1]["id"]
            return operation.at(**ids, deliveryId=delivery)
        return self.things.path(operation)

    def http(self, operation: Operation) -> httpx.Client:
        if operation.path.startswith("/api/admin/organizations/"):
            return self.operator
        return self.customer.bearing(None) if is_public(operation) else self.customer.http

    def ask(self, operation: Operation, path: str | None = None, **changes: Any) -> httpx.Response:
        """A valid request, but for the changes."""
        headers = {"Content-Type": operation.body[0]} if operation.body and "files" not in changes else {}
        if operation.parameters("header").get("Idempotency-Key", {}).get("required"):
            headers["Idempotency-Key"] = secrets.token_hex(8)
        headers |= changes.pop("headers", {})
        if operation.body and not changes.keys() & {"content", "files"}:
            changes["content"] = json.dumps(operation.example)
        client = changes.pop("client", None) or self.http(operation)
        answer = client.request(operation.method, path or self.path(operation), headers=headers, **changes)
        client.cookies.clear()
        return answer


def is_public(operation: Operation) -> bool:
    return operation.spec.get("security") == []


def unknown_parameter(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, params={"nothing": "1"})


def no_credential(scene: Scene, operation: Operation) -> httpx.Response:
    if operation.path == "/api/login":
        return scene.ask(operation, content=json.dumps({"email": "unknown@example.com", "password": "wrong"}))
    return scene.ask(operation, client=scene.customer.bearing(None), headers={"Authorization": ""})


def other_rights(scene: Scene, operation: Operation) -> httpx.Response:
    if operation.path == "/api/login/second-factor":
        return _second_step(scene, operation, "000000")
    if operation.path.endswith("/recording/content"):
        return scene.ask(operation, params={"organization": "o", "expires": "1", "signature": "x"})
    if "Needs the scope" in operation.spec.get("description", "") or (
        operation.path.startswith(_SCOPED) and operation.path not in _OF_SESSIONS
    ):
        other = "realtime:read" if "realtime:read" not in operation.spec.get("description", "") else "agents:read"
        return scene.ask(operation, client=scene.customer.bearing(scene.customer.key(other)["secret"]))
    cookie = {"Cookie": f"echosenseix_session={scene.customer.token}", "Origin": "https://elsewhere.example"}
    return scene.ask(operation, client=scene.customer.bearing(None), headers=cookie)


def of_nothing(scene: Scene, operation: Operation) -> httpx.Response:
    if operation.path.endswith("/replay") and "{" not in operation.path:
        return scene.ask(operation, content=json.dumps({"ids": ["job_nothing"]}))
    if operation.path == "/api/documents/upload":
        return scene.ask(operation, files={"document": ("a.txt", b"Words.")}, data={"entryId": "ent_nothing"})
    return scene.ask(operation, operation.at())


def busy_key(scene: Scene, operation: Operation) -> httpx.Response:
    if "X-Min-Version" in operation.parameters("header"):
        return scene.ask(operation, headers={"X-Min-Version": "999999"})
    if operation.path in _OF_SESSIONS:
        return scene.ask(operation, client=scene.customer.bearing(scene.customer.key("*")["secret"]))
    if operation.path == "/api/invitations/accept":
        return _accept(scene, operation, headers={"Idempotency-Key": HELD_KEY})
    if operation.path == "/api/register":
        return scene.ask(operation, content=json.dumps({**operation.example, "email": scene.customer.email}))
    return _upload_or(scene, operation, headers={"Idempotency-Key": HELD_KEY})


def _upload_or(scene: Scene, operation: Operation, **changes: Any) -> httpx.Response:
    if operation.path == "/api/documents/upload":
        changes["files"] = {"document": ("a.txt", b"Words to keep.")}
    return scene.ask(operation, **changes)


def other_version(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, headers={"If-Match": '"999999"'})


def other_media_type(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, headers={"Content-Type": "text/plain"}, content=b"words")


def other_body(scene: Scene, operation: Operation) -> httpx.Response:
    if operation.path == "/api/documents/upload":
        return scene.ask(operation, files={"title": (None, "A title without a file")})
    if operation.method != "DELETE":
        kind = operation.body[0] if operation.body else "application/json"
        return scene.ask(operation, headers={"Content-Type": kind}, content=b'["no object"]')
    key = {"Idempotency-Key": secrets.token_hex(8)}
    path = fresh(scene, operation)
    assert scene.ask(operation, path, headers=key).status_code == 204
    return scene.ask(operation, fresh(scene, operation), headers=key)


def known_tag(scene: Scene, operation: Operation) -> httpx.Response:
    path = opened(scene, operation)
    tag = scene.ask(operation, path).headers["etag"]
    return scene.ask(operation, path, headers={"If-None-Match": tag})


def a_part(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, opened(scene, operation), headers={"Range": "bytes=0-9"})


def a_part_beyond(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, opened(scene, operation), headers={"Range": "bytes=99999999-"})


def opened(scene: Scene, operation: Operation) -> str:
    """The path, signed where a signature opens it."""
    if not operation.path.endswith("/recording/content"):
        return scene.path(operation)
    call = scene.customer.http.get(f"/api/call-logs/{scene.things.ids['/api/call-logs']['id']}").json()
    url = urlsplit(call["recording"]["url"])
    return f"{url.path}?{url.query}"


def fresh(scene: Scene, operation: Operation) -> str:
    """The path of a thing that was made for this request alone, because the request ends it."""
    customer, prefix = scene.customer, operation.path.partition("/{")[0]
    if prefix == "/api/auth/sessions":
        login = {"email": customer.email, "password": PASSWORD}
        token = customer.bearing(None).post("/api/login", json=login).json()["token"]
        rows = customer.bearing(token).get("/api/auth/sessions").json()["data"]
        return operation.at(id=next(row["id"] for row in rows if row["current"]))
    if prefix == "/api/integrations":
        provider = next(_PROVIDERS)
        Account(customer, provider)
        return operation.at(provider=provider)
    if prefix == "/api/users":
        return operation.at(id=join(customer, scene.operator, "viewer").user["id"])
    if prefix == "/api/users/invitations":
        return operation.at(id=_invited(scene)["id"])
    entry, endpoint = {"title": "A", "content": "B."}, {"url": "http://127.0.0.1:9955/x", "eventTypes": ["call.ended"]}
    made: dict[str, Callable[[], str]] = {
        "/api/agents": lambda: str(customer.agent()["id"]),
        "/api/api-keys": lambda: str(customer.key("agents:read")["id"]),
        "/api/knowledge-base/entries": lambda: str(customer.http.post(prefix, json=entry).json()["id"]),
        "/api/knowledge-base/sources": lambda: str(
            customer.http.post(prefix, json={"url": endpoint["url"]}).json()["id"]
        ),
        "/api/webhook-endpoints": lambda: str(customer.http.post(prefix, json=endpoint).json()["id"]),
    }
    return operation.at(id=made[prefix]())


def success(scene: Scene, operation: Operation) -> httpx.Response:
    """A request that does what it asks for."""
    special = _SUCCESSES.get(str(operation))
    if special is not None:
        return special(scene, operation)
    if operation.method == "DELETE":
        return scene.ask(operation, fresh(scene, operation))
    if operation.path.startswith("/api/webhooks/") and "orgToken" in operation.path:
        provider = operation.path.split("/")[3]
        document = conversation(fresh_id()) if provider == "elevenlabs" else (SAMPLES / _REPORTS[provider]).read_bytes()
        return Account(scene.customer, provider).deliver(document)
    return scene.ask(operation, opened(scene, operation))


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


def _upload(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, files={"document": ("a.txt", b"Words to keep.")})


def _cancel(scene: Scene, operation: Operation) -> httpx.Response:
    """While the organization's queue is paused, the job is there to be cancelled."""
    queue = "/api/admin/queues/knowledge/documents"
    assert scene.customer.http.post(f"{queue}/pause").status_code == 200
    try:
        sent = {"document": ("b.txt", secrets.token_bytes(8).hex().encode())}
        job = scene.customer.http.post("/api/documents/upload", files=sent).json()["jobId"]
        return scene.ask(operation, operation.at(id=job))
    finally:
        scene.customer.http.post(f"{queue}/resume")


def _retry(scene: Scene, operation: Operation) -> httpx.Response:
    cancelled = _cancel(scene, Operation("POST", "/api/jobs/{id}/cancel", {}))
    return scene.ask(operation, operation.at(id=cancelled.json()["id"]))


def _usage(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(operation, content=json.dumps({**operation.example, "id": secrets.token_hex(8)}))


def _invited(scene: Scene) -> dict[str, str]:
    sent = {"email": f"{secrets.token_hex(6)}@example.com", "role": "viewer"}
    made: dict[str, str] = scene.customer.http.post("/api/users/invitations", json=sent).json()
    return made


def _invite(scene: Scene, operation: Operation) -> httpx.Response:
    return scene.ask(
        operation, content=json.dumps({**operation.example, "email": f"{secrets.token_hex(6)}@example.com"})
    )


def _accept(scene: Scene, operation: Operation, **changes: Any) -> httpx.Response:
    token = mailed_token(scene.operator, _invited(scene)["email"], "/accept-invitation")
    return scene.ask(operation, content=json.dumps({**operation.example, "token": token}), **changes)


def _live_call(scene: Scene) -> str:
    sent = {"externalCallId": secrets.token_hex(8)}
    made: str = scene.customer.http.post("/api/live-calls", json=sent).json()["id"]
    return made


def _of_a_live_call(scene: Scene, operation: Operation) -> httpx.Response:
    """A call of its own, because one may end, or be lost before its turn comes."""
    return scene.ask(operation, operation.at(id=_live_call(scene)))


def _acknowledge(scene: Scene, operation: Operation) -> httpx.Response:
    call = _live_call(scene)
    command = scene.customer.http.post(f"/api/live-calls/{call}/commands", json={"type": "end_call"}).json()["id"]
    return scene.ask(operation, operation.at(id=call, commandId=command))


def _sealed(scene: Scene, operation: Operation) -> httpx.Response:
    """Writes are sealed each minute."""
    deadline = time.monotonic() + 150
    while not (answer := scene.ask(operation)).json()["data"]:
        assert time.monotonic() < deadline, "no seal within two minutes"
        time.sleep(1)
    return answer


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


def _second_step(scene: Scene, operation: Operation, code: str = "") -> httpx.Response:
    person, recovery = _enrolled(scene)
    login = {"email": person.email, "password": PASSWORD}
    challenge = scene.customer.bearing(None).post("/api/login", json=login).json()["challenge"]
    return _sent(scene, operation, {"challenge": challenge, "code": code or recovery})


def _challenged(scene: Scene, operation: Operation) -> httpx.Response:
    person, _ = _enrolled(scene)
    return _sent(scene, operation, {"email": person.email, "password": PASSWORD})


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


_SUCCESSES: dict[str, Callable[[Scene, Operation], httpx.Response]] = {
    "GET /api/audit-seals": _sealed,
    "POST /api/register": _register,
    "POST /api/login": _login,
    "POST /api/logout": _logout,
    "POST /api/documents/upload": _upload,
    "POST /api/jobs/{id}/cancel": _cancel,
    "POST /api/jobs/{id}/retry": _retry,
    "POST /api/billing/usage-events": _usage,
    "POST /api/users/invitations": _invite,
    "POST /api/auth/password/reset": _reset,
    "POST /api/auth/password": _change_password,
    "POST /api/auth/email": _change_email,
    "POST /api/auth/email/confirm": _confirm_email,
    "POST /api/auth/second-factor": _begin,
    "POST /api/auth/second-factor/confirm": _confirm,
    "POST /api/auth/second-factor/recovery-codes": _with_code,
    "POST /api/auth/second-factor/disable": _with_code,
    "POST /api/login/second-factor": _second_step,
    "POST /api/auth/sessions/rotate": _rotate,
    "DELETE /api/auth/sessions": _rotate,
    "POST /api/auth/organizations/switch": _switch,
    "POST /api/invitations/preview": _accept,
    "POST /api/invitations/accept": _accept,
    "POST /api/live-calls/{id}/turns": _of_a_live_call,
    "POST /api/live-calls/{id}/end": _of_a_live_call,
    "POST /api/live-calls/{id}/commands": _of_a_live_call,
    "POST /api/live-calls/{id}/commands/{commandId}/ack": _acknowledge,
}


def once_more(scene: Scene, operation: Operation) -> httpx.Response:
    """An operation with a second status of success gives it to the same request again."""
    content = json.dumps({**operation.example, "id": secrets.token_hex(8)})
    scene.ask(operation, content=content)
    return scene.ask(operation, content=content)


async def stalled_body(scene: Scene, operation: Operation) -> httpx.Response:
    """A body of which no byte arrives; test_bad_input.py has one that stops in the middle."""
    return await _raw(scene, operation, length=100)


async def endless_body(scene: Scene, operation: Operation) -> httpx.Response:
    """A body that says it is larger than any may be; not a byte of it is sent."""
    return await _raw(scene, operation, length=TOO_MUCH)


async def _raw(scene: Scene, operation: Operation, *, length: int) -> httpx.Response:
    url = urlsplit(scene.customer.url)
    kind = operation.body[0] if operation.body else "application/json"
    headers = {
        "Host": url.netloc,
        "Content-Type": _MULTIPART if operation.path == "/api/documents/upload" else kind,
        "Content-Length": str(length),
        "Connection": "close",
    }
    authorization = scene.http(operation).headers.get("authorization")
    if authorization:
        headers["Authorization"] = authorization
    path = await asyncio.to_thread(scene.path, operation)
    head = f"{operation.method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(head.encode() + b"\r\n")
    raw = await reader.read()
    writer.close()
    head_part, _, content = raw.partition(b"\r\n\r\n")
    status, *lines = head_part.decode("latin-1").split("\r\n")
    fields = [tuple(line.split(": ", 1)) for line in lines]
    kept = [(name, text) for name, text in fields if name.lower() != "transfer-encoding"]
    request = httpx.Request(operation.method, f"{scene.customer.url}{path}")
    return httpx.Response(int(status.split()[1]), headers=kept, content=content, request=request)
