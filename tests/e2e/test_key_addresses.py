"""An API key with an allow-list works from its networks alone, by the address that the gateway resolved."""

from __future__ import annotations

import pytest

from .conftest import Customer, problem


def test_a_key_works_from_its_networks_and_tells_them(ada: Customer) -> None:
    made = ada.key("agents:read", allowedAddresses=["127.0.0.1", "2001:db8::/32"])
    assert made["allowedAddresses"] == ["127.0.0.1/32", "2001:db8::/32"]
    assert ada.http.get(f"/api/api-keys/{made['id']}").json()["allowedAddresses"] == made["allowedAddresses"]
    assert ada.bearing(made["secret"]).get("/api/agents").status_code == 200


def test_a_key_is_refused_elsewhere_whatever_the_client_claims(ada: Customer) -> None:
    made = ada.key("*", allowedAddresses=["203.0.113.0/24"])
    holder = ada.bearing(made["secret"])
    for headers in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}):
        problem(holder.get("/api/agents", headers=headers), 403, "address_not_allowed")
        problem(
            holder.post("/api/api-keys", json={"name": "x", "scopes": ["*"]}, headers=headers),
            403,
            "address_not_allowed",
        )


def test_a_rotated_key_keeps_its_networks(ada: Customer) -> None:
    made = ada.key("*", allowedAddresses=["203.0.113.0/24"])
    rotated = ada.http.post(f"/api/api-keys/{made['id']}/rotate", json={"overlapSeconds": 60}).json()
    assert rotated["allowedAddresses"] == ["203.0.113.0/24"]
    for secret in (made["secret"], rotated["secret"]):
        problem(ada.bearing(secret).get("/api/agents"), 403, "address_not_allowed")


@pytest.mark.parametrize("network", ["203.0.113.1/24", "nonsense", "203.0.113.0/33", ""])
def test_what_is_no_network_is_refused_by_its_place(ada: Customer, network: str) -> None:
    answer = ada.http.post(
        "/api/api-keys", json={"name": "x", "scopes": ["*"], "allowedAddresses": ["10.0.0.0/8", network]}
    )
    refused = problem(answer, 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == ["#/allowedAddresses/1"]
