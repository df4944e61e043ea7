"""One thing of every kind, so that a test generated from the document has an id for each path."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Any

from tests.receivers import SILENT
from tests.unit.services.identity.domain.test_white_label import png

from .conftest import Customer, until
from .deliveries import Account, audio, conversation, fresh_id
from .document import Operation


@dataclass(frozen=True)
class Things:
    """The ids of one customer by the beginning of the path that names them."""

    customer: Customer
    ids: dict[str, dict[str, str]]

    def path(self, operation: Operation) -> str:
        """The operation's path with the id of a thing that exists; an id of nothing where none was made."""
        prefix = operation.path.partition("/{")[0]
        return operation.at(**self.ids.get(prefix, {}))


def make_things(customer: Customer) -> Things:
    agent = customer.agent()["id"]
    customer.http.post(f"/api/agents/{agent}/publish")
    uploaded = customer.http.post("/api/documents/upload", files={"document": ("a.txt", b"Words to keep.")}).json()
    body = {"url": f"http://127.0.0.1:{SILENT[0]}/none", "eventTypes": ["call.ended"]}
    endpoint = customer.http.post("/api/webhook-endpoints", json=body).json()["id"]
    customer.http.post(f"/api/webhook-endpoints/{endpoint}/test")
    account = Account(customer, "elevenlabs")
    source = customer.http.post(
        "/api/knowledge-base/sources", json={"url": f"http://127.0.0.1:{SILENT[0]}/none"}
    ).json()["id"]
    live = customer.http.post("/api/live-calls", json={"externalCallId": "a-thing"}).json()["id"]
    command = customer.http.post(f"/api/live-calls/{live}/commands", json={"type": "end_call"}).json()["id"]
    told = fresh_id()
    call = account.told(conversation(told), told)
    account.deliver(audio(told, bytes(range(256)) * 40))
    _until_recorded(customer, call["id"])
    amount = {"amount": "10.00", "currency": "USD"}
    top_up = customer.http.post("/api/billing/top-ups", json=amount, headers={"Idempotency-Key": "a-top-up"}).json()
    invited = {"email": f"{secrets.token_hex(6)}@example.com", "role": "viewer"}
    invitation = customer.http.post("/api/users/invitations", json=invited).json()["id"]
    ids: dict[str, dict[str, Any]] = {
        "/api/billing/top-ups": {"id": top_up["id"]},
        "/api/organizations": {"id": customer.organization["id"], "childId": made_child(customer)},
        "/api/whitelabel/hosts": {"id": made_host(customer)},
        "/api/whitelabel/logos": {"digest": _made_logo(customer)},
        "/api/audit-logs": {"id": first_entry(customer)},
        "/api/agents": {"id": agent, "version": "1"},
        "/api/users": {"id": customer.user["id"]},
        "/api/users/invitations": {"id": invitation},
        "/api/api-keys": {"id": customer.key("agents:read")["id"]},
        "/api/auth/sessions": {"id": customer.http.get("/api/auth/sessions").json()["data"][0]["id"]},
        "/api/knowledge-base/entries": {"id": uploaded["entryId"]},
        "/api/knowledge-base/sources": {"id": source},
        "/api/documents": {"id": uploaded["documentId"]},
        "/api/jobs": {"id": uploaded["jobId"]},
        "/api/webhook-endpoints": {"id": endpoint},
        "/api/call-logs": {"id": call["id"]},
        "/api/live-calls": {"id": live, "commandId": command},
        "/api/integrations": {"provider": "elevenlabs"},
        "/api/admin/queues": {"service": "knowledge", "queue": "documents"},
    }
    return Things(customer, ids)


def made_child(customer: Customer) -> str:
    """A customer of this customer."""
    answer = customer.http.post(f"/api/organizations/{customer.organization['id']}/children", json={"name": "A child"})
    assert answer.status_code == 201, answer.text
    child: str = answer.json()["id"]
    return child


def made_host(customer: Customer) -> str:
    """A host that waits for its proof."""
    host = f"{secrets.token_hex(6)}.example.com"
    made: str = customer.http.post("/api/whitelabel/hosts", json={"host": host}).json()["id"]
    return made


def _made_logo(customer: Customer) -> str:
    sent = {"logo": base64.b64encode(png(64, 64)).decode()}
    url: str = customer.http.patch("/api/whitelabel", json=sent).json()["logoUrl"]
    return url.rpartition("/")[2]


def first_entry(customer: Customer) -> str:
    """The id of an entry of the audit log, which trails the write by the way of its event."""
    entry: str = until(lambda: customer.http.get("/api/audit-logs").json()["data"])[-1]["id"]
    return entry


def _until_recorded(customer: Customer, call: str) -> None:
    until(
        lambda: customer.http.get(f"/api/call-logs/{call}").json()["recording"],
        lambda recording: recording and recording["status"] == "available",
    )
