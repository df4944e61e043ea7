import re
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest

from gateway.app import ROUTES
from gateway.http.openapi import document
from gateway.http.problems import TITLES
from gateway.http.routing import Deprecation
from gateway.routes.documentation import about

DOCUMENT = document(ROUTES, about())
OPERATIONS = {(path, method): item for path, methods in DOCUMENT["paths"].items() for method, item in methods.items()}


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            assert step in node, reference
            node = node[step]


@pytest.mark.parametrize("kind", ["schemas", "responses", "headers"])
def test_every_component_is_used(kind: str) -> None:
    assert {f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind]} <= references(DOCUMENT)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))


def test_every_parameter_of_a_path_is_declared() -> None:
    for (path, _), operation in OPERATIONS.items():
        declared = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))


# Operations that take a body of any kind.
RAW = ("/api/webhooks/", "/api/notifications/unsubscribe/")


def test_every_operation_documents_its_problems() -> None:
    for (path, method), operation in OPERATIONS.items():
        statuses = set(operation["responses"])
        if "servers" in operation:  # another process's, which has no deadline
            continue
        assert {"400", "500", "503", "504", "507"} <= statuses, path
        if "security" not in operation:
            assert "401" in statuses, path
        if "{" in path:
            assert "404" in statuses, path
        if method in ("post", "put", "patch"):
            assert {"408", "413"} <= statuses, path
            # A provider's raw report is read by the service that owns it, whatever its media type.
            assert path.startswith(RAW) or {"415", "422"} <= statuses, path
    named = {status for operation in OPERATIONS.values() for status in operation["responses"] if int(status) >= 400}
    assert named <= set(DOCUMENT["components"]["responses"]) <= {str(status) for status in TITLES}


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.example is not None], ids=lambda route: route.path
)
def test_examples_are_valid_bodies(route: Any) -> None:
    msgspec.convert(route.example, route.body)


def test_every_body_has_an_example() -> None:
    for route in ROUTES:
        assert (route.example is not None) == (route.body.__name__ != "NoBody"), route.path


def test_answers_name_all_their_keys() -> None:
    for route in ROUTES:
        shape = getattr(route.answer, "__name__", "")
        schema = DOCUMENT["components"]["schemas"].get(shape)
        if schema is not None:
            assert set(schema["required"]) == set(schema["properties"]), shape


def test_bodies_refuse_what_they_do_not_know() -> None:
    for route in ROUTES:
        if route.body.__name__ != "NoBody":
            assert DOCUMENT["components"]["schemas"][route.body.__name__]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("401", {"WWW-Authenticate"}),
        ("429", {"Retry-After", "RateLimit", "RateLimit-Policy"}),
        ("503", {"Retry-After"}),
    ],
)
def test_a_problem_documents_the_headers_that_belong_to_it(status: str, headers: set[str]) -> None:
    assert set(DOCUMENT["components"]["responses"][status]["headers"]) == {"X-Request-Id", *headers}


def test_a_deprecated_route_says_so_in_the_document() -> None:
    ended = Deprecation(date(2026, 1, 1), date(2026, 12, 31), "/api/agents/{id}/publish")
    route = replace(next(route for route in ROUTES if route.path == "/api/agents"), deprecated=ended)
    operation = document([route], about())["paths"]["/api/agents"][route.method.lower()]
    assert operation["deprecated"] is True
    assert (
        "Deprecated since 2026-01-01, answers until 2026-12-31. Use /api/agents/{id}/publish."
        in operation["description"]
    )
    assert {"Deprecation", "Sunset"} <= set(operation["responses"]["200"]["headers"])
    others = document(ROUTES, about())["paths"].values()
    assert not [operation for item in others for operation in item.values() if "deprecated" in operation]


def test_a_deprecated_route_answers_for_half_a_year_at_least() -> None:
    with pytest.raises(ValueError, match="180 days"):
        Deprecation(date(2026, 1, 1), date(2026, 6, 1), "/api/agents")
