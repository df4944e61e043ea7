"""The events this service writes, built from domain values. Topics are declared in libs.events.topics."""

from __future__ import annotations

from echosenseix.events.v1 import events_pb2
from libs.events import Event
from libs.rpc.times import to_timestamp
from services.identity.domain.credentials import ApiKey
from services.identity.domain.people import Organization, User
from services.identity.domain.verification import PendingRegistration
from services.identity.domain.white_label import GRACE, Host
from suite.mails import MailTemplate
from suite.tables import UNREGISTERED


def organization_event(topic: str, organization: Organization, *, access_changed: bool = False) -> Event:
    changed = events_pb2.OrganizationChanged(
        organization_id=organization.id,
        name=organization.name,
        version=organization.version,
        parent_id=organization.parent_id,
        access_changed=access_changed,
    )
    return Event(topic=topic, org_id=organization.id, key=organization.id, data=changed)


def host_event(topic: str, host: Host) -> Event:
    lost_after = host.missing_since + GRACE if host.missing_since else None
    changed = events_pb2.WhiteLabelHostChanged(
        white_label_host_id=host.id,
        host=host.host,
        missing_since=to_timestamp(host.missing_since),
        lost_after=to_timestamp(lost_after),
    )
    return Event(topic=topic, org_id=host.org_id, key=host.id, data=changed)


def user_event(topic: str, user: User, *, access_changed: bool = False) -> Event:
    changed = events_pb2.UserChanged(
        user_id=user.id, email=user.email, role=user.role.value, access_changed=access_changed
    )
    return Event(topic=topic, org_id=user.org_id, key=user.id, data=changed)


def verification_event(pending: PendingRegistration, link: str) -> Event:
    asked = pending.asked
    return unregistered_mail(
        MailTemplate.REGISTRATION_VERIFY, asked.email, pending.id, link=link, organizationName=asked.organization_name
    )


def address_taken_event(owner: User) -> Event:
    template = MailTemplate.REGISTRATION_TAKEN
    asked = events_pb2.MailRequested(template=template, address=owner.email, about=owner.id)
    return Event(topic="mail.requested", org_id=owner.org_id, key=owner.id, data=asked)


def unregistered_mail(template: MailTemplate, address: str, about: str, **values: str) -> Event:
    """Asks for a mail of no organization: the address has none yet, or no administrator may read what the mail says,
    such as a link that opens an account."""
    asked = events_pb2.MailRequested(template=template, address=address, about=about, values=values)
    return Event(topic="mail.requested", org_id=UNREGISTERED, key=about, data=asked)


def api_key_event(topic: str, key: ApiKey) -> Event:
    changed = events_pb2.ApiKeyChanged(api_key_id=key.id, name=key.name, prefix=key.prefix)
    return Event(topic=topic, org_id=key.org_id, key=key.id, data=changed)


def session_event(topic: str, org_id: str, session_id: str, user_id: str) -> Event:
    changed = events_pb2.SessionRevoked(session_id=session_id, user_id=user_id)
    return Event(topic=topic, org_id=org_id, key=session_id, data=changed)
