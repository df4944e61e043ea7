"""Who may listen to which channel, and where an event appears."""

import pytest

from libs.events.topics import TOPICS, UNTOLD
from services.realtime.domain.channels import (
    LOG,
    channels_of_event,
    is_channel_name,
    may_hear,
    may_listen,
    organization_channels,
    scope_of_event,
)
from suite.services import INTEGRATIONS, SERVICES

ORG, OTHER = "org_a", "org_b"


@pytest.mark.parametrize(
    ("channel", "scopes", "allowed"),
    [
        (f"org:{ORG}:calls", {"calls:read"}, True),
        (f"org:{ORG}:calls", {"*"}, True),
        (f"org:{ORG}:calls", {"agents:read"}, False),
        (f"org:{ORG}:billing", {"calls:read"}, False),
        (f"org:{OTHER}:calls", {"*"}, False),
        (f"org:{ORG}", {"*"}, False),
        (f"org:{ORG}:calls:more", {"*"}, False),
        (f"org:{ORG}:secrets", {"*"}, False),
        (f"org:{ORG}:members", {"members:read"}, True),
        (f"org:{ORG}:members", {"calls:read"}, False),
        (f"org:{ORG}:jobs", {f"{service.area}:read" for service in SERVICES.values()}, True),
        (f"org:{ORG}:jobs", {"calls:read", "knowledge:read"}, False),
        (f"org:{OTHER}:jobs", {"*"}, False),
        ("call:call_1", {"calls:read"}, True),
        ("call:call_1", {"agents:read"}, False),
        ("call:", {"*"}, False),
        ("job:job_1", set(), True),
        ("user:usr_1", set(), True),
        ("user:usr_2", {"*"}, False),
        ("log", {"*"}, False),
        ("anything", {"*"}, False),
    ],
)
def test_may_listen(channel: str, scopes: set[str], allowed: bool) -> None:
    assert may_listen(channel, org_id=ORG, user_id="usr_1", scopes=scopes) is allowed


def test_a_key_without_a_user_listens_to_no_users_channel() -> None:
    assert not may_listen("user:", org_id=ORG, user_id="", scopes={"*"})


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a*", "a>", "ä", "x" * 256, "a\n"])
def test_names_that_could_leave_their_subject_are_no_names(name: str) -> None:
    assert not is_channel_name(name)


def test_a_call_event_appears_in_log_area_and_call() -> None:
    channels = channels_of_event("call.ended", ORG, "call_9")
    assert channels == [LOG, f"org:{ORG}:calls", "call:call_9"]


def test_an_identity_event_appears_in_its_area_and_to_the_user_that_it_names() -> None:
    assert channels_of_event("session.revoked", ORG, "ses_1", "usr_1") == [LOG, f"org:{ORG}:members", "user:usr_1"]
    assert channels_of_event("org.updated", ORG, ORG) == [LOG, f"org:{ORG}:members"]


def test_a_turn_of_a_call_appears_where_its_call_does() -> None:
    assert channels_of_event("call.turn", ORG, "call_9", "usr_1") == [LOG, f"org:{ORG}:calls", "call:call_9"]


def test_token_answer_lists_only_what_the_scopes_open() -> None:
    assert organization_channels(ORG, {"calls:read", "billing:write"}) == [f"org:{ORG}:calls"]
    assert len(organization_channels(ORG, {"*"})) == 7


def test_an_event_is_heard_by_who_may_read_the_area_of_its_service() -> None:
    for name, topic in TOPICS.items():
        if topic.service and name not in UNTOLD:
            area = INTEGRATIONS if name.startswith("integration.") else SERVICES[topic.service].events_area
            assert scope_of_event(name) == f"{area}:read", name
    assert {scope_of_event(name) for name in ("job.finished", *UNTOLD)} == {"*"}


def test_who_reads_agents_hears_nothing_of_integrations() -> None:
    assert channels_of_event("integration.updated", ORG, "int_1") == ["log", f"org:{ORG}:integrations"]
    assert not may_listen(f"org:{ORG}:integrations", org_id=ORG, user_id="usr_1", scopes={"agents:read"})
    assert not may_hear("integration.updated", {"agents:read", "agents:write"})
    assert may_hear("integration.updated", {"integrations:read"})
