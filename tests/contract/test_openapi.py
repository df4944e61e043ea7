"""openapi.json and the route table say the same, in both directions; the file is what the table makes now."""

from __future__ import annotations

import json

from gateway.app import ROUTES
from gateway.http.openapi import encode
from gateway.routes.documentation import FILE

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
    assert FILE.read_bytes() == encode(ROUTES), "run `python -m gateway openapi` and commit openapi.json"
