"""A plan of an operator is in force at all gateways within seconds, and shown where limits are shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import httpx

from .conftest import Customer, problem, until


def policy(client: httpx.Client, path: str = "/api/agents") -> dict[str, int]:
    """Name -> requests, as the answer tells them."""
    told = client.get(path).headers["ratelimit-policy"]
    return {name: int(most) for name, most in re.findall(r'"([a-z-]+)";q=(\d+)', told)}


def test_a_plan_changes_the_limits_of_one_organization_alone(
    customer: Callable[[], Customer], operator: httpx.Client
) -> None:
    ada, bob = customer(), customer()
    key = ada.bearing(ada.key("agents:read")["secret"])
    usual, of_key = policy(ada.http), policy(key)
    path = f"/api/admin/organizations/{ada.organization['id']}/limits"
    before = {row["name"]: row["organization"] for row in ada.http.get("/api/quotas").json()["requestLimits"]}
    assert operator.get(path).json()["percent"] == 100
    for percent in (250, 50, 100):
        sent = {"percent": percent, "reason": "Plan"}
        answer = operator.put(path, json=sent)
        assert (answer.status_code, answer.json()["percent"]) == (200, percent), answer.text
        for client, most in ((ada.http, usual), (key, of_key)):
            until(partial(policy, client), {name: q * percent // 100 for name, q in most.items()}.__eq__)
        shown = {row["name"]: row["organization"] for row in ada.http.get("/api/quotas").json()["requestLimits"]}
        assert shown == {name: most * percent // 100 for name, most in before.items()}
        assert policy(bob.http) == usual
    problem(operator.put(path, json={"percent": 0, "reason": "x"}), 422, "validation_failed")
    problem(operator.put(path, json={"percent": 200}), 422, "validation_failed")
    problem(bob.http.put(path, json={"percent": 200, "reason": "x"}), 403, "operators_only")
    gone = "/api/admin/organizations/org_01m8f59rmhe3d9h1wxp49bjd1g/limits"
    problem(operator.put(gone, json={"percent": 200, "reason": "x"}), 404, "organization_not_found")
    both = [entry["action"] for entry in operator.get("/api/audit-logs").json()["data"]]
    assert any("equestLimits" in action or "request_limits" in action for action in both)
