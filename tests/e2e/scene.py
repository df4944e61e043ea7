"""What tests ask operations with: a customer with a thing of every kind, and the platform's own organization."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

import httpx

from .conftest import Customer
from .deliveries import Account
from .document import Operation
from .things import Things


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

    def percent(self, operation: Operation) -> int:
        """Of the usual request limits that the caller has: the example of PUT …/limits is the operator's own."""
        if self.http(operation) is not self.operator:
            return 100
        answer = self.operator.get(f"/api/admin/organizations/{self.operator_org}/limits")
        return int(answer.json()["percent"])

    def http(self, operation: Operation) -> httpx.Client:
        if operation.path.startswith(("/api/admin/organizations/", "/api/admin/figures")):
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
