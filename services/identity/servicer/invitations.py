"""Invitations: an address is mailed a link, and its holder becomes a user of the organization.

An address with an account joins with it; another one sets a password. Both happen in the transaction that ends the
invitation, so that a link makes one user, however often and from wherever it is sent.
"""

from __future__ import annotations

from dataclasses import replace

from echosenseix.identity.v1 import members_pb2, members_pb2_grpc
from libs.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, Violation
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from services.identity.domain.accounts import Account, Login
from services.identity.domain.invitations import (
    INVITATION_LIFETIME,
    Invitation,
    Status,
    invite,
    may_still_grant,
)
from services.identity.domain.people import (
    Organization,
    OrganizationStatus,
    User,
    check_names,
    check_password,
    email_key,
)
from services.identity.domain.scopes import Role, check_role
from services.identity.domain.white_label import page_at
from services.identity.mapping.events import user_event
from services.identity.mapping.invitations import invitation_event, invitation_to_proto, status_from_proto
from services.identity.mapping.people import organization_to_proto, role_from_proto, role_to_proto, user_to_proto
from services.identity.storage.invitations import INVITATION_LIST, Offer

from .parts import Parts, only_the_gateway, person


class InvitationMethods(members_pb2_grpc.MemberServiceServicer):
    """A part of MemberService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def CreateInvitation(
        self, request: members_pb2.CreateInvitationRequest, context: object
    ) -> members_pb2.CreateInvitationResponse:
        require_scope("members:write")
        principal, parts, now = person(), self._parts, self._parts.clock.now()
        role = role_from_proto(request.role)
        if role is None:
            found = Violation("#/role", "required", "Must be owner, admin, member or viewer.")
            raise InvalidArgument("validation_failed", "The invitation is not valid.", violations=[found])
        invitation = invite(new_id("ivt"), principal.org_id, request.email, role, principal.user_id, now)
        check_role(role, Role(principal.role), principal.scopes)
        await parts.limits.invite(email_key(invitation.email))

        async def act(conn: Connection) -> members_pb2.CreateInvitationResponse:
            await parts.members.refuse_known(conn, principal.org_id, email_key(invitation.email))
            await parts.database.quotas.admit(conn, principal.org_id, "invitations", "ended_invitations")
            await parts.invitations.add(conn, invitation)
            await self._mail(conn, invitation, request.accept_url)
            return members_pb2.CreateInvitationResponse(invitation=invitation_to_proto(invitation, now))

        return await run_write(parts.database, principal.org_id, act, members_pb2.CreateInvitationResponse)

    async def GetInvitation(
        self, request: members_pb2.GetInvitationRequest, context: object
    ) -> members_pb2.GetInvitationResponse:
        principal = require_scope("members:read")
        invitation = await self._parts.invitations.get(principal.org_id, request.id)
        shown = invitation_to_proto(invitation, self._parts.clock.now())
        return members_pb2.GetInvitationResponse(invitation=shown)

    async def ListInvitations(
        self, request: members_pb2.ListInvitationsRequest, context: object
    ) -> members_pb2.ListInvitationsResponse:
        principal, now = require_scope("members:read"), self._parts.clock.now()
        wanted, status = page_request_from_proto(request.page, INVITATION_LIST), status_from_proto(request.status)
        page = await self._parts.invitations.page(principal.org_id, wanted, status)
        return members_pb2.ListInvitationsResponse(
            invitations=[invitation_to_proto(invitation, now) for invitation in page.items],
            page_info=page_info_to_proto(page),
        )

    async def ResendInvitation(
        self, request: members_pb2.ResendInvitationRequest, context: object
    ) -> members_pb2.ResendInvitationResponse:
        """Mails the link again and lets it work for another week; one that expired works again."""
        principal, parts, now = require_scope("members:write"), self._parts, self._parts.clock.now()
        known = await parts.invitations.get(principal.org_id, request.id)
        await parts.limits.invite(email_key(known.email))

        async def act(conn: Connection) -> members_pb2.ResendInvitationResponse:
            invitation = await parts.invitations.lock(conn, principal.org_id, request.id)
            self._require_open(invitation)
            invitation = replace(invitation, expires_at=now + INVITATION_LIFETIME)
            await parts.invitations.prolong(conn, invitation)
            await self._mail(conn, invitation, request.accept_url)
            return members_pb2.ResendInvitationResponse(invitation=invitation_to_proto(invitation, now))

        return await run_write(parts.database, principal.org_id, act, members_pb2.ResendInvitationResponse)

    async def RevokeInvitation(
        self, request: members_pb2.RevokeInvitationRequest, context: object
    ) -> members_pb2.RevokeInvitationResponse:
        org_id, parts, now = require_scope("members:write").org_id, self._parts, self._parts.clock.now()

        async def act(conn: Connection) -> members_pb2.RevokeInvitationResponse:
            invitation = await parts.invitations.lock(conn, org_id, request.id)
            if invitation.status(now) is not Status.REVOKED:
                self._require_open(invitation)
                await parts.invitations.revoke(conn, invitation, now)
            return members_pb2.RevokeInvitationResponse()

        return await run_write(parts.database, org_id, act, members_pb2.RevokeInvitationResponse)

    async def PreviewInvitation(
        self, request: members_pb2.PreviewInvitationRequest, context: object
    ) -> members_pb2.PreviewInvitationResponse:
        only_the_gateway()
        offer = await self._offer(request.token, request.ip_address)
        invitation, now = offer.invitation, self._parts.clock.now()
        if invitation.status(now) is not Status.PENDING or not may_still_grant(offer.inviter, invitation.role):
            raise _invalid_link()
        preview = members_pb2.PreviewInvitationResponse(
            organization_name=offer.organization_name,
            email=invitation.email,
            role=role_to_proto(invitation.role),
            has_account=await self._parts.accounts.by_email(email_key(invitation.email)) is not None,
        )
        preview.expire_time.FromDatetime(invitation.expires_at)
        return preview

    async def AcceptInvitation(
        self, request: members_pb2.AcceptInvitationRequest, context: object
    ) -> members_pb2.AcceptInvitationResponse:
        only_the_gateway()
        parts, now = self._parts, self._parts.clock.now()
        offer = await self._offer(request.token, request.ip_address)
        invitation = offer.invitation
        names = check_names(request.first_name, request.last_name)
        known = await parts.accounts.by_email(email_key(invitation.email))
        password_hash = ""
        if known is None and invitation.status(now) is Status.PENDING:
            check_password(request.password, invitation.email)
            password_hash = await parts.passwords.hash(request.password)

        async def act(conn: Connection) -> members_pb2.AcceptInvitationResponse:
            organization = await parts.people.lock_organization(conn, invitation.org_id)
            if organization.status is not OrganizationStatus.ACTIVE:
                raise _invalid_link()
            inviter = await parts.members.role(conn, organization.id, invitation.invited_by)
            if not may_still_grant(inviter, invitation.role) or not await parts.invitations.take(conn, invitation, now):
                raise _invalid_link()
            user = await self._join(conn, invitation, organization, known, password_hash, names)
            return members_pb2.AcceptInvitationResponse(
                user=user_to_proto(user), organization=organization_to_proto(organization)
            )

        return await run_write(parts.database, invitation.org_id, act, members_pb2.AcceptInvitationResponse)

    async def _join(
        self,
        conn: Connection,
        invitation: Invitation,
        organization: Organization,
        known: Login | None,
        password_hash: str,
        names: tuple[str, str],
    ) -> User:
        """The new user of the account, which is made where there is none. Names that are not given are those that the
        account has elsewhere."""
        parts, now, key = self._parts, self._parts.clock.now(), email_key(invitation.email)
        if known is None:
            account = Account(new_id("acc"), invitation.email, now, now, password_hash)
            await parts.accounts.add(conn, account, key)
            await conn.enter(organization.id)
        else:
            account = await self._locked(conn, known.account.id, key)
            await conn.enter(organization.id)
            names = (names[0] or known.user.first_name, names[1] or known.user.last_name)
        await parts.database.quotas.admit(conn, organization.id, "users")
        user = User(
            new_id("usr"), organization.id, account.email, *names, invitation.role, now, now, account_id=account.id
        )
        await parts.members.add(conn, user, key)
        await append(conn, user_event("user.created", user))
        return user

    async def _locked(self, conn: Connection, account_id: str, key: str) -> Account:
        """The account of the invited address, which stays until this transaction ends; goes on as the account. Aborted
        when it was deleted or took another address meanwhile: the next try finds how it is now."""
        await conn.enter(account_id)
        account = await self._parts.accounts.lock(conn, account_id)
        if account is None or email_key(account.email) != key:
            raise Aborted("concurrent_update", "The account has changed meanwhile. Try again.", retry_after=0.1)
        return account

    async def _offer(self, token: str, ip_address: str) -> Offer:
        await self._parts.limits.verify("invitation", ip_address)
        invitation_id = self._parts.invitation_links.id_of(token)
        offer = await self._parts.invitations.offer(invitation_id) if invitation_id else None
        if offer is None:
            raise _invalid_link()
        return offer

    async def _mail(self, conn: Connection, invitation: Invitation, url: str) -> None:
        await self._parts.database.quotas.spend(conn, invitation.org_id, "invitation_mails_per_day")
        name = await self._parts.people.organization_name(conn, invitation.org_id)
        # The page of the organization that invites. Links that open an account stay at the installation's own host: an
        # account may be a user of several organizations, and no one of them may see such a link.
        if host := await self._parts.labels.pages_host(invitation.org_id):
            url = page_at(host, url)
        link = url + self._parts.invitation_links.token(invitation.id)
        product = await self._parts.labels.product_name(invitation.org_id)
        await append(conn, invitation_event(invitation, name, link, product))

    def _require_open(self, invitation: Invitation) -> None:
        """Raises unless the invitation waits or has expired, and its role is one that the caller may give."""
        principal = current_principal()
        check_role(invitation.role, Role(principal.role), principal.scopes)
        if invitation.accepted_at is not None or invitation.revoked_at is not None:
            raise FailedPrecondition("invitation_ended", "This invitation was accepted or revoked. Invite anew.")


def _invalid_link() -> NotFound:
    return NotFound("invitation_link_invalid", "This link was used, has expired or was revoked. Ask for a new one.")
