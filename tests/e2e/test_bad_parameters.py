"""Every query parameter of the document with values that its schema forbids: the refusal names it and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from .conftest import Customer
from .document import OPERATIONS, Operation, resolve
from .scene import Scene
from .things import make_things

ASKED = [operation for operation in OPERATIONS if operation.parameters("query")]
LISTS = [operation for operation in ASKED if operation.is_list]
# A link that the suite signed: whatever differs from it is 410 or 404, and tells a stranger nothing of its parts.
SIGNED = "GET /api/call-logs/{id}/recording/content"


@pytest.fixture(scope="module")
def scene(customer: Callable[[], Customer], operator: httpx.Client) -> Scene:
    operator_org = operator.get("/api/organization").json()["id"]
    return Scene(make_things(customer()), operator, operator_org)


def bad_values(schema: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Values that the schema forbids, each with the words that the refusal must say."""
    schema = resolve(schema)
    kind, told = schema.get("type"), [str(one) for one in schema.get("enum", ())]
    if told:
        yield from ((text, told) for text in ("no such value", "", told[0].upper(), f"{told[0]} "))
    elif kind == "boolean":
        yield from ((text, ["true or false"]) for text in ("perhaps", "", "TRUE", "1"))
    elif kind == "integer":
        yield from ((text, ["whole number"]) for text in ("x", "", "1.5", "1e1", "0x1"))
        most = schema.get("maximum", schema.get("exclusiveMaximum", 0) - 1)
        yield str(schema["minimum"] - 1), [str(schema["minimum"])]
        if most > 0:
            yield str(most + 1), [str(most)]
    elif kind == "number":
        yield from ((text, ["decimal number"]) for text in ("x", "", "nan", "inf", "1e1"))
        yield "-1", [str(schema["minimum"])]
    elif schema.get("format") == "date-time":
        yield from ((text, ["RFC 3339"]) for text in ("yesterday", "", "1767225600", "2026-13-01T00:00:00Z"))
        yield "2026-01-01T00:00:00", ["timezone"]
    else:
        if "pattern" in schema:
            yield "no such value", [schema["pattern"]]
        if "maxLength" in schema:
            yield "a" * (schema["maxLength"] + 1), [str(schema["maxLength"])]
        if schema.get("minLength"):
            yield "", [str(schema["minLength"])]
        yield "%00", ["NUL"]
        yield "%ff", ["UTF-8"]


def faults_of(answer: httpx.Response, name: str, told: list[str]) -> Iterator[str]:
    """What a refusal lacks."""
    if answer.status_code not in (400, 422) or answer.headers["content-type"] != "application/problem+json":
        yield f"{answer.request.url.query!r}: {answer.status_code}"
        return
    named = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    if list(named) != [f"#/{name}"]:
        yield f"{answer.request.url.query!r}: {sorted(named)} are named"
    elif missing := [word for word in told if word not in named[f"#/{name}"]]:
        yield f"{answer.request.url.query!r}: {named[f'#/{name}']!r} does not tell {missing}"


@pytest.mark.parametrize("operation", [one for one in ASKED if str(one) != SIGNED], ids=str)
def test_a_refused_parameter_is_named_with_what_is_allowed(scene: Scene, operation: Operation) -> None:
    path = scene.path(operation)
    faults: list[str] = []
    for name, declared in operation.parameters("query").items():
        asked = [(f"{name}={text if text in ('%00', '%ff') else quote(text)}", told)
                 for text, told in bad_values(declared["schema"])]  # fmt: skip
        asked.append((f"{name}=1&{name}=1", ["once"]))
        for query, told in asked:
            faults += faults_of(scene.ask(operation, f"{path}?{query}"), name, told)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", ASKED, ids=str)
def test_an_unknown_parameter_is_named(scene: Scene, operation: Operation) -> None:
    answer = scene.ask(operation, f"{scene.path(operation)}?no~such%2Fname=1")
    assert not [*faults_of(answer, "no~0such~1name", ["no such query parameter"])]


@pytest.mark.parametrize("operation", LISTS, ids=str)
def test_a_position_that_a_list_does_not_have_is_named(scene: Scene, operation: Operation) -> None:
    path = scene.path(operation)
    faults: list[str] = []
    for query, name, told in (
        ("page=1&cursor=", "page", "not both"),
        ("cursor=made-up", "cursor", "without a cursor"),
        ("page=10001&limit=1", "page", "10,000"),
        (f"page={10**24}&limit=200", "page", "10,000"),
    ):
        faults += faults_of(scene.ask(operation, f"{path}?{query}"), name, [told])
    assert not faults, "\n".join(faults)
