"""Which connections an event ends: those of a session, a key, a user or an organization, wherever they act."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from google.protobuf.message import Message

from echosenseix.events.v1 import events_pb2
from gateway.principals import REMEMBER_SECONDS
from libs.clock import utcnow
from libs.events import Event, ReceivedEvent
from services.realtime.protocol.revocation import concerns, revocation, revoked_before, revoked_id
from services.realtime.protocol.tokens import ConnectionTokens, Grant, TokenInvalid

KEYS = ["k1=" + "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="]
CUSTOMER, AGENCY = "org_customer", "org_agency"
NOW = utcnow().replace(microsecond=0)
# It ends a day after the tests are collected: they may run much later.
IN_CUSTOMER = Grant(
    CUSTOMER, "usr_1", "ses_1", "", frozenset({"*"}), NOW + datetime.timedelta(days=1), NOW, home_org_id=AGENCY
)
ENDING: list[tuple[str, str, Message]] = [
    ("session.revoked", AGENCY, events_pb2.SessionRevoked(session_id="ses_1", user_id="usr_1")),
    ("user.removed", AGENCY, events_pb2.UserChanged(user_id="usr_1", access_changed=True)),
    ("user.updated", AGENCY, events_pb2.UserChanged(user_id="usr_1", access_changed=True)),
    ("org.updated", CUSTOMER, events_pb2.OrganizationChanged(organization_id=CUSTOMER, access_changed=True)),
    ("org.updated", AGENCY, events_pb2.OrganizationChanged(organization_id=AGENCY, access_changed=True)),
]
KEEPING: list[tuple[str, str, Message]] = [
    ("session.revoked", "org_other", events_pb2.SessionRevoked(session_id="ses_1", user_id="usr_1")),
    ("session.revoked", AGENCY, events_pb2.SessionRevoked(session_id="ses_2", user_id="usr_1")),
    ("user.updated", AGENCY, events_pb2.UserChanged(user_id="usr_1")),
    ("org.updated", CUSTOMER, events_pb2.OrganizationChanged(organization_id=CUSTOMER)),
    ("org.updated", "org_other", events_pb2.OrganizationChanged(organization_id="org_other", access_changed=True)),
]


def received(topic: str, org_id: str, data: Message) -> ReceivedEvent:
    return ReceivedEvent.parse(Event(topic=topic, org_id=org_id, key=org_id, data=data).payload().encode())


@pytest.mark.parametrize(("topic", "org_id", "data"), ENDING)
def test_what_ends_at_home_or_in_the_customer_ends_an_agencys_connection(
    topic: str, org_id: str, data: Message
) -> None:
    message = revocation(received(topic, org_id, data), NOW)
    assert message is not None
    assert concerns(message, IN_CUSTOMER)
    tokens = ConnectionTokens(KEYS)
    token = tokens.issue(IN_CUSTOMER)
    assert tokens.verify(token) == IN_CUSTOMER
    tokens.revoke(message["org"], revoked_id(message), revoked_before(message))
    with pytest.raises(TokenInvalid):
        tokens.verify(token)


@pytest.mark.parametrize(("topic", "org_id", "data"), KEEPING)
def test_what_ends_elsewhere_ends_no_connection(topic: str, org_id: str, data: Message) -> None:
    message = revocation(received(topic, org_id, data), NOW)
    assert message is None or not concerns(message, IN_CUSTOMER)


@pytest.mark.parametrize(("topic", "org_id", "data"), ENDING[1:])
def test_a_token_that_a_gateway_issued_by_what_it_remembered_ends_too(topic: str, org_id: str, data: Message) -> None:
    message = revocation(received(topic, org_id, data), NOW)
    assert message is not None
    assert concerns(message, replace(IN_CUSTOMER, issued_at=utcnow() + datetime.timedelta(seconds=REMEMBER_SECONDS)))


def test_a_token_of_after_the_change_stays() -> None:
    message = revocation(received(*ENDING[3]), utcnow())
    assert message is not None
    later = replace(IN_CUSTOMER, issued_at=utcnow() + datetime.timedelta(minutes=1))
    assert not concerns(message, later)


@pytest.mark.parametrize(("topic", "org_id", "data"), ENDING[1:])
def test_a_change_that_was_committed_late_ends_what_gateways_issued_until_they_saw_it(
    topic: str, org_id: str, data: Message
) -> None:
    """The event names the time at which it was written; its transaction waited ten seconds for a lock."""
    written = utcnow()
    event = Event(topic=topic, org_id=org_id, key=org_id, data=data, time=written)
    logged = written + datetime.timedelta(seconds=10)
    message = revocation(ReceivedEvent.parse(event.payload().encode()), logged)
    assert message is not None
    for seconds, ends in ((9, True), (10 + REMEMBER_SECONDS, True), (12, False)):
        grant = replace(IN_CUSTOMER, issued_at=written + datetime.timedelta(seconds=seconds))
        assert concerns(message, grant) is ends
