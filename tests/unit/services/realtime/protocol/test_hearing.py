"""A caller receives only events that it may read: one rule for the log, streams, sockets and endpoints."""

from __future__ import annotations

import json

import pytest

from libs.errors import InvalidArgument, PermissionDenied
from libs.events.topics import LOGGED
from services.realtime.domain.channels import channels_of_event, may_listen, organization_channels, scope_of_event
from services.realtime.protocol.hearing import OF_AGENTS, check_hearing, heard_topics, is_about
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


def test_a_limited_caller_hears_of_agents_and_their_calls_alone() -> None:
    heard = heard_topics({"*"}, limited=True)
    assert {topic.partition(".")[0] for topic in heard} == {"agent", "call"}
    assert heard_topics({"calls:read"}, ("credit.low",), limited=True) == []
    assert heard_topics({"agents:read"}, ("call.*", "agent.updated"), limited=True) == ["agent.updated"]


def test_every_event_of_a_channel_that_opens_to_limited_callers_names_its_agent() -> None:
    for topic in LOGGED:
        for channel in channels_of_event(topic, "org_1", "x"):
            open_to = may_listen(channel, org_id="org_1", user_id="usr_1", scopes={"*"}, limited=True)
            assert not open_to or topic in OF_AGENTS, (channel, topic)


def test_an_event_is_about_an_agent_that_its_data_name_and_no_other() -> None:
    for data, about in (({"agentId": "a"}, True), ({"agentId": "b"}, False), ({"callId": "a"}, False), ({}, False)):
        assert is_about(json.dumps({"data": data}).encode(), {"a"}) is about
    assert not is_about(b'{"data":{"agentId":""}}', set())
