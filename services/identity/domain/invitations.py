"""Invitations: an address that may become a user of an organization in a role, by a link that is mailed."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from .people import check_email
from .scopes import Role, ranks_below

# How long an invitation can be accepted. Longer: forgotten mails open the organization for longer.
INVITATION_LIFETIME = timedelta(days=7)


class Status(enum.StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Invitation:
    id: str
    org_id: str
    email: str
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None

    def status(self, now: datetime) -> Status:
        if self.accepted_at is not None:
            return Status.ACCEPTED
        if self.revoked_at is not None:
            return Status.REVOKED
        return Status.PENDING if self.expires_at > now else Status.EXPIRED


def invite(invitation_id: str, org_id: str, email: str, role: Role, invited_by: str, now: datetime) -> Invitation:
    """A new invitation; raises with a violation when the address is none."""
    return Invitation(invitation_id, org_id, check_email(email), role, invited_by, now, now + INVITATION_LIFETIME)


def may_still_grant(inviter: Role | None, role: Role) -> bool:
    """Whether who invited could grant the role now: a demotion or a departure ends what was promised before."""
    return inviter is not None and not ranks_below(inviter, role)
