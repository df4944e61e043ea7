"""A caller receives only events that it may read: one rule for the log, streams, sockets and endpoints."""

from __future__ import annotations

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from libs.events.topics import LOGGED
from services.realtime.domain.channels import organization_channels, scope_of_event
from services.realtime.protocol.hearing import check_hearing, heard_topics
from suite.services import SCOPES


@pytest.mark.parametrize("topic", LOGGED)
def test_every_event_needs_a_scope_that_can_be_granted_and_that_reads(topic: str) -> None:
    scope = scope_of_event(topic)
    assert scope in SCOPES
    assert scope.endswith(":read")


@pytest.mark.parametrize("topic", LOGGED)
def test_no_scope_but_its_own_and_the_whole_hears_an_event(topic: str) -> None:
    hearing = [scope for scope in SCOPES if topic in heard_topics({scope})]
    assert hearing == ["*", scope_of_event(topic)]


def test_the_scope_of_the_door_alone_hears_nothing() -> None:
    assert heard_topics({"realtime:read", "webhooks:write"}) == []
    assert organization_channels("org_1", {"realtime:read"}) == []


def test_a_pattern_means_what_it_means_for_webhook_endpoints() -> None:
    calls = [topic for topic in LOGGED if topic.startswith("call.")]
    assert calls
    assert heard_topics({"*"}, ["call.*"]) == calls
    assert heard_topics({"*"}, ["*"]) == list(LOGGED)
    assert heard_topics({"agents:read"}, ["call.*"]) == []


@pytest.mark.parametrize("name", ["call", "calls.*", "call.*x", "*.ended", "", "org.nope"])
def test_a_type_that_no_event_has_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        heard_topics({"*"}, [name])


def test_an_endpoint_needs_the_scopes_of_all_that_it_hears() -> None:
    check_hearing(["call.*"], {"webhooks:write", "calls:read"})
    check_hearing(["*"], {"*"})
    for types in (["*"], ["call.ended"], ["agent.*", "user.created"]):
        with pytest.raises(PermissionDenied) as refusal:
            check_hearing(types, {"webhooks:write", "agents:read"})
        assert refusal.value.reason == "missing_scope"
        assert "agents:read" not in refusal.value.detail
