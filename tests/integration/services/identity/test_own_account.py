"""Passwords and addresses: what a mailed link and a signed-in person may change, and what ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, timedelta

import pytest

from echosenseix.identity.v1 import accounts_pb2 as pb
from echosenseix.identity.v1 import identity_pb2, members_pb2
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
from libs.rpc.principal import Principal
from services.identity.domain.account_tokens import LIFETIMES, Purpose
from services.identity.domain.credentials import SESSION_CAP
from services.identity.domain.people import User
from services.identity.login_limits import ACCOUNT_TRIES, ADDRESS_TRIES, EMAIL_REGISTRATIONS
from suite.tables import SESSIONS_PER_USER, TOKENS_PER_ACCOUNT, UNREGISTERED
from tests.integration.locks import someone_waits

from .conftest import PASSWORD, Member, Service, acting, address, as_gateway, principal_of
from .test_members import VIEWER

URL = "https://suite.example.com/reset-password#"
NEW = "the staple of another horse"


async def forget(service: Service, email: str, ip: str = "") -> None:
    with as_gateway():
        request = pb.RequestPasswordResetRequest(email=email, reset_url=URL, ip_address=ip)
        await service.accounts.RequestPasswordReset(request, None)


async def reset(service: Service, link: str, password: str = NEW, ip: str = "") -> None:
    with as_gateway():
        request = pb.ResetPasswordRequest(token=link, password=password, ip_address=ip)
        await service.accounts.ResetPassword(request, None)


async def change(service: Service, principal: Principal, current: str = PASSWORD, new: str = NEW) -> None:
    with acting(principal):
        request = pb.ChangePasswordRequest(current_password=current, new_password=new)
        await service.accounts.ChangePassword(request, None)


async def ask_email(service: Service, principal: Principal, email: str, password: str = PASSWORD) -> None:
    with acting(principal):
        request = pb.RequestEmailChangeRequest(email=email, password=password, confirm_url=URL)
        await service.accounts.RequestEmailChange(request, None)


async def confirm_email(service: Service, principal: Principal, link: str) -> None:
    with acting(principal):
        await service.accounts.ConfirmEmailChange(pb.ConfirmEmailChangeRequest(token=link), None)


async def in_two(service: Service) -> tuple[Member, Member]:
    """One person in two organizations, with a session in each."""
    first, owner = await service.member(), await service.member()
    joined = await service.join(owner, VIEWER, first.user.email)
    spare = await service.login(first.user.email)
    assert spare.user.organization_id == first.user.organization_id
    here = principal_of(await service.who(token=spare.token))
    token_ = (await switch(service, here, joined.user.organization_id)).token
    return first, Member(joined.user, token_, principal_of(await service.who(token=token_)))


async def switch(service: Service, principal: Principal, organization: str) -> identity_pb2.LoginResponse:
    with acting(principal):
        asked = pb.SwitchOrganizationRequest(organization_id=organization)
        return (await service.accounts.SwitchOrganization(asked, None)).login


async def test_a_mailed_link_sets_the_password_and_ends_every_session(service: Service) -> None:
    member, elsewhere = await in_two(service)
    email, key = member.user.email, (await service.make_key(member, "*")).secret
    await forget(service, email.upper())
    mail = (await service.mails(email))[-1]
    assert (mail["template"], mail["org"]) == ("password.reset", UNREGISTERED)
    with pytest.raises(InvalidArgument, match="validation_failed"):
        await reset(service, await service.token(email), "short")
    await reset(service, await service.token(email))
    for session in (member.token, elsewhere.token):
        with pytest.raises(Unauthenticated):
            await service.who(token=session)
    await service.who(key=key)
    with pytest.raises(Unauthenticated, match="wrong_credentials"):
        await service.login(email)
    assert (await service.login(email, NEW)).token
    assert (await service.mails(email))[-1]["template"] == "password.changed"
    for org in (member.user.organization_id, elsewhere.user.organization_id):
        assert "session.revoked" in await service.events(org)


async def test_a_link_works_once_also_at_once_and_ends_all_others(service: Service) -> None:
    email = (await service.member()).user.email
    await forget(service, email)
    first = await service.token(email)
    await forget(service, email)
    second = await service.token(email)
    ends = await asyncio.gather(*(reset(service, second) for _ in range(4)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", *["NotFound"] * 3]
    for used in (first, second):
        with pytest.raises(NotFound, match="account_link_invalid"):
            await reset(service, used, "yet another fine password")
    assert (await service.login(email, NEW)).token


async def test_a_link_expires_and_a_link_for_something_else_opens_nothing(service: Service) -> None:
    member = await service.member()
    email, other = member.user.email, address()
    await forget(service, email)
    link = await service.token(email)
    await ask_email(service, member.principal, other)
    for forged in ("", link[:-1], f"{new_id('tok')}.{link[-64:]}", "\x00", await service.token(other)):
        with pytest.raises(NotFound, match="account_link_invalid"):
            await reset(service, forged)
    with pytest.raises(NotFound, match="account_link_invalid"):
        await confirm_email(service, member.principal, link)
    service.clock.advance(LIFETIMES[Purpose.PASSWORD].total_seconds() + 1)
    with pytest.raises(NotFound, match="account_link_invalid"):
        await reset(service, link)
    assert (await service.login(email)).token


async def test_an_unknown_address_costs_and_answers_the_same(service: Service) -> None:
    known, unknown = (await service.member()).user.email, address()
    for email in (known, unknown):
        await forget(service, email)
        assert len(await service.mails(email)) == 1
    assert (await service.mails(unknown))[0]["template"] == "password.unknown"
    for email in (known, unknown):
        for _ in range(EMAIL_REGISTRATIONS - 1):
            await forget(service, email)
        with pytest.raises(ResourceExhausted, match="too_many_attempts"):
            await forget(service, email)
        assert len(await service.mails(email)) == EMAIL_REGISTRATIONS


async def test_links_of_an_account_are_bounded_fenced_and_swept(service: Service) -> None:
    member = await service.member()
    account = (await service.members._parts.members.get(member.user.organization_id, member.user.id)).account_id
    for number in range(TOKENS_PER_ACCOUNT + 2):
        await ask_email(service, member.principal, f"{number}{address()}")
    count = "select count(*) from account_token"
    async with service.database.transaction(account) as conn:
        assert await conn.fetchval(count) == TOKENS_PER_ACCOUNT
    async with service.database.transaction(member.user.organization_id) as conn:
        assert await conn.fetchval(count) == 0
    service.clock.advance(LIFETIMES[Purpose.EMAIL].total_seconds() + 1)
    async with service.database.system_transaction() as conn:
        assert await service.accounts._parts.tokens.sweep(conn, service.clock.now()) >= TOKENS_PER_ACCOUNT


async def test_guessed_links_are_limited_before_anything_is_hashed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = list[str]()
    monkeypatch.setattr(service.accounts._parts.passwords, "hash", hashes.append)
    ip = "203.0.113.99"
    for _ in range(ADDRESS_TRIES):
        with pytest.raises(NotFound):
            await reset(service, "guess", ip=ip)
    with pytest.raises(ResourceExhausted, match="too_many_attempts"):
        await reset(service, "guess", ip=ip)
    assert hashes == []


async def test_a_change_needs_the_current_password_and_leaves_only_this_session(service: Service) -> None:
    member, elsewhere = await in_two(service)
    other = (await service.login(member.user.email)).token
    with pytest.raises(PermissionDenied, match="wrong_password"):
        await change(service, member.principal, "not the password")
    with pytest.raises(InvalidArgument) as refusal:
        await change(service, member.principal, new="password")
    assert refusal.value.violations[0].pointer == "#/newPassword"
    await change(service, member.principal)
    await service.who(token=member.token)
    for session in (other, elsewhere.token):
        with pytest.raises(Unauthenticated):
            await service.who(token=session)
    assert (await service.login(member.user.email, NEW)).token
    assert [mail["template"] for mail in await service.mails(member.user.email)].count("password.changed") == 1


async def test_a_stolen_session_guesses_no_password(service: Service) -> None:
    member = await service.member()
    for number in range(ACCOUNT_TRIES):
        with pytest.raises(PermissionDenied, match="wrong_password"):
            await change(service, member.principal, f"guess number {number}")
    with pytest.raises(ResourceExhausted, match="too_many_attempts"):
        await change(service, member.principal)


async def test_no_api_key_changes_its_makers_account(service: Service) -> None:
    member = await service.member()
    key = principal_of(await service.who(key=(await service.make_key(member, "*")).secret))
    accounts = service.accounts
    for act in (
        change(service, key),
        ask_email(service, key, address()),
        confirm_email(service, key, "any"),
        rotate(service, key),
    ):
        with pytest.raises(FailedPrecondition, match="session_required"):
            await act
    with acting(key):
        refused: tuple[Awaitable[object], ...] = (
            accounts.BeginSecondFactor(pb.BeginSecondFactorRequest(password=PASSWORD), None),
            accounts.ConfirmSecondFactor(pb.ConfirmSecondFactorRequest(), None),
            accounts.ReplaceRecoveryCodes(pb.ReplaceRecoveryCodesRequest(), None),
            accounts.DisableSecondFactor(pb.DisableSecondFactorRequest(), None),
            accounts.GetSecondFactor(pb.GetSecondFactorRequest(), None),
            accounts.ListMemberships(pb.ListMembershipsRequest(), None),
            accounts.SwitchOrganization(pb.SwitchOrganizationRequest(), None),
        )
        for one in refused:
            with pytest.raises(FailedPrecondition, match="session_required"):
                await one


async def test_an_address_changes_by_the_link_in_the_new_mailbox_and_the_old_one_is_told(service: Service) -> None:
    member, elsewhere = await in_two(service)
    old, new = member.user.email, address()
    with pytest.raises(PermissionDenied, match="wrong_password"):
        await ask_email(service, member.principal, new, "not the password")
    await forget(service, old)
    old_link = await service.token(old)
    await ask_email(service, member.principal, new)
    assert (await service.login(old)).token
    stranger = await service.member()
    for other in (stranger.principal, principal_of(await service.who(token=stranger.token))):
        with pytest.raises(NotFound, match="account_link_invalid"):
            await confirm_email(service, other, await service.token(new))
    with as_gateway(), pytest.raises(PermissionDenied, match="user_required"):
        await service.accounts.ConfirmEmailChange(pb.ConfirmEmailChangeRequest(token=await service.token(new)), None)
    await confirm_email(service, member.principal, await service.token(new))
    notice = (await service.mails(old))[-1]
    assert (notice["template"], notice["newEmail"], notice["org"]) == ("email.changed", new, UNREGISTERED)
    with pytest.raises(Unauthenticated):
        await service.login(old)
    assert (await service.login(new)).token
    with pytest.raises(NotFound, match="account_link_invalid"):
        await reset(service, old_link)
    with pytest.raises(NotFound, match="account_link_invalid"):
        await confirm_email(service, member.principal, await service.token(new))
    for one in (member, elsewhere):
        user = await service.members._parts.members.get(one.user.organization_id, one.user.id)
        assert (user.email, user.version) == (new, 2)
        assert "user.updated" in await service.events(one.user.organization_id)
    assert (await service.register(old)).user.email == old


async def test_a_taken_address_is_answered_alike_and_not_taken(service: Service) -> None:
    member, owner, free = await service.member(), await service.member(), address()
    await ask_email(service, member.principal, owner.user.email)
    assert [mail["template"] for mail in await service.mails(owner.user.email)] == ["registration.taken"]
    await ask_email(service, member.principal, free)
    await service.register(free)
    with pytest.raises(AlreadyExists, match="email_taken"):
        await confirm_email(service, member.principal, await service.token(free))
    assert (await service.login(member.user.email)).token


async def test_a_person_sees_its_organizations_and_switches_between_them(service: Service) -> None:
    member, elsewhere = await in_two(service)
    stranger = await service.member()
    with acting(member.principal):
        found = (await service.accounts.ListMemberships(pb.ListMembershipsRequest(), None)).memberships
        assert {one.organization.id: one.current for one in found} == {
            member.user.organization_id: True,
            elsewhere.user.organization_id: False,
        }
    with pytest.raises(FailedPrecondition, match="organization_current"):
        await switch(service, member.principal, member.user.organization_id)
    for other in (stranger.user.organization_id, "", "org_nothing"):
        with pytest.raises(NotFound, match="organization_not_found"):
            await switch(service, member.principal, other)
    service.clock.advance(1)
    login = await switch(service, member.principal, elsewhere.user.organization_id)
    caller = await service.who(token=login.token)
    assert (caller.organization_id, caller.user_id) == (elsewhere.user.organization_id, elsewhere.user.id)
    assert caller.role == VIEWER
    # A person who goes on elsewhere holds one session, not two.
    with pytest.raises(Unauthenticated):
        await service.who(token=member.token)
    assert (await service.events(member.user.organization_id))[-1] == "session.revoked"
    with pytest.raises(Unauthenticated, match="invalid_credentials"):
        await switch(service, member.principal, elsewhere.user.organization_id)
    # The next login goes to the organization that was used last.
    assert (await service.login(member.user.email)).user.organization_id == elsewhere.user.organization_id


async def test_all_other_sessions_end_and_this_one_stays(service: Service) -> None:
    member, stranger = await service.member(), await service.member()
    others = [(await service.login(member.user.email)).token for _ in range(3)]
    with acting(member.principal):
        ended = await service.servicer.RevokeOtherSessions(identity_pb2.RevokeOtherSessionsRequest(), None)
    assert len(ended.ids) == 3
    for other in others:
        with pytest.raises(Unauthenticated):
            await service.who(token=other)
    await service.who(token=member.token)
    await service.who(token=stranger.token)


async def test_a_session_that_goes_from_one_organization_to_another_ends_when_the_first_would(
    service: Service,
) -> None:
    member, elsewhere = await in_two(service)
    here, there = member.user.organization_id, elsewhere.user.organization_id
    async with service.database.transaction(here) as conn:
        await conn.execute(
            "update session s set created_at = $2 where s.id = $1",
            member.principal.session_id, service.clock.now() - SESSION_CAP + timedelta(minutes=30),
        )  # fmt: skip
    principal, ends = member.principal, service.clock.now() + timedelta(minutes=30)
    # Newer sessions of the user do not push out the one that is opened.
    async with service.database.transaction(there) as conn:
        await conn.execute(
            "insert into session (org_id, id, user_id, token_hash, ip_address, user_agent, created_at, last_seen_at, "
            "expires_at) select s.org_id, s.id || n, s.user_id, sha256((s.id || n)::bytea), '', '', s.created_at, "
            "s.last_seen_at, s.expires_at from session s, generate_series(1, $2::int) n where s.id = $1",
            elsewhere.principal.session_id, SESSIONS_PER_USER,
        )  # fmt: skip
    for org in (there, here, there):
        login = await switch(service, principal, org)
        assert login.expire_time.ToDatetime(tzinfo=UTC) == ends
        principal = principal_of(await service.who(token=login.token))
    service.clock.advance(30 * 60)
    with pytest.raises(Unauthenticated):
        await service.who(token=login.token)


async def test_an_account_that_joins_while_its_address_changes_has_one_address(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, owner, new = await service.member(), await service.member(), address()
    with acting(owner.principal):
        sent = members_pb2.CreateInvitationRequest(email=member.user.email, role=VIEWER, accept_url=URL)
        await service.members.CreateInvitation(sent, None)
    invitation = await service.token(member.user.email)
    await ask_email(service, member.principal, new)
    accounts, joining = service.accounts._parts.accounts, list[asyncio.Task[object]]()
    read = accounts.users

    async def join() -> object:
        with as_gateway():
            return await service.members.AcceptInvitation(members_pb2.AcceptInvitationRequest(token=invitation), None)

    async def read_and_join(account_id: str) -> list[User]:
        found = await read(account_id)
        joining.append(asyncio.create_task(join()))
        await someone_waits(service.database)
        return found

    monkeypatch.setattr(accounts, "users", read_and_join)
    await confirm_email(service, member.principal, await service.token(new))
    with pytest.raises(Aborted, match="concurrent_update"):
        await joining[0]
    monkeypatch.undo()
    account = (await service.members._parts.members.get(member.user.organization_id, member.user.id)).account_id
    assert [user.email for user in await read(account)] == [new]


async def rotate(service: Service, principal: Principal) -> str:
    with acting(principal):
        return (await service.servicer.RotateSession(identity_pb2.RotateSessionRequest(), None)).token


async def test_a_rotated_token_works_a_moment_longer_and_then_ends_the_session(service: Service) -> None:
    member = await service.member()
    first, second = member.token, await rotate(service, member.principal)
    third = await rotate(service, member.principal)
    for token_ in (first, second, third):
        assert (await service.who(token=token_)).session_id == member.principal.session_id
    service.clock.advance(31)
    await service.who(token=third)
    before = await service.events(member.user.organization_id)
    with pytest.raises(Unauthenticated):
        await service.who(token=first)
    # Two hold the session, and which of them is the thief is unknown.
    with pytest.raises(Unauthenticated):
        await service.who(token=third)
    told = (await service.events(member.user.organization_id))[len(before) :]
    assert told == ["session.revoked"]
    with pytest.raises(Unauthenticated):
        await rotate(service, member.principal)


async def test_a_token_that_never_was_ends_nothing(service: Service) -> None:
    member = await service.member()
    await rotate(service, member.principal)
    service.clock.advance(31)
    with pytest.raises(Unauthenticated):
        await service.who(token="a" * 43)
    with acting(member.principal):
        page = await service.servicer.ListSessions(identity_pb2.ListSessionsRequest(), None)
    assert [session.id for session in page.sessions] == [member.principal.session_id]


async def test_a_session_ends_after_thirty_days_however_often_it_is_used_and_rotated(service: Service) -> None:
    member = await service.member()
    token = member.token
    for number in range(30 * 24 * 2 - 2):
        service.clock.advance(1_800)
        await service.who(token=token)
        if number % 100 == 0:
            token = await rotate(service, member.principal)
    service.clock.advance(3_600)
    with pytest.raises(Unauthenticated):
        await service.who(token=token)
