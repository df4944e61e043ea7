"""Every write of a user leaves exactly one entry of the audit log, and a refused one leaves none.

Generated from the document: a new operation that writes is asked here without being named.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from gateway.app import ROUTES
from local.paths import ROOT
from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS

from . import provoking
from .conftest import Customer
from .document import OPERATIONS, Operation
from .scene import Scene, is_public
from .test_every_status import EXCEPTIONS
from .things import make_things

AUDITED = {f"{route.method} {route.path}" for route in ROUTES if route.audited and route.documented}
# Operations that write and whose success this suite does not provoke, or that write for no organization.
NOT_HERE = {
    "POST /api/register/verify": "the suite of the tests verifies no address",
    "POST /api/invitations/preview": "reads what a link offers",
    "POST /api/register/resend": "asks for a mail; there is no organization yet",
    "POST /api/auth/password/forgot": "asks for a mail; nothing of an organization is written",
    "POST /api/whitelabel/hosts/{id}/verify": "needs a name server",
    "PUT /api/auth/openid-links/{id}": "the suite of the tests has no OpenID provider",
    "POST /api/login/openid": "the suite of the tests has no OpenID provider",
    "POST /api/login/openid/complete": "the suite of the tests has no OpenID provider",
}
# Public operations that find out themselves who acts.
ACTING = ("/api/login", "/api/login/second-factor")
WRITES = [one for one in OPERATIONS if str(one) in AUDITED and str(one) not in NOT_HERE]


@pytest.fixture(scope="module")
def scene(suite: Suite, customer: Callable[[], Customer]) -> Iterator[Scene]:
    operator = httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {suite.api_key}"}, timeout=30)
    with operator:
        yield Scene(make_things(customer()), operator, suite.credentials["organizationId"])


def entries(client: httpx.Client, request_id: str, expected: int) -> list[dict[str, Any]]:
    """The entries of a request, once there are enough; then after a while, whether there are more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = client.get("/api/audit-logs", params={"requestId": request_id})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        if len(found) >= expected:
            return found
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("operation", WRITES, ids=str)
def test_a_write_leaves_exactly_one_entry(scene: Scene, operation: Operation) -> None:
    answer = provoking.success(scene, operation)
    assert answer.is_success, answer.text
    owner = _reader_of(scene, operation, answer)
    found = entries(owner, answer.headers["x-request-id"], 1)
    # A second write through the same services: had the first left more, they would be there before this one's.
    marker = scene.customer.http.patch("/api/organization", json={"name": f"After {operation}"[:100]})
    assert len(entries(scene.customer.http, marker.headers["x-request-id"], 1)) == 1
    assert [entry["action"] for entry in found] == [operation.spec["operationId"]]
    assert len(entries(owner, answer.headers["x-request-id"], 1)) == 1
    assert found[0]["ipAddress"] == "127.0.0.1"
    assert found[0]["userId"] or (operation.path not in ACTING and is_public(operation)), found[0]


def _reader_of(scene: Scene, operation: Operation, answer: httpx.Response) -> httpx.Client:
    if operation.path == "/api/auth/organizations/switch":
        # The organization that the session went to has the entry, as it has those of logins.
        return scene.customer.bearing(answer.json()["token"])
    if operation.path != "/api/register":
        return scene.http(operation) if not is_public(operation) else scene.customer.http
    login = {"email": answer.json()["user"]["email"], "password": operation.example["password"]}
    token = scene.customer.bearing(None).post("/api/login", json=login).json()["token"]
    return scene.customer.bearing(token)


@pytest.mark.parametrize("operation", [one for one in WRITES if "422" in one.spec["responses"]], ids=str)
def test_a_refused_write_leaves_none(scene: Scene, operation: Operation) -> None:
    if operation.method == "DELETE" or (str(operation), 422) in EXCEPTIONS:
        return
    answer = provoking.other_body(scene, operation)
    assert answer.status_code == 422, answer.text
    marker = scene.customer.http.patch("/api/organization", json={"name": "After a refusal"})
    assert len(entries(scene.customer.http, marker.headers["x-request-id"], 1)) == 1
    assert entries(scene.customer.http, answer.headers["x-request-id"], 0) == []


def test_the_entry_tells_what_was_changed_and_hides_secrets(scene: Scene) -> None:
    http = scene.customer.http
    made = http.post("/api/agents", json={"name": "Before", "systemPrompt": "Be kind."})
    changed = http.patch(f"/api/agents/{made.json()['id']}", json={"name": "After"})
    [entry] = entries(http, changed.headers["x-request-id"], 1)
    whole = http.get(f"/api/audit-logs/{entry['id']}").json()
    [change] = [change for change in whole["changes"] if change["table"] == "agent"]
    assert (entry["targetId"], entry["userId"]) == (made.json()["id"], scene.customer.user["id"])
    assert (change["before"]["name"], change["after"]["name"]) == ("Before", "After")
    secrets = {"apiKey": "canary-k-1", "webhookSecret": "canary-s"}
    keyed = http.put("/api/integrations/bland", json={"credentials": secrets})
    [entry] = entries(http, keyed.headers["x-request-id"], 1)
    assert "canary" not in http.get(f"/api/audit-logs/{entry['id']}").text


def test_each_filter_finds_its_entries_alone(scene: Scene) -> None:
    http = scene.customer.http
    key = scene.customer.key("agents:write", "agents:read")
    made = http.post("/api/agents", json={"name": "Filtered"})
    agent = made.json()["id"]
    changed = scene.customer.bearing(key["secret"]).patch(f"/api/agents/{agent}", json={"name": "By a key"})
    [first] = entries(http, made.headers["x-request-id"], 1)
    [second] = entries(http, changed.headers["x-request-id"], 1)

    def found(**filters: str) -> list[str]:
        answer = http.get("/api/audit-logs", params={"limit": 200, **filters})
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["data"]]

    assert found(targetId=agent) == [second["id"], first["id"]]
    assert found(targetId=agent, actorId=key["id"]) == [second["id"]]
    assert found(targetId=agent, actorId=scene.customer.user["id"]) == [second["id"], first["id"]]
    assert found(targetId=agent, action="create_agent") == [first["id"]]
    assert found(targetId=agent, createdAtGe=second["createdAt"]) == [second["id"]]
    assert found(targetId=agent, createdAtLt=first["createdAt"]) == []
    for name in ("actorId", "action", "targetId", "requestId"):
        assert found(**{name: "none-such"}) == []


def test_writes_are_sealed_and_the_chain_is_whole(scene: Scene, suite: Suite) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seals := scene.customer.http.get("/api/audit-seals").json()["data"]):
        assert time.monotonic() < deadline, "no seal within two minutes"
        time.sleep(1)
    assert len(seals[0]["hash"]) == 64
    folder = str(suite.folder.path)
    verified = subprocess.run(
        [sys.executable, "-m", "local", "verify-audit", "--var", folder], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (verified.returncode, verified.stdout) == (0, "every chain is whole\n"), verified.stdout + verified.stderr
