"""openapi.json and the route table say the same, in both directions; the file is what the table makes now."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from gateway.app import ROUTES
from gateway.http.openapi import encode
from gateway.routes.documentation import ABOUT, FILE
from providers.registry import PROVIDERS
from suite.services import SERVICES

ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
METHODS = {"get", "put", "post", "patch", "delete", "head", "options"}
COMMITTED = json.loads(FILE.read_bytes())
DOCUMENTED = {(method, path) for path, item in COMMITTED["paths"].items() for method in item if method in METHODS}
ROUTED = {(route.method.lower(), route.path) for route in ROUTES}


def test_every_route_is_documented() -> None:
    assert DOCUMENTED >= ROUTED


def test_every_documented_operation_has_a_route() -> None:
    assert ROUTED >= DOCUMENTED


def test_no_route_is_declared_twice() -> None:
    assert len(ROUTED) == len(ROUTES)


def test_the_committed_document_is_fresh() -> None:
    assert FILE.read_bytes() == encode(ROUTES, ABOUT), "run `python -m gateway openapi` and commit openapi.json"


def test_every_example_of_a_problem_shows_a_code_that_clients_can_meet() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (\d{3}) \|", ERRORS.read_text("utf-8"), re.MULTILINE)
    documented = {(status, code) for code, status in rows}
    shown = {
        (status, response["content"]["application/problem+json"]["example"]["code"])
        for status, response in COMMITTED["components"]["responses"].items()
    }
    # The API reserves 402 and 428; no operation answers with them yet.
    assert {status for status, _ in shown - documented} == {"402", "428"}


OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in COMMITTED["paths"].items()
    for method, operation in item.items()
}


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {known["name"]: known["schema"] for known in operation.get("parameters", ())}


def test_every_list_names_by_what_it_can_be_sorted() -> None:
    lists = {name: parameters(operation) for name, operation in OPERATIONS.items() if "sort" in parameters(operation)}
    assert len(lists) > 15
    assert [name for name, known in lists.items() if not known["sort"].get("enum")] == []
    assert {tuple(known["order"]["enum"]) for known in lists.values()} == {("asc", "desc")}


def test_every_list_has_links() -> None:
    lists = [name for name, operation in OPERATIONS.items() if "limit" in parameters(operation)]
    assert "GET /api/events" in lists
    assert [name for name in lists if "Link" not in OPERATIONS[name]["responses"]["200"]["headers"]] == []


def test_providers_and_services_are_closed_lists() -> None:
    named = {name: parameters(operation).get("provider", {}) for name, operation in OPERATIONS.items()}
    assert {frozenset(schema.get("enum", ())) for schema in named.values() if schema} == {frozenset(PROVIDERS)}
    queues = [parameters(operation)["service"] for name, operation in OPERATIONS.items() if "{service}" in name]
    assert [tuple(schema["enum"]) for schema in queues] == [tuple(SERVICES)] * 2
