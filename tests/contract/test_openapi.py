"""openapi.json and the route table say the same, in both directions; the file is what the table makes now."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gateway.app import ROUTES
from gateway.http.openapi import encode
from gateway.routes.documentation import ABOUT, FILE

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
