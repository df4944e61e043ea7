"""Promise H10: no write takes what the server sets, whatever a client adds to a valid body."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from .conftest import Customer
from .document import OPERATIONS, Operation
from .scene import Scene
from .things import make_things

# What a client might claim to be: of someone else, paid, older, or in charge.
SET_BY_THE_SERVER: dict[str, Any] = {
    "id": "x", "organizationId": "org_x", "orgId": "org_x", "parentId": "org_x", "userId": "usr_x",
    "accountId": "acc_x", "createdBy": "usr_x", "createdAt": "2020-01-01T00:00:00Z", "updatedAt": "2020-01-01",
    "version": 9, "status": "active", "role": "owner", "scopes": ["*"], "isOperator": True, "limitPercent": 10_000,
    "balance": "1000.00", "posted": "1000.00", "available": "1000.00", "passwordHash": "x", "secret": "x",
}  # fmt: skip
# Deliveries of providers and payments are kept as they come, and read field by field.
WRITES = [
    one for one in OPERATIONS
    if one.method != "GET" and one.body and isinstance(one.example, dict) and not one.path.startswith("/api/webhooks/")
]  # fmt: skip


@pytest.fixture(scope="module")
def scene(customer: Callable[[], Customer], operator: httpx.Client) -> Scene:
    operator_org = operator.get("/api/organization").json()["id"]
    return Scene(make_things(customer()), operator, operator_org)


def reading(operation: Operation) -> bool:
    return any((one.method, one.path) == ("GET", operation.path) for one in OPERATIONS)


@pytest.mark.parametrize("operation", WRITES, ids=str)
def test_no_write_takes_what_the_server_sets(scene: Scene, operation: Operation) -> None:
    own = {path[0] for path in operation.fields() if path}
    path, http = scene.path(operation), scene.http(operation)
    before = http.get(path).json() if reading(operation) else None
    faults: list[str] = []
    for field, value in SET_BY_THE_SERVER.items():
        if field not in own:
            body = json.dumps({**operation.example, field: value})
            faults += faults_of(scene.ask(operation, path, content=body), field)
    assert not faults, "\n".join(faults)
    if before is not None:
        assert http.get(path).json() == before


def faults_of(answer: httpx.Response, field: str) -> list[str]:
    if answer.status_code != 422:
        return [f"{field}: {answer.status_code} {answer.text[:160]}"]
    told = {error["pointer"]: error["code"] for error in answer.json()["errors"]}
    return [] if told.get(f"#/{field}") in ("privileged_field", "unknown_field") else [f"{field}: {told}"]


def test_the_writes_are_not_few() -> None:
    assert len(WRITES) > 45
