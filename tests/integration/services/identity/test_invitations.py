"""Invitations: a mailed link makes one user, with the role that who invited may still give, and tells nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from echosenseix.identity.v1 import identity_pb2
from echosenseix.identity.v1 import members_pb2 as pb
from libs.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)
from libs.ids import new_id
from libs.postgres.quotas import Quotas
from libs.rpc.principal import Principal
from services.identity.domain.accounts import Login
from services.identity.domain.invitations import INVITATION_LIFETIME
from services.identity.login_limits import ADDRESS_TRIES, EMAIL_INVITATIONS
from suite.tables import QUOTAS, UNREGISTERED

from .conftest import LINK, PASSWORD, Service, acting, address, as_gateway, principal_of
from .test_members import ADMIN, MEMBER, OWNER, VIEWER, remove, set_role, users


async def invite(
    service: Service, principal: Principal, email: str, role: identity_pb2.Role.ValueType = MEMBER, key: str = ""
) -> pb.Invitation:
    request = pb.CreateInvitationRequest(email=email, role=role, accept_url=LINK)
    with acting(principal, key=key, fingerprint="f" if key else ""):
        return (await service.members.CreateInvitation(request, None)).invitation


async def accept(
    service: Service, link: str, password: str = PASSWORD, key: str = "", **fields: Any
) -> pb.AcceptInvitationResponse:
    with as_gateway(key, "f" if key else ""):
        request = pb.AcceptInvitationRequest(token=link, password=password, **fields)
        return await service.members.AcceptInvitation(request, None)


async def preview(service: Service, link: str, ip: str = "") -> pb.PreviewInvitationResponse:
    with as_gateway():
        return await service.members.PreviewInvitation(pb.PreviewInvitationRequest(token=link, ip_address=ip), None)


async def test_a_new_address_sets_its_password_and_joins(service: Service) -> None:
    owner, email = await service.member(), address()
    made = await invite(service, owner.principal, email)
    assert (made.status, made.invited_by) == (pb.INVITATION_STATUS_PENDING, owner.user.id)
    (mail,) = await service.mails(email)
    # Not of the organization: its administrators could read the link in their mailbox and join as the address.
    assert (mail["template"], mail["org"], mail["organizationName"]) == ("invitation", UNREGISTERED, "Engines")
    offered = await preview(service, await service.token(email))
    assert (offered.organization_name, offered.email, offered.has_account) == ("Engines", email, False)
    with pytest.raises(InvalidArgument) as refusal:
        await accept(service, await service.token(email), "short")
    assert refusal.value.violations[0].pointer == "#/password"
    joined = await accept(service, await service.token(email), first_name="Grace", last_name="Hopper")
    assert (joined.user.role, joined.user.first_name, joined.organization.name) == (MEMBER, "Grace", "Engines")
    assert joined.user.organization_id == owner.user.organization_id
    assert (await service.login(email)).user.id == joined.user.id
    assert (await service.events(owner.user.organization_id))[-1] == "user.created"


async def test_an_existing_account_joins_and_keeps_its_password(service: Service) -> None:
    owner, guest = await service.member(), await service.member()
    await invite(service, owner.principal, guest.user.email.upper(), VIEWER)
    link = await service.token(guest.user.email.upper())
    assert (await preview(service, link)).has_account
    joined = await accept(service, link, "another password of a stranger")
    assert (joined.user.first_name, joined.user.role) == ("Ada", VIEWER)
    with pytest.raises(Unauthenticated):
        await service.login(guest.user.email, "another password of a stranger")
    assert (await service.login(guest.user.email)).token
    await service.who(token=guest.token)


async def test_an_account_that_is_deleted_at_its_acceptance_is_made_anew_by_the_next_try(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, owner = await service.member(), await service.member()
    member = await service.join(first, VIEWER)
    await invite(service, owner.principal, member.user.email)
    link = await service.token(member.user.email)
    accounts = service.members._parts.accounts
    read = accounts.by_email

    async def read_and_remove(email_key: str) -> Login | None:
        found = await read(email_key)
        await remove(service, first.principal, member.user.id)
        return found

    monkeypatch.setattr(accounts, "by_email", read_and_remove)
    with pytest.raises(Aborted, match="concurrent_update"):
        await accept(service, link)
    monkeypatch.undo()
    assert (await accept(service, link)).user.email == member.user.email


async def test_a_link_makes_one_user_also_at_once(service: Service) -> None:
    owner, email = await service.member(), address()
    await invite(service, owner.principal, email)
    link = await service.token(email)
    ends = await asyncio.gather(*(accept(service, link) for _ in range(5)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["AcceptInvitationResponse", *["NotFound"] * 4]
    for used in (preview(service, link), accept(service, link)):
        with pytest.raises(NotFound, match="invitation_link_invalid"):
            await used
    rows = await service.database.system_fetch("select u.id from app_user u where u.email = $1", email)
    assert len(rows) == 1


async def test_a_repeated_acceptance_under_one_key_answers_the_same(service: Service) -> None:
    owner, email = await service.member(), address()
    await invite(service, owner.principal, email)
    link = await service.token(email)
    assert await accept(service, link, key="again") == await accept(service, link, key="again")


async def test_a_repeated_invitation_under_one_key_mails_once(service: Service) -> None:
    owner, email = await service.member(), address()
    assert await invite(service, owner.principal, email, key="k") == await invite(
        service, owner.principal, email, key="k"
    )
    assert len(await service.mails(email)) == 1


async def test_an_address_has_one_invitation_that_waits_and_users_get_none(service: Service) -> None:
    owner, email = await service.member(), address()
    await invite(service, owner.principal, email)
    with pytest.raises(AlreadyExists, match="invitation_exists"):
        await invite(service, owner.principal, email.upper())
    with pytest.raises(AlreadyExists, match="already_member"):
        await invite(service, owner.principal, owner.user.email)
    other = await service.member()
    await invite(service, other.principal, email)


async def test_an_invitation_expires_and_makes_room_for_another(service: Service) -> None:
    owner, email = await service.member(), address()
    first = await invite(service, owner.principal, email)
    old = await service.token(email)
    service.clock.advance(INVITATION_LIFETIME.total_seconds() + 1)
    for used in (preview(service, old), accept(service, old)):
        with pytest.raises(NotFound, match="invitation_link_invalid"):
            await used
    with acting(owner.principal):
        shown = await service.members.GetInvitation(pb.GetInvitationRequest(id=first.id), None)
    assert shown.invitation.status == pb.INVITATION_STATUS_EXPIRED
    await invite(service, owner.principal, email)
    with pytest.raises(NotFound):
        await accept(service, old)
    await accept(service, await service.token(email))


async def test_an_invitation_is_sent_again_and_revoked(service: Service) -> None:
    owner, email = await service.member(), address()
    made = await invite(service, owner.principal, email)
    service.clock.advance(INVITATION_LIFETIME.total_seconds() + 1)
    with acting(owner.principal):
        sent = await service.members.ResendInvitation(pb.ResendInvitationRequest(id=made.id, accept_url=LINK), None)
        assert sent.invitation.status == pb.INVITATION_STATUS_PENDING
        first, second = await service.mails(email)
        assert first["link"] == second["link"]
        for _ in range(2):
            await service.members.RevokeInvitation(pb.RevokeInvitationRequest(id=made.id), None)
        with pytest.raises(FailedPrecondition, match="invitation_ended"):
            await service.members.ResendInvitation(pb.ResendInvitationRequest(id=made.id), None)
    with pytest.raises(NotFound):
        await accept(service, await service.token(email))


async def test_lists_show_each_state_and_no_token(service: Service) -> None:
    owner, stranger = await service.member(), await service.member()
    states = {}
    for state in ("pending", "accepted", "revoked"):
        states[state] = (await invite(service, owner.principal, f"{state}-{address()}")).id
    accepted = await invite(service, owner.principal, email := address())
    await accept(service, await service.token(email))
    with acting(owner.principal):
        await service.members.RevokeInvitation(pb.RevokeInvitationRequest(id=states["revoked"]), None)
        every = await service.members.ListInvitations(pb.ListInvitationsRequest(), None)
        found = {
            status: [
                one.id
                for one in (
                    await service.members.ListInvitations(pb.ListInvitationsRequest(status=status), None)
                ).invitations
            ]
            for status in (pb.INVITATION_STATUS_ACCEPTED, pb.INVITATION_STATUS_REVOKED, pb.INVITATION_STATUS_EXPIRED)
        }
    assert len(every.invitations) == 4
    assert (await service.token(email)).partition(".")[2] not in str(every)
    assert found == {
        pb.INVITATION_STATUS_ACCEPTED: [accepted.id],
        pb.INVITATION_STATUS_REVOKED: [states["revoked"]],
        pb.INVITATION_STATUS_EXPIRED: [],
    }
    with acting(stranger.principal):
        assert not (await service.members.ListInvitations(pb.ListInvitationsRequest(), None)).invitations
        for act in (
            service.members.GetInvitation(pb.GetInvitationRequest(id=accepted.id), None),
            service.members.ResendInvitation(pb.ResendInvitationRequest(id=accepted.id), None),
            service.members.RevokeInvitation(pb.RevokeInvitationRequest(id=accepted.id), None),
        ):
            with pytest.raises(NotFound, match="invitation_not_found"):
                await act


async def test_no_one_invites_beyond_the_own_role_or_scopes(service: Service) -> None:
    owner = await service.member()
    admin, member = await service.join(owner, ADMIN), await service.join(owner, MEMBER)
    with pytest.raises(PermissionDenied, match="role_not_grantable"):
        await invite(service, admin.principal, address(), OWNER)
    with pytest.raises(PermissionDenied, match="missing_scope"):
        await invite(service, member.principal, address(), VIEWER)
    key = await service.make_key(owner, "members:write")
    clerk = principal_of(await service.who(key=key.secret))
    with pytest.raises(PermissionDenied, match="role_not_grantable"):
        await invite(service, clerk, address(), VIEWER)
    made = await invite(service, owner.principal, address(), OWNER)
    for act in (
        service.members.RevokeInvitation(pb.RevokeInvitationRequest(id=made.id), None),
        service.members.ResendInvitation(pb.ResendInvitationRequest(id=made.id), None),
    ):
        with acting(admin.principal), pytest.raises(PermissionDenied, match="role_not_grantable"):
            await act


async def test_an_invitation_ends_with_the_right_to_give_its_role(service: Service) -> None:
    owner = await service.member()
    admin, leaver = await service.join(owner, ADMIN), await service.join(owner, ADMIN)
    first, second = address(), address()
    await invite(service, admin.principal, first, ADMIN)
    await invite(service, leaver.principal, second, VIEWER)
    await set_role(service, owner.principal, admin.user.id, MEMBER)
    await remove(service, owner.principal, leaver.user.id)
    for email in (first, second):
        for used in (preview(service, await service.token(email)), accept(service, await service.token(email))):
            with pytest.raises(NotFound, match="invitation_link_invalid"):
                await used


async def test_links_that_are_not_ours_read_alike_and_are_limited(service: Service) -> None:
    owner, email = await service.member(), address()
    await invite(service, owner.principal, email)
    link = await service.token(email)
    texts = set()
    for forged in ("", link[:-1], f"{new_id('ivt')}.{link[-64:]}", "\x00", link.replace("ivt_", "reg_")):
        for used in (preview(service, forged), accept(service, forged)):
            with pytest.raises(NotFound) as refusal:
                await used
            texts.add(str(refusal.value))
    assert len(texts) == 1
    ip = "203.0.113.77"
    for _ in range(ADDRESS_TRIES):
        with pytest.raises(NotFound):
            await preview(service, "guess", ip)
    with pytest.raises(ResourceExhausted, match="too_many_attempts"):
        await preview(service, link, ip)


async def test_one_mailbox_is_mailed_a_few_times_by_all_organizations_together(service: Service) -> None:
    email, owners = address(), [await service.member() for _ in range(EMAIL_INVITATIONS + 1)]
    for owner in owners[:-1]:
        await invite(service, owner.principal, email)
    with pytest.raises(ResourceExhausted, match="too_many_attempts"):
        await invite(service, owners[-1].principal, email)


async def test_waiting_invitations_have_a_quota(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await service.member()
    monkeypatch.setattr(service.database, "quotas", Quotas(QUOTAS["identity"], {"invitations": 1}))
    await invite(service, owner.principal, address())
    with pytest.raises(FailedPrecondition, match="quota_reached"):
        await invite(service, owner.principal, address())


async def test_the_users_of_an_organization_have_a_quota(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, email = await service.member(), address()
    await invite(service, owner.principal, email)
    monkeypatch.setattr(service.database, "quotas", Quotas(QUOTAS["identity"], {"users": 1}))
    with pytest.raises(FailedPrecondition, match="quota_reached"):
        await accept(service, await service.token(email))
    assert await users(service, owner.principal) == [owner.user.id]
    # The link still works once there is room.
    monkeypatch.setattr(service.database, "quotas", Quotas(QUOTAS["identity"], {"users": 2}))
    assert (await accept(service, await service.token(email))).user.email == email


async def test_the_sweep_forgets_what_ended_long_ago(service: Service) -> None:
    owner = await service.member()
    made = await invite(service, owner.principal, address())
    parts = service.members._parts
    async with service.database.system_transaction() as conn:
        await parts.invitations.sweep(conn, service.clock.now())
    with acting(owner.principal):
        await service.members.GetInvitation(pb.GetInvitationRequest(id=made.id), None)
    service.clock.advance(INVITATION_LIFETIME.total_seconds() + 1)
    async with service.database.system_transaction() as conn:
        assert await parts.invitations.sweep(conn, service.clock.now()) >= 1
    with acting(owner.principal), pytest.raises(NotFound):
        await service.members.GetInvitation(pb.GetInvitationRequest(id=made.id), None)
