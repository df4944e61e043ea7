"""Limits that the document states are the ones that services enforce."""

from __future__ import annotations

import json
import re
import zoneinfo
from typing import Any

import pytest

from gateway.http.wire import micros_from_json
from gateway.routes.documentation import FILE
from libs.errors import InvalidArgument
from libs.events.topics import LOGGED
from services.billing.domain.credit import check_top_up
from services.identity.domain.scopes import check_scopes
from suite.formats import LANGUAGE

SCHEMAS = json.loads(FILE.read_bytes())["components"]["schemas"]
AMOUNTS = [
    "0", "0.00", "0.001", "0.009999", "0.01", "0.010000", "00.01", "1", "000001", "1.5", "1.50", "1.505", "1.550000",
    "99999.99", "99999.999", "100000", "100000.00", "100000.000000", "100000.01", "100001", "0100000", "999999",
    "1000000", "10.0000001", "-1", "+1", "1e3", "", " 1", "1.", ".5", "\u0661",
]  # fmt: skip


def is_taken(amount: str) -> bool:
    try:
        check_top_up(micros_from_json(amount), "USD", "USD")
    except (ValueError, InvalidArgument):
        return False
    return True


@pytest.mark.parametrize("schema", ["TopUpBody", "CreditBody"])
def test_the_amounts_of_the_document_are_the_ones_that_billing_takes(schema: str) -> None:
    pattern = re.compile(SCHEMAS[schema]["properties"]["amount"]["pattern"])
    documented = [amount for amount in AMOUNTS if pattern.search(amount)]
    assert documented == [amount for amount in AMOUNTS if is_taken(amount)]
    assert 0 < len(documented) < len(AMOUNTS)


def enum_of(schema: str, member: str) -> list[str]:
    found: list[str] = SCHEMAS[schema]["properties"][member]["items"]["enum"]
    return found


def test_the_scopes_of_the_document_are_the_ones_that_can_be_granted() -> None:
    scopes = enum_of("ApiKeyBody", "scopes")
    assert check_scopes(scopes) == tuple(scopes)
    with pytest.raises(InvalidArgument) as refused:
        check_scopes(["agents:fly"])
    assert ", ".join(scopes) in refused.value.violations[0].detail


def test_the_event_types_of_the_document_are_the_topics_and_their_families() -> None:
    types = enum_of("WebhookEndpointBody", "eventTypes")
    assert set(types) == {"*", *LOGGED, *(f"{topic.partition('.')[0]}.*" for topic in LOGGED)}
    assert len(types) == len(set(types))


def test_the_languages_and_time_zones_of_the_document_are_those_of_the_services() -> None:
    assert LANGUAGE in SCHEMAS["AgentBody"]["properties"]["language"]["anyOf"][0]["pattern"]
    zone = re.compile(SCHEMAS["OrganizationPatch"]["properties"]["timeZone"]["pattern"])
    assert [name for name in sorted(zoneinfo.available_timezones()) if not zone.search(name)] == []


def required_sets(schema: dict[str, Any]) -> list[list[str]]:
    """The sets of members of which one must be there, from the chain of `if` and `else`."""
    if "if" not in schema:
        return [schema["required"]]
    return [schema["if"]["required"], *required_sets(schema["else"])]


def test_a_conditional_body_says_what_it_needs_at_least() -> None:
    assert required_sets(SCHEMAS["UsageBody"]) == [["events"], ["id", "meter", "timestamp", "value"]]
    for name, beside in (("ReplayBody", set()), ("DeadEventReplayBody", {"service"})):
        enough = {members[0] for members in required_sets(SCHEMAS[name])}
        assert enough == set(SCHEMAS[name]["properties"]) - beside
