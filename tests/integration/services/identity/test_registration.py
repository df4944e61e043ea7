"""Registration by a mailed link: one answer for every address, links that work once, what a login says."""

from __future__ import annotations

import asyncio

import pytest

from echosenseix.identity.v1 import identity_pb2
from libs.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from libs.ids import new_id
from services.identity.domain.people import email_key
from services.identity.domain.verification import LINK_LIFETIME, place_of
from suite.tables import PENDING_PER_ADDRESS, UNREGISTERED

from .conftest import PASSWORD, Service, acting, address, as_gateway

URL = "https://suite.example.com/verify-email#"


async def register(service: Service, email: str, password: str = PASSWORD) -> identity_pb2.RegisterResponse:
    request = identity_pb2.RegisterRequest(
        email=email, password=password, organization_name="Engines", verification_url=URL
    )
    with as_gateway():
        return await service.by_mail.Register(request, None)


async def verify(service: Service, link: str) -> identity_pb2.VerifyRegistrationResponse:
    with as_gateway():
        return await service.by_mail.VerifyRegistration(identity_pb2.VerifyRegistrationRequest(token=link), None)


async def resend(service: Service, email: str) -> None:
    request = identity_pb2.ResendVerificationRequest(email=email, verification_url=URL)
    with as_gateway():
        await service.by_mail.ResendVerification(request, None)


async def accounts(service: Service, email: str) -> int:
    sql = "select count(*) from app_user u where u.email_key = $1"
    return int(await service.database.system_fetchval(sql, email_key(email)))


async def test_the_account_is_made_by_the_link_and_not_before(service: Service) -> None:
    email = address()
    answer = await register(service, email)
    assert answer == identity_pb2.RegisterResponse(verification_mailed=True)
    assert await accounts(service, email) == 0
    assert [(mail["template"], mail["org"]) for mail in await service.mails(email)] == [
        ("registration.verify", UNREGISTERED)
    ]
    assert (await service.mails(email))[0]["link"].startswith(URL)
    made = await verify(service, await service.token(email))
    assert (made.user.email, made.user.role) == (email, identity_pb2.ROLE_OWNER)
    # The trial credit hangs on org.created, so it comes with the verification.
    assert await service.events(made.organization.id) == ["org.created", "user.created"]
    assert (await service.login(email)).user == made.user


async def test_a_taken_address_is_answered_alike_and_its_owner_is_told(service: Service) -> None:
    owner = await service.register(address())
    answers = [await register(service, email) for email in (owner.user.email, owner.user.email.upper(), address())]
    assert len({answer.SerializeToString() for answer in answers}) == 1
    told = await service.mails(owner.user.email)
    assert {(mail["template"], mail["org"]) for mail in told} == {("registration.taken", owner.user.organization_id)}
    assert not any("link" in mail for mail in told)
    assert await accounts(service, owner.user.email) == 1


async def test_a_link_works_once_also_at_once(service: Service) -> None:
    email = address()
    await register(service, email)
    link = await service.token(email)
    ends = await asyncio.gather(*(verify(service, link) for _ in range(6)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NotFound"] * 5 + ["VerifyRegistrationResponse"]
    assert await accounts(service, email) == 1


async def test_a_link_expires_and_a_foreign_one_opens_nothing(service: Service) -> None:
    email = address()
    await register(service, email)
    link = await service.token(email)
    for forged in (
        "",
        link[:-1],
        link[:-1] + ("0" if link[-1] != "0" else "1"),
        f"{new_id('reg')}.{link[-64:]}",
        "\x00",
    ):
        with pytest.raises(NotFound, match="verification_link_invalid"):
            await verify(service, forged)
    service.clock.advance(LINK_LIFETIME.total_seconds() + 1)
    with pytest.raises(NotFound, match="verification_link_invalid"):
        await verify(service, link)
    with pytest.raises(Unauthenticated):
        await service.login(email)
    async with service.database.system_transaction() as conn:
        assert await service.by_mail._parts.pending.sweep(conn, service.clock.now()) >= 1
    assert await accounts(service, email) == 0


async def test_a_login_before_the_link_is_told_so_only_with_the_right_password(service: Service) -> None:
    email = address()
    await register(service, email)
    with pytest.raises(Unauthenticated, match="wrong_credentials"):
        await service.login(email, "wrong password")
    with pytest.raises(PermissionDenied, match="email_not_verified"):
        await service.login(email)


async def test_the_link_is_mailed_again_and_strangers_hear_nothing(service: Service) -> None:
    email, owner, unknown = address(), (await service.register(address())).user.email, address()
    await register(service, email)
    for one in (email, owner, unknown):
        await resend(service, one)
    first, second = await service.mails(email)
    assert first == second
    assert await service.mails(owner) == await service.mails(unknown) == []
    await verify(service, await service.token(email))


async def test_each_registration_has_its_own_password_and_the_first_link_ends_the_others(service: Service) -> None:
    """A stranger who registers the address changes nothing of what its owner follows."""
    email = address()
    await register(service, email, "the owner's own words")
    mine = await service.token(email)
    await register(service, email, "a stranger's own words")
    theirs = await service.token(email)
    assert mine != theirs
    await verify(service, mine)
    with pytest.raises(NotFound):
        await verify(service, theirs)
    assert (await service.login(email, "the owner's own words")).token
    with pytest.raises(Unauthenticated):
        await service.login(email, "a stranger's own words")


async def test_waiting_registrations_of_one_address_are_bounded_and_fenced(service: Service) -> None:
    email, parts = address(), service.by_mail._parts
    for _ in range(PENDING_PER_ADDRESS):
        await register(service, email)
    place = place_of(email)
    async with service.database.transaction(place) as conn:
        await conn.execute(
            "insert into pending_registration select org_id, id || 'x', email, first_name, last_name, "
            "organization_name, password_hash, created_at - interval '1 minute', expires_at from pending_registration"
        )
        pending = await parts.pending.newest(email, service.clock.now())
        assert pending is not None
    async with service.database.transaction(place) as conn:
        await conn.execute("delete from pending_registration where id = $1", pending.id)
        await parts.pending.add(conn, pending)
        assert await conn.fetchval("select count(*) from pending_registration") == PENDING_PER_ADDRESS
    async with service.database.transaction("org_other") as conn:
        assert await conn.fetchval("select count(*) from pending_registration") == 0


async def test_a_taken_address_is_hashed_for_and_mailed_to_as_a_new_one(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing is nearly all the time that a registration takes."""
    passwords, hashed = service.by_mail._parts.passwords, list[str]()
    make = passwords.hash

    async def noting(password: str) -> str:
        hashed.append(password)
        return await make(password)

    taken, new = (await service.register(address())).user.email, address()
    monkeypatch.setattr(passwords, "hash", noting)
    for email in (taken, new):
        await register(service, email, f"the password of {email}")
        assert len(await service.mails(email)) == 1
    assert hashed == [f"the password of {taken}", f"the password of {new}"]


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a" * 250 + "@example.com", "a\x00@example.com"])
async def test_what_is_no_address_is_told_and_not_mailed(service: Service, email: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await resend(service, email)
    assert [(found.pointer, found.code) for found in refused.value.violations] == [("#/email", "invalid_format")]


async def test_only_the_gateway_verifies(service: Service) -> None:
    member = await service.member()
    with acting(member.principal):
        with pytest.raises(PermissionDenied, match="gateway_only"):
            await service.by_mail.VerifyRegistration(identity_pb2.VerifyRegistrationRequest(), None)
        with pytest.raises(PermissionDenied, match="gateway_only"):
            await service.by_mail.ResendVerification(identity_pb2.ResendVerificationRequest(), None)
