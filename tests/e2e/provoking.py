"""What provokes each status of an operation from outside. Each function asks once and returns the answer.

tests/e2e/test_every_status.py decides which status an operation must give.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.patience import PATIENCE_SECONDS
from tests.receivers import SILENT

from . import provoking_accounts
from .conftest import PASSWORD, join
from .deliveries import Account, conversation, fresh_id
from .document import Operation
from .provoking_accounts import accept, invited, second_step
from .scene import Scene
from .things import made_child, made_host

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
    "/api/auth/openid-links",
    "/api/auth/openid-links/{id}",
    "/api/auth/organizations",
    "/api/auth/organizations/switch",
    "/api/me/notifications",
)


def unknown_parameter(scene: Scene, operation: Operation) -> httpx.Response:
    # The page of the guide takes any query, as the other pages of browsers do.
    headers = {"X-Min-Version": "none"} if operation.path == "/docs" else {}
    return scene.ask(operation, params={"nothing": "1"}, headers=headers)


def no_credential(scene: Scene, operation: Operation) -> httpx.Response:
    if operation.path == "/api/login":
        return scene.ask(operation, content=json.dumps({"email": "unknown@example.com", "password": "wrong"}))
    return scene.ask(operation, client=scene.customer.bearing(None), headers={"Authorization": ""})


def other_rights(scene: Scene, operation: Operation) -> httpx.Response:
    if operation.path == "/api/login/second-factor":
        return second_step(scene, operation, "000000")
    if operation.path.endswith("/recording/content"):
        return scene.ask(operation, params={"organization": "o", "expires": "1", "signature": "x"})
    if "Needs the scope" in operation.spec.get("description", "") or (
        operation.path.startswith(_SCOPED) and operation.path not in _OF_SESSIONS
    ):
        other = "realtime:read" if "realtime:read" not in operation.spec.get("description", "") else "agents:read"
        return scene.ask(operation, client=scene.customer.bearing(scene.customer.key(other)["secret"]))
    if operation.method == "GET":
        return scene.ask(operation, headers={"X-Organization-Id": "org_nothing"})
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
        return accept(scene, operation, headers={"Idempotency-Key": HELD_KEY})
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
        return operation.at(id=invited(scene)["id"])
    if prefix == "/api/organizations":
        return operation.at(id=customer.organization["id"], childId=made_child(customer))
    entry = {"title": "A", "content": "B."}
    endpoint = {"url": f"http://127.0.0.1:{SILENT[0]}/x", "eventTypes": ["call.ended"]}
    made: dict[str, Callable[[], str]] = {
        "/api/agents": lambda: str(customer.agent()["id"]),
        "/api/api-keys": lambda: str(customer.key("agents:read")["id"]),
        "/api/knowledge-base/entries": lambda: str(customer.http.post(prefix, json=entry).json()["id"]),
        "/api/knowledge-base/sources": lambda: str(
            customer.http.post(prefix, json={"url": endpoint["url"]}).json()["id"]
        ),
        "/api/whitelabel/hosts": lambda: made_host(customer),
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
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := scene.ask(operation)).json()["data"]:
        assert time.monotonic() < deadline, "no seal within two minutes"
        time.sleep(1)
    return answer


_SUCCESSES: dict[str, Callable[[Scene, Operation], httpx.Response]] = {
    "GET /api/audit-seals": _sealed,
    "GET /api/whitelabel/public": lambda scene, operation: scene.ask(operation, params={"host": "app.example.com"}),
    "POST /api/documents/upload": _upload,
    "POST /api/jobs/{id}/cancel": _cancel,
    "POST /api/jobs/{id}/retry": _retry,
    "POST /api/billing/usage-events": _usage,
    "POST /api/live-calls/{id}/turns": _of_a_live_call,
    "POST /api/live-calls/{id}/end": _of_a_live_call,
    "POST /api/live-calls/{id}/commands": _of_a_live_call,
    "POST /api/live-calls/{id}/commands/{commandId}/ack": _acknowledge,
    **provoking_accounts.SUCCESSES,
}


def once_more(scene: Scene, operation: Operation) -> httpx.Response:
    """An operation with a second status of success gives it to the same request again."""
    content = json.dumps({**operation.example, "id": secrets.token_hex(8)})
    scene.ask(operation, content=content)
    return scene.ask(operation, content=content)
