"""Situations of the field at the HTTP edge: identifiers, times in queries, cursors, paths, names, searches."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from .conftest import PASSWORD, Customer, problem

INVISIBLE = "\u200b"


@pytest.mark.parametrize(
    "number", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 175928847299117063, 10**30, 0.1, 1e21, -0.0]
)
def test_a_snowflake_id_in_an_agents_variables_keeps_its_digits_or_is_refused(ada: Customer, number: float) -> None:
    answer = ada.http.post("/api/agents", json={"name": "Snowflake", "dynamicVariables": {"id": number}})
    if answer.status_code == 422:
        assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "#/dynamicVariables/id"
        assert abs(number) > 2**53
        return
    for agent in (answer.json(), ada.http.get(f"/api/agents/{answer.json()['id']}").json()):
        assert agent["dynamicVariables"] == {"id": number}


@pytest.mark.parametrize("path", ["/api/agents", "/api/call-logs"])
@pytest.mark.parametrize(
    ("written", "valid"),
    [
        ("2026-01-02T03:04:05+02:00", False),  # unescaped: a + of a query is a space
        ("2026-01-02", False),
        ("2026-01-02T03:04:05", False),
        ("2026-06-30T23:59:60Z", False),
        ("2026-02-30T00:00:00Z", False),
        ("2026-01-02T03:04:05-05:00", True),
        ("2026-01-02T03:04:05%2B02:00", True),
        ("2026-01-02T03:04:05.123456789Z", True),
    ],
)
def test_a_time_in_a_query_is_read_with_its_zone_or_named(ada: Customer, path: str, written: str, valid: bool) -> None:
    answer = ada.http.get(f"{path}?createdAtGe={written}")
    if valid:
        assert answer.status_code == 200, answer.text
    else:
        errors = problem(answer, 400, "invalid_query")["errors"]
        assert [error["pointer"] for error in errors] == ["#/createdAtGe"], errors


def test_a_cursor_goes_on_after_its_last_row_was_deleted_and_fits_no_other_order(
    customer: Callable[[], Customer],
) -> None:
    ada = customer()
    made = [ada.agent(name=f"Agent {number}")["id"] for number in range(5)]
    first = ada.http.get("/api/agents", params={"limit": 2, "cursor": "", "sort": "createdAt", "order": "asc"})
    assert [row["id"] for row in first.json()["data"]] == made[:2]
    cursor = first.json()["nextCursor"]
    assert ada.http.delete(f"/api/agents/{made[1]}").status_code == 204
    params = {"limit": 5, "cursor": cursor, "sort": "createdAt", "order": "asc"}
    rest = ada.http.get("/api/agents", params=params)
    assert [row["id"] for row in rest.json()["data"]] == made[2:]
    for other in ({"order": "desc"}, {"sort": "name"}):
        problem(ada.http.get("/api/agents", params={**params, **other}), 400, "invalid_cursor")


def test_only_the_path_as_it_is_written_leads_to_a_thing(ada: Customer) -> None:
    made = ada.agent(name="Größe \N{SNOWMAN} \N{FALLEN LEAF} 100% %41")
    for wrong in (f"/api//agents/{made['id']}", f"/api/agents/{made['id']}/", f"/API/agents/{made['id']}"):
        problem(ada.http.get(wrong), 404, "route_not_found")
    encoded = "".join(f"%{letter:02X}" for letter in made["id"].encode())
    assert ada.http.get(f"/api/agents/{encoded}").json()["name"] == made["name"]
    assert made["name"] == "Größe \N{SNOWMAN} \N{FALLEN LEAF} 100% %41"


def registration(**changes: Any) -> dict[str, Any]:
    body = {
        "email": f"{secrets.token_hex(6)}@example.com",
        "password": PASSWORD,
        "firstName": "Ada",
        "lastName": "Lovelace",
        "organizationName": "Tannery",
    }
    return {**body, **changes}


@pytest.mark.parametrize("blank", ["", " ", INVISIBLE, " \u2060\u00a0", "\ufeff", "\u3164", "\u200d\u200c", "\u0301"])
def test_a_name_that_shows_nothing_is_refused_like_an_empty_one(ada: Customer, blank: str) -> None:
    stranger = ada.bearing(None)
    made = ada.agent()
    base = "/api/knowledge-base/entries"
    tries: list[tuple[httpx.Response, str]] = [
        (ada.http.post("/api/agents", json={"name": blank}), "#/name"),
        (ada.http.patch(f"/api/agents/{made['id']}", json={"name": blank}), "#/name"),
        (ada.http.post(f"/api/agents/{made['id']}/duplicate", json={"name": blank}), "#/name"),
        (ada.http.post("/api/api-keys", json={"name": blank, "scopes": ["*"]}), "#/name"),
        (ada.http.patch("/api/organization", json={"name": blank}), "#/name"),
        (ada.http.post(base, json={"title": blank, "content": "Boats leave at noon."}), "#/title"),
        (ada.http.post(base, json={"title": "Boats", "content": blank}), "#/content"),
        (stranger.post("/api/register", json=registration(organizationName=blank)), "#/organizationName"),
    ]
    for answer, pointer in tries:
        refused = problem(answer, 422, "validation_failed")
        assert pointer in [error["pointer"] for error in refused["errors"]], (str(answer.request.url), refused)
    answer = ada.http.post("/api/agents", json={"name": "Tagged", "tags": [blank]})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "#/tags/0"


def test_one_account_whatever_way_its_address_is_typed(ada: Customer) -> None:
    stranger, mark = ada.bearing(None), secrets.token_hex(4)
    composed, decomposed = f"zoé.{mark}@example.com", f"zoe\u0301.{mark}@example.com"
    assert stranger.post("/api/register", json=registration(email=composed)).status_code == 201
    for typed in (composed.upper(), f"  {composed} ", decomposed, decomposed.upper()):
        refused = stranger.post("/api/register", json=registration(email=typed))
        assert refused.status_code == 409, refused.text
        stranger.cookies.clear()
        assert stranger.post("/api/login", json={"email": typed, "password": PASSWORD}).status_code == 200, typed
        stranger.cookies.clear()
    other = stranger.post("/api/register", json=registration(email=composed.replace("@", "+work@")))
    assert other.status_code == 201


@pytest.mark.parametrize("hidden", [INVISIBLE, "\u2060", "\ufeff", "\u00ad", "\u200e"])
def test_a_zero_width_space_pasted_into_an_address_is_refused(ada: Customer, hidden: str) -> None:
    stranger = ada.bearing(None)
    for typed in (f"ann{hidden}@example.com", f"ann@exam{hidden}ple.com", f"{hidden}ann@example.com"):
        refused = problem(stranger.post("/api/register", json=registration(email=typed)), 422, "validation_failed")
        assert [error["pointer"] for error in refused["errors"]] == ["#/email"]


def test_wildcards_of_sql_are_letters_in_a_search_of_agents(customer: Callable[[], Customer]) -> None:
    ada = customer()
    for name in ("Desk foo_bar", "Desk fooXbar", "Discount 50% off", "Discount 50 off"):
        ada.agent(name=name)

    def found(words: str) -> set[str]:
        return {row["name"] for row in ada.http.get("/api/agents", params={"search": words}).json()["data"]}

    assert found("foo_bar") == {"Desk foo_bar"}
    assert "Discount 50% off" in found("50%")
    assert found("%") <= {"Discount 50% off"}
    assert found("\\") == found("'") == found('"') == set()


def test_a_name_typed_decomposed_is_found_composed_and_the_other_way(customer: Callable[[], Customer]) -> None:
    ada = customer()
    ada.agent(name="Cafe\u0301 Königshafen")
    for words in ("Café", "Cafe\u0301", "Ko\u0308nigshafen", "KÖNIGSHAFEN"):
        rows = ada.http.get("/api/agents", params={"search": words}).json()["data"]
        assert [row["name"] for row in rows] == ["Café Königshafen"], words
