"""Registration, login and the organization."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.identity.v1 import identity_pb2
from libs.addresses import address_prefix
from libs.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)
from libs.ids import new_id
from libs.postgres import count_statements
from libs.rpc.principal import Principal
from services.identity.login_limits import (
    ACCOUNT_TRIES,
    ADDRESS_REGISTRATIONS,
    ADDRESS_TRIES,
    EMAIL_REGISTRATIONS,
)

from .conftest import PASSWORD, Service, acting, as_gateway


async def test_a_registration_makes_an_organization_and_its_owner(service: Service) -> None:
    made = await service.register("Ada@Example.com")
    assert made.user.organization_id == made.organization.id
    assert (made.user.email, made.user.role) == ("Ada@Example.com", identity_pb2.ROLE_OWNER)
    assert (made.organization.name, made.organization.time_zone, made.organization.version) == ("Engines", "UTC", 1)
    assert await service.events(made.organization.id) == ["org.created", "user.created"]
    stored = await service.database.system_fetchrow(
        "select u::text as row from app_user u where u.id = $1", made.user.id
    )
    assert stored is not None
    assert PASSWORD not in stored["row"]


async def test_an_address_registers_once_whatever_its_case(service: Service) -> None:
    first = await service.register("grace@example.com")
    with pytest.raises(AlreadyExists) as refusal:
        await service.register("GRACE@example.COM")
    assert refusal.value.reason == "email_taken"
    rows = await service.database.system_fetch(
        "select g.org_id from organization g where g.created_at >= $1", service.clock.now()
    )
    assert first.organization.id in {row["org_id"] for row in rows}


async def test_registrations_at_once_make_one(service: Service) -> None:
    ends = await asyncio.gather(*(service.register("mary@example.com") for _ in range(5)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["AlreadyExists"] * 4 + ["RegisterResponse"]


async def test_a_retried_registration_answers_the_same(service: Service) -> None:
    request = identity_pb2.RegisterRequest(email="joan@example.com", password=PASSWORD, organization_name="Engines")
    with as_gateway("k1", "f"):
        first = await service.servicer.Register(request, None)
    with as_gateway("k1", "f") as call:
        assert await service.servicer.Register(request, None) == first
        assert call.response_headers == {"x-idempotency-replayed": "true"}
    request.email = "other@example.com"
    with as_gateway("k1", "g"):
        assert (await service.servicer.Register(request, None)).user.id != first.user.id


async def test_a_bad_registration_names_every_field(service: Service) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await service.register("no one", password="short", organization_name="")
    assert {found.pointer for found in refusal.value.violations} == {"#/email", "#/password", "#/organizationName"}


async def test_each_login_opens_a_session_of_its_own(service: Service) -> None:
    made = await service.register()
    first, second = await service.login(made.user.email.upper()), await service.login(made.user.email)
    assert first.token != second.token
    assert first.user == made.user
    caller = await service.who(token=first.token)
    assert (caller.organization_id, caller.user_id, list(caller.scopes)) == (made.organization.id, made.user.id, ["*"])
    assert caller.session_id.startswith("ses_")


async def test_an_unknown_address_reads_like_a_wrong_password_and_takes_as_long(service: Service) -> None:
    made = await service.register()
    spent: dict[str, float] = {}
    texts: set[str] = set()
    for email in (made.user.email, "no one-at-all@example.com", "\x00", ""):
        started = time.process_time()
        with pytest.raises(Unauthenticated) as refusal:
            await service.login(email, "wrong password")
        spent[email] = time.process_time() - started
        texts.add(str(refusal.value))
    assert len(texts) == 1
    assert min(spent.values()) > spent[made.user.email] / 3


async def test_an_account_takes_ten_wrong_passwords(service: Service) -> None:
    made = await service.register()
    for email in (made.user.email, f"unknown-{new_id('x')}@example.com"):
        for _ in range(ACCOUNT_TRIES):
            with pytest.raises(Unauthenticated):
                await service.login(email, "wrong password")
        for password in ("wrong password", PASSWORD):
            with pytest.raises(ResourceExhausted) as refusal:
                await service.login(email.upper(), password)
            assert refusal.value.reason == "too_many_attempts"
            assert 800 < (refusal.value.retry_after or 0) <= 900


async def test_many_tries_at_once_do_not_slip_past(service: Service) -> None:
    made = await service.register()
    tries = (service.login(made.user.email, f"wrong password {number}") for number in range(25))
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, Unauthenticated) for end in ends) == ACCOUNT_TRIES
    assert sum(isinstance(end, ResourceExhausted) for end in ends) == 25 - ACCOUNT_TRIES


async def test_a_right_password_gives_the_tries_back(service: Service) -> None:
    made = await service.register()
    for _ in range(3):
        for _ in range(ACCOUNT_TRIES - 1):
            with pytest.raises(Unauthenticated):
                await service.login(made.user.email, "wrong password", "192.0.2.7")
        await service.login(made.user.email, ip="192.0.2.7")


async def test_spraying_from_one_address_is_limited(service: Service) -> None:
    ends = await asyncio.gather(
        *(service.login(f"spray{number}@example.com", "wrong password", "192.0.2.8") for number in range(30)),
        return_exceptions=True,
    )
    assert all(isinstance(end, Unauthenticated) for end in ends)
    limits = service.servicer._parts.limits
    for number in range(30, ADDRESS_TRIES):
        await limits.sign_in(f"spray{number}", "192.0.2.8")
    with pytest.raises(ResourceExhausted):
        await service.login("spray-last@example.com", "wrong password", "192.0.2.8")


async def _wrong(service: Service, email: str, times: int, ip: str, device: str = "") -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            await service.login(email, "wrong password", ip, device)


async def test_an_address_that_is_blocked_locks_no_account(service: Service) -> None:
    made = await service.register()
    limits = service.servicer._parts.limits
    for number in range(ADDRESS_TRIES):
        await limits.sign_in(f"lock{number}", "192.0.2.20")
    for _ in range(ACCOUNT_TRIES):
        with pytest.raises(ResourceExhausted):
            await service.login(made.user.email, "wrong password", "192.0.2.20")
    assert (await service.login(made.user.email, ip="192.0.2.21")).token


async def test_strangers_do_not_lock_a_known_device_out(service: Service) -> None:
    made = await service.register()
    device = (await service.login(made.user.email, ip="192.0.2.30")).device_token
    await _wrong(service, made.user.email, ACCOUNT_TRIES, "192.0.2.31")
    with pytest.raises(ResourceExhausted):
        await service.login(made.user.email, ip="192.0.2.31")
    assert (await service.login(made.user.email, ip="192.0.2.30", device=device)).token
    await _wrong(service, made.user.email, ACCOUNT_TRIES, "192.0.2.30", device)
    with pytest.raises(ResourceExhausted):
        await service.login(made.user.email, ip="192.0.2.30", device=device)


async def test_the_device_of_one_account_is_unknown_to_another(service: Service) -> None:
    one, other = await service.register(), await service.register()
    device = (await service.login(one.user.email)).device_token
    for forged in (device, device[:-1], "x." + "0" * 64, "\x00"):
        await _wrong(service, other.user.email, 2, "", forged)
    await _wrong(service, other.user.email, ACCOUNT_TRIES - 8, "")
    with pytest.raises(ResourceExhausted):
        await service.login(other.user.email, device=device)


async def test_a_right_password_forgets_only_what_its_address_tried(service: Service) -> None:
    made = await service.register()
    await _wrong(service, made.user.email, ACCOUNT_TRIES - 2, "192.0.2.41")
    await _wrong(service, made.user.email, 1, "192.0.2.40")
    await service.login(made.user.email, ip="192.0.2.40")
    await _wrong(service, made.user.email, 2, "192.0.2.41")
    with pytest.raises(ResourceExhausted):
        await service.login(made.user.email, "wrong password", "192.0.2.41")


async def test_registrations_are_limited_before_a_password_is_hashed(service: Service) -> None:
    limits, hashed_before = service.servicer._parts.limits, await _users(service)
    for _ in range(ADDRESS_REGISTRATIONS):
        await limits.register("2001:db8::1", new_id("x"))
    with pytest.raises(ResourceExhausted):
        await service.register(ip_address="2001:db8::ffff")
    assert await _users(service) == hashed_before
    assert (await service.register(ip_address="2001:db8:0:1::1")).user.id


async def test_an_e_mail_address_is_limited_whether_it_is_taken_or_not(service: Service) -> None:
    taken = (await service.register()).user.email
    for email, more in ((taken, EMAIL_REGISTRATIONS - 1), (f"{new_id('x')}@example.com", EMAIL_REGISTRATIONS)):
        for _ in range(more):
            with contextlib.suppress(AlreadyExists):
                await service.register(email)
        with pytest.raises(ResourceExhausted):
            await service.register(email)


async def _users(service: Service) -> int:
    rows = await service.database.system_fetch("select count(*) as n from app_user u")
    return int(rows[0]["n"])


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_addresses_are_counted_by_what_one_customer_owns(sent: str, counted: str) -> None:
    assert address_prefix(sent) == counted


async def test_only_the_gateway_asks_who_someone_is(service: Service) -> None:
    member = await service.member()
    for principal in (member.principal, Principal(role="service", issuer="agent", scopes=frozenset({"*"}))):
        with acting(principal):
            for method, request in (
                ("Authenticate", identity_pb2.AuthenticateRequest(session_token=member.token)),
                ("Login", identity_pb2.LoginRequest()),
                ("Register", identity_pb2.RegisterRequest()),
            ):
                with pytest.raises(PermissionDenied):
                    await getattr(service.servicer, method)(request, None)


async def test_the_current_user_comes_with_the_organization(service: Service) -> None:
    member = await service.member()
    with acting(member.principal), count_statements() as counter:
        found = await service.servicer.GetCurrentUser(identity_pb2.GetCurrentUserRequest(), None)
    assert counter.total == 1
    assert (found.user.id, found.user.email) == (member.user.id, member.user.email)
    assert found.organization.id == member.user.organization_id
    no_one = Principal(org_id=member.user.organization_id, role="service", issuer="agent")
    with acting(no_one), pytest.raises(PermissionDenied):
        await service.servicer.GetCurrentUser(identity_pb2.GetCurrentUserRequest(), None)


async def test_an_organization_is_edited_under_its_version(service: Service) -> None:
    member = await service.member()
    organization = identity_pb2.Organization(name="Looms", time_zone="Europe/Berlin", id="org_other", version=9)
    asked = identity_pb2.UpdateOrganizationRequest(organization=organization, update_mask=FieldMask(paths=["name"]))
    with acting(member.principal):
        edited = (await service.servicer.UpdateOrganization(asked, None)).organization
        assert (edited.name, edited.time_zone, edited.version) == ("Looms", "UTC", 2)
        assert edited.id == member.user.organization_id
        assert (await service.servicer.UpdateOrganization(asked, None)).organization == edited
        asked.expected_version = 1
        with pytest.raises(FailedPrecondition):
            await service.servicer.UpdateOrganization(asked, None)
        asked.update_mask.paths.append("id")
        with pytest.raises(InvalidArgument):
            await service.servicer.UpdateOrganization(asked, None)
        read = await service.servicer.GetOrganization(identity_pb2.GetOrganizationRequest(), None)
    assert read.organization == edited
    assert (await service.events(edited.id))[-1:] == ["org.updated"]
