"""openapi.json and the route table say the same, in both directions; the file is what the table makes now."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.app import ROUTES
from gateway.http.openapi import encode
from gateway.routes.documentation import EXAMPLES, FILE, about
from gateway.schemas.vocabulary import TAGS, WORDS
from providers.registry import OWN_SYSTEM, PROVIDERS
from suite.services import SERVICES

ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
COMMITTED = json.loads(FILE.read_bytes())
# An operation with servers of its own is another process's.
OWN = [
    (method, path, operation)
    for path, item in COMMITTED["paths"].items()
    for method, operation in item.items()
    if "servers" not in operation
]
DOCUMENTED = {(method, path) for method, path, _ in OWN}
ROUTED = {(route.method.lower(), route.path) for route in ROUTES if route.documented}
FOR_PEOPLE = {
    "/",
    "/favicon.ico",
    "/.well-known/security.txt",
    "/openid",
    "/app",
    "/app/{release}/{name}",
    "/app/{release}/{name}/{file}",
}


def test_every_route_is_documented() -> None:
    assert DOCUMENTED >= ROUTED


def test_only_what_people_are_shown_is_left_out_of_the_document() -> None:
    assert {route.path for route in ROUTES if not route.documented} == FOR_PEOPLE


def test_every_documented_operation_has_a_route() -> None:
    assert ROUTED >= DOCUMENTED


def test_no_route_is_declared_twice() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_the_committed_document_is_fresh() -> None:
    assert FILE.read_bytes() == encode(ROUTES, about()), "run `python -m gateway openapi` and commit openapi.json"


def test_every_example_of_a_problem_shows_a_code_that_clients_can_meet() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \| (\d{3}) \|", ERRORS.read_text("utf-8"), re.MULTILINE)
    documented = {(status, code) for code, status in rows}
    shown = {
        (status, response["content"]["application/problem+json"]["example"]["code"])
        for status, response in COMMITTED["components"]["responses"].items()
    }
    assert shown <= documented


OPERATIONS = {f"{method.upper()} {path}": operation for method, path, operation in OWN}


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
    assert {frozenset(schema.get("enum", ())) for schema in named.values() if schema} == {
        frozenset(PROVIDERS), frozenset((*PROVIDERS, OWN_SYSTEM)),
    }  # fmt: skip
    queues = [parameters(operation)["service"] for name, operation in OPERATIONS.items() if "{service}" in name]
    assert [tuple(schema["enum"]) for schema in queues] == [tuple(SERVICES)] * 2


# Answers that the suite of the tests cannot give: they need the speech model and Stripe.
NOT_RECORDED = {
    "POST /api/whitelabel/hosts/{id}/verify",
    "PUT /api/auth/openid-links/{id}",
    "GET /api/call-logs/{id}/transcription",
    "POST /api/webhooks/stripe",
    "POST /api/register",
    "POST /api/register/verify",
    "POST /api/login",
    "POST /api/login/openid",
    "POST /api/login/openid/complete",
}


def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Operation and JSON media of every answer of success."""
    for name, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            media = response.get("content", {}).get("application/json")
            if status < "300" and media and name != "GET /openapi.json":
                yield name, media


def undocumented(value: Any, schema: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Members of a value that its schema does not name, or that it names and the value lacks."""
    while "$ref" in schema:
        schema = COMMITTED["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for option in schema.get("anyOf", ()):
        if value is not None and option.get("type") != "null":
            yield from undocumented(value, option, place)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from undocumented(item, schema["items"], f"{place}[]")
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{place}.{name}" for name in value.keys() ^ schema["properties"].keys())
        for name in value.keys() & schema["properties"].keys():
            yield from undocumented(value[name], schema["properties"][name], f"{place}.{name}")


def test_every_answer_shows_a_recorded_example_with_all_its_members() -> None:
    without = {name for name, media in answers() if "example" not in media}
    assert without == NOT_RECORDED, "run `make examples` and commit gateway/examples.json"
    faults = {name: [*undocumented(media.get("example"), media["schema"])] for name, media in answers()}
    assert {name: found for name, found in faults.items() if found} == {}, (
        "run `make examples` and commit what it writes"
    )


def test_no_example_carries_a_secret_or_an_address_of_the_machine_that_recorded_it() -> None:
    text = EXAMPLES.read_text("utf-8")
    assert not re.search(r'127\.0\.0\.1:\d+/|"(token|secret)": "[^"]{6,}"|signature=[0-9a-f]', text)


def described() -> Iterator[tuple[str, str, str]]:
    """Owner, name and description of every property and parameter."""
    for owner, schema in COMMITTED["components"]["schemas"].items():
        for name, inner in schema.get("properties", {}).items():
            yield owner, name, inner.get("description", "")
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", ()):
            yield parameter["in"], parameter["name"], parameter.get("description", "")


def test_every_property_and_parameter_says_what_it_means() -> None:
    assert [f"{owner}.{name}" for owner, name, told in described() if not told.strip()] == []


def test_every_word_of_the_vocabulary_is_shown() -> None:
    shown = {(key, told) for owner, name, told in described() for key in (name, f"{owner}.{name}")}
    assert [name for name, told in WORDS.items() if (name, told) not in shown] == []
    assert set(TAGS) == {tag["name"] for tag in COMMITTED["tags"]}
