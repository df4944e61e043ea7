"""The events this service writes, built from domain values. Topics are declared in libs.events.topics."""

from __future__ import annotations

from echosenseix.events.v1 import events_pb2
from libs.events import Event
from services.identity.domain.credentials import ApiKey
from services.identity.domain.people import Organization, User
from services.identity.domain.verification import PendingRegistration
from suite.tables import UNREGISTERED


def organization_event(topic: str, organization: Organization) -> Event:
    changed = events_pb2.OrganizationChanged(
        organization_id=organization.id, name=organization.name, version=organization.version
    )
    return Event(topic=topic, org_id=organization.id, key=organization.id, data=changed)


def user_event(topic: str, user: User, *, access_changed: bool = False) -> Event:
    changed = events_pb2.UserChanged(
        user_id=user.id, email=user.email, role=user.role.value, access_changed=access_changed
    )
    return Event(topic=topic, org_id=user.org_id, key=user.id, data=changed)


def verification_event(pending: PendingRegistration, link: str) -> Event:
    """Of no organization: it exists only once the link was followed."""
    values = {"link": link, "organizationName": pending.asked.organization_name}
    asked = events_pb2.MailRequested(
        template="registration.verify", address=pending.asked.email, about=pending.id, values=values
    )
    return Event(topic="mail.requested", org_id=UNREGISTERED, key=pending.id, data=asked)


def address_taken_event(owner: User) -> Event:
    asked = events_pb2.MailRequested(template="registration.taken", address=owner.email, about=owner.id)
    return Event(topic="mail.requested", org_id=owner.org_id, key=owner.id, data=asked)


def account_mail(template: str, address: str, about: str, **values: str) -> Event:
    """A mail about an account. Of no organization, so that no administrator reads a link that opens an account."""
    asked = events_pb2.MailRequested(template=template, address=address, about=about, values=values)
    return Event(topic="mail.requested", org_id=UNREGISTERED, key=about, data=asked)


def api_key_event(topic: str, key: ApiKey) -> Event:
    changed = events_pb2.ApiKeyChanged(api_key_id=key.id, name=key.name, prefix=key.prefix)
    return Event(topic=topic, org_id=key.org_id, key=key.id, data=changed)


def session_event(topic: str, org_id: str, session_id: str, user_id: str) -> Event:
    changed = events_pb2.SessionRevoked(session_id=session_id, user_id=user_id)
    return Event(topic=topic, org_id=org_id, key=session_id, data=changed)
