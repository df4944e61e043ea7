"""Invitations and the mails that carry their links."""

from __future__ import annotations

from datetime import datetime

from echosenseix.identity.v1 import members_pb2
from libs.events import Event
from libs.rpc.times import to_timestamp
from services.identity.domain.invitations import Invitation, Status
from suite.mails import MailTemplate

from .events import unregistered_mail
from .people import role_to_proto

_STATUS = {
    Status.PENDING: members_pb2.INVITATION_STATUS_PENDING,
    Status.ACCEPTED: members_pb2.INVITATION_STATUS_ACCEPTED,
    Status.REVOKED: members_pb2.INVITATION_STATUS_REVOKED,
    Status.EXPIRED: members_pb2.INVITATION_STATUS_EXPIRED,
}
_STATUS_OF: dict[int, Status] = {number: status for status, number in _STATUS.items()}


def status_from_proto(number: int) -> Status | None:
    return _STATUS_OF.get(number)


def invitation_to_proto(invitation: Invitation, now: datetime) -> members_pb2.Invitation:
    return members_pb2.Invitation(
        id=invitation.id,
        email=invitation.email,
        role=role_to_proto(invitation.role),
        status=_STATUS[invitation.status(now)],
        invited_by=invitation.invited_by,
        create_time=to_timestamp(invitation.created_at),
        expire_time=to_timestamp(invitation.expires_at),
        accept_time=to_timestamp(invitation.accepted_at),
        revoke_time=to_timestamp(invitation.revoked_at),
    )


def invitation_event(invitation: Invitation, organization_name: str, link: str, product_name: str) -> Event:
    return unregistered_mail(
        MailTemplate.INVITATION,
        invitation.email,
        invitation.id,
        link=link,
        organizationName=organization_name,
        role=invitation.role.value,
        productName=product_name,
    )
