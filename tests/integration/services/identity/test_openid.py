"""Sign-in with OpenID Connect against a real provider, which runs as a process of its own."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from echosenseix.identity.v1 import accounts_pb2 as pb
from echosenseix.identity.v1 import identity_pb2
from libs.crypto import Envelope
from libs.errors import (
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from libs.http import OutboundClient
from libs.ids import new_id
from local.processes.ports import free_ports
from services.identity.login_limits import OPENID_STEPS
from services.identity.openid import FLOW_LIFETIME, Flow, OpenIdProvider, OpenIdSettings
from services.identity.servicer import AccountServicer
from tests import openid_provider
from tests.openid_provider import approve, knows

from .conftest import PASSWORD, Member, Service, acting, address, as_gateway
from .test_own_account import ask_email, change, confirm_email, forget, reset
from .test_second_factor import enrolled, verify

PAGE = "https://suite.example.com/openid"
ENVELOPE = Envelope([f"k1={base64.b64encode(b'e' * 32).decode()}"])
# Seconds until the provider listens; it is a program of Python on a busy machine.
START_SECONDS = 60.0


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with openid_provider.running() as url:
        yield url


@asynccontextmanager
async def provider(service: Service, issuer: str, **changes: Any) -> AsyncIterator[OpenIdProvider]:
    """The provider as a process of identity uses it; loopback is opened for it as OUTBOUND_ALLOW does."""
    settings = {"issuer": issuer, "client_id": "echosenseix", "client_secret": "a secret", **changes}
    client = OutboundClient((urlsplit(issuer).netloc,))
    yield OpenIdProvider(OpenIdSettings(**settings), client, ENVELOPE, service.clock, answer_seconds=60.0)
    await client.close()


@asynccontextmanager
async def signing_in(service: Service, issuer: str, **changes: Any) -> AsyncIterator[AccountServicer]:
    async with provider(service, issuer, **changes) as known:
        yield AccountServicer(replace(service.accounts._parts, openid=known))


async def begin(accounts: AccountServicer) -> pb.BeginOpenIdLoginResponse:
    with as_gateway():
        return await accounts.BeginOpenIdLogin(pb.BeginOpenIdLoginRequest(redirect_url=PAGE), None)


async def complete(accounts: AccountServicer, told: dict[str, str], flow: str) -> identity_pb2.LoginResponse:
    with as_gateway():
        request = pb.CompleteOpenIdLoginRequest(code=told["code"], state=told["state"], flow=flow, redirect_url=PAGE)
        return (await accounts.CompleteOpenIdLogin(request, None)).login


async def sign_in(accounts: AccountServicer, subject: str) -> identity_pb2.LoginResponse:
    begun = await begin(accounts)
    return await complete(accounts, approve(begun.authorization_url, subject, PAGE), begun.flow)


async def test_a_verified_address_signs_in_as_its_account_and_stays_linked(service: Service, issuer: str) -> None:
    member, subject = await service.member(), new_id("sub")
    knows(issuer, subject, member.user.email.upper())
    async with signing_in(service, issuer) as accounts:
        login = await sign_in(accounts, subject)
        assert (await service.who(token=login.token)).user_id == member.user.id
        assert (await service.mails(member.user.email))[-1]["template"] == "openid.linked"
        # From now on the subject counts: another address at the provider makes it no other account.
        stranger = await service.member()
        knows(issuer, subject, stranger.user.email)
        assert (await sign_in(accounts, subject)).user.id == member.user.id
        other = new_id("sub")
        knows(issuer, other, member.user.email)
        with pytest.raises(PermissionDenied, match="account_unknown"):
            await sign_in(accounts, other)


async def links(accounts: AccountServicer, member: Member) -> list[pb.OpenIdLink]:
    with acting(member.principal):
        return list((await accounts.ListOpenIdLinks(pb.ListOpenIdLinksRequest(), None)).links)


async def turn(
    accounts: AccountServicer, member: Member, link_id: str, *, on: bool, password: str = PASSWORD
) -> pb.OpenIdLink:
    with acting(member.principal):
        request = pb.UpdateOpenIdLinkRequest(id=link_id, enabled=on, password=password)
        return (await accounts.UpdateOpenIdLink(request, None)).link


async def test_a_person_turns_its_own_link_off_and_the_provider_does_not_bring_it_back(
    service: Service, issuer: str
) -> None:
    member, stranger, subject = await service.member(), await service.member(), new_id("sub")
    knows(issuer, subject, member.user.email)
    async with signing_in(service, issuer) as accounts:
        assert await links(accounts, member) == []
        by_provider = (await sign_in(accounts, subject)).token
        (link,) = await links(accounts, member)
        assert (link.issuer, link.subject, link.enabled) == (issuer, subject, True)
        for who, link_id, password, refusal, reason in (
            (member, link.id, "wrong", PermissionDenied, "wrong_password"),
            (stranger, link.id, PASSWORD, NotFound, "openid_link_not_found"),
            (member, "oil_nothing", PASSWORD, NotFound, "openid_link_not_found"),
        ):
            with pytest.raises(refusal, match=reason):
                await turn(accounts, who, link_id, on=False, password=password)
        assert not (await turn(accounts, member, link.id, on=False)).enabled
        # What the provider had opened has ended, and the address that it vouches for makes no new link.
        with pytest.raises(Unauthenticated):
            await service.who(token=by_provider)
        for _ in range(2):
            with pytest.raises(PermissionDenied, match="openid_link_disabled"):
                await sign_in(accounts, subject)
        assert (await service.who(token=member.token)).user_id == member.user.id
        assert [one.enabled for one in await links(accounts, member)] == [False]
        assert (await turn(accounts, member, link.id, on=True)).enabled
        assert (await sign_in(accounts, subject)).user.id == member.user.id


async def test_a_key_sees_no_links_of_the_person_who_made_it(service: Service) -> None:
    member = await service.member()
    key = replace(member.principal, session_id="", api_key_id=new_id("key"))
    with acting(key), pytest.raises(FailedPrecondition, match="session_required"):
        await service.accounts.ListOpenIdLinks(pb.ListOpenIdLinksRequest(), None)


async def by_mail(service: Service, member: Member) -> None:
    await forget(service, member.user.email)
    await reset(service, await service.token(member.user.email))


async def by_password(service: Service, member: Member) -> None:
    await change(service, member.principal)


async def by_address(service: Service, member: Member) -> None:
    new = address()
    await ask_email(service, member.principal, new)
    await confirm_email(service, member.principal, await service.token(new))


Change = Callable[[Service, Member], Awaitable[None]]


@pytest.mark.parametrize("change_by", [by_mail, by_password, by_address])
async def test_a_new_password_or_address_ends_what_a_subject_opened(
    service: Service, issuer: str, change_by: Change
) -> None:
    async with signing_in(service, issuer) as accounts:
        member, subject = await service.member(), new_id("sub")
        knows(issuer, subject, member.user.email)
        assert (await sign_in(accounts, subject)).user.id == member.user.id
        await change_by(service, member)
        knows(issuer, subject, f"{subject}@example.com")
        with pytest.raises(PermissionDenied, match="account_unknown"):
            await sign_in(accounts, subject)


@pytest.mark.parametrize("change_by", [by_mail, by_password, by_address])
async def test_a_link_that_was_turned_off_stays_off_under_a_new_password_or_address(
    service: Service, issuer: str, change_by: Change
) -> None:
    async with signing_in(service, issuer) as accounts:
        member, subject = await service.member(), new_id("sub")
        knows(issuer, subject, member.user.email)
        await sign_in(accounts, subject)
        (link,) = await links(accounts, member)
        await turn(accounts, member, link.id, on=False)
        await change_by(service, member)
        # The provider vouches for the address that the account has now.
        with acting(member.principal):
            request = identity_pb2.GetCurrentUserRequest()
            knows(issuer, subject, (await service.servicer.GetCurrentUser(request, None)).user.email)
        with pytest.raises(PermissionDenied, match="openid_link_disabled"):
            await sign_in(accounts, subject)


async def test_a_link_that_is_turned_off_takes_the_challenges_that_it_gave_along(service: Service, issuer: str) -> None:
    member, phone, _ = await enrolled(service)
    subject = new_id("sub")
    knows(issuer, subject, member.user.email)
    async with signing_in(service, issuer) as accounts:
        proof = (await sign_in(accounts, subject)).challenge
        (link,) = await links(accounts, member)
        await turn(accounts, member, link.id, on=False)
    with pytest.raises(Unauthenticated, match="challenge_invalid"):
        await verify(service, proof, phone.fresh())


async def test_an_office_that_signs_in_with_openid_uses_up_no_codes_and_no_links(service: Service) -> None:
    ip = "203.0.113.77"

    async def step() -> None:
        await service.accounts.BeginOpenIdLogin(pb.BeginOpenIdLoginRequest(redirect_url=PAGE, ip_address=ip), None)

    with as_gateway():
        for _ in range(OPENID_STEPS):
            with pytest.raises(Unimplemented):
                await step()
        with pytest.raises(ResourceExhausted, match="too_many_attempts"):
            await step()
        with pytest.raises(Unauthenticated, match="challenge_invalid"):
            await service.accounts.VerifySecondFactor(pb.VerifySecondFactorRequest(ip_address=ip), None)
    with pytest.raises(NotFound, match="account_link_invalid"):
        await reset(service, "guess", ip=ip)


async def test_an_address_that_is_not_verified_or_unknown_opens_no_account(service: Service, issuer: str) -> None:
    member, subject, unknown = await service.member(), new_id("sub"), new_id("sub")
    knows(issuer, subject, member.user.email, verified=False)
    knows(issuer, unknown, f"{unknown}@example.com")
    async with signing_in(service, issuer) as accounts:
        with pytest.raises(PermissionDenied, match="openid_email_unverified"):
            await sign_in(accounts, subject)
        with pytest.raises(PermissionDenied, match="account_unknown"):
            await sign_in(accounts, unknown)


async def test_the_second_factor_is_asked_for_here_too(service: Service, issuer: str) -> None:
    member, _, _ = await enrolled(service)
    subject = new_id("sub")
    knows(issuer, subject, member.user.email)
    async with signing_in(service, issuer) as accounts:
        login = await sign_in(accounts, subject)
    assert (login.token, bool(login.challenge)) == ("", True)


async def test_the_request_is_bound_to_its_flow(service: Service, issuer: str) -> None:
    async with signing_in(service, issuer) as accounts:
        first, second = await begin(accounts), await begin(accounts)
    asked = [parse_qs(urlsplit(begun.authorization_url).query) for begun in (first, second)]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
    assert asked[0]["code_challenge_method"] == ["S256"]
    assert asked[0]["scope"] == ["openid email"]
    opened = ENVELOPE.decrypt(base64.urlsafe_b64decode(first.flow + "=="), ("openid", "flow"))
    assert asked[0]["state"][0].encode() in opened
    assert asked[0]["state"][0] not in first.flow


async def test_what_belongs_to_another_flow_is_refused(service: Service, issuer: str) -> None:
    member, subject = await service.member(), new_id("sub")
    knows(issuer, subject, member.user.email)
    async with signing_in(service, issuer) as accounts:
        mine, theirs = await begin(accounts), await begin(accounts)
        told = approve(mine.authorization_url, subject, PAGE)
        foreign = approve(theirs.authorization_url, subject, PAGE)
        for answer, flow in (
            (told, theirs.flow),  # the victim's browser with the attacker's answer: login CSRF
            (told, ""),
            (told, "garbage"),
            (told, mine.flow[:-4]),
            ({**told, "state": ""}, mine.flow),
            ({**told, "state": "é"}, mine.flow),
            ({**told, "code": "guess"}, mine.flow),
            ({**told, "code": foreign["code"]}, mine.flow),  # an injected code: its token has the other nonce
        ):
            with pytest.raises(Unauthenticated, match="openid_refused"):
                await complete(accounts, answer, flow)
        assert (await complete(accounts, told, mine.flow)).token
        with pytest.raises(Unauthenticated, match="openid_refused"):
            await complete(accounts, told, mine.flow)
        late = await begin(accounts)
        told = approve(late.authorization_url, subject, PAGE)
        service.clock.advance(FLOW_LIFETIME.total_seconds() + 1)
        with pytest.raises(Unauthenticated, match="openid_refused"):
            await complete(accounts, told, late.flow)


async def test_only_the_providers_signature_for_this_client_and_flow_counts(service: Service, issuer: str) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    flow, now = Flow("s", "the nonce", "v", 0.0), int(time.time())
    good = {"iss": issuer, "aud": "echosenseix", "sub": "x", "nonce": "the nonce", "iat": now, "exp": now + 60}
    async with provider(service, issuer) as known:
        metadata = await known._read_metadata()
        real = dict(await known._read_keys(metadata, FLOW_LIFETIME))
        (kid,) = real
        with pytest.raises(Unauthenticated):
            await known._verified(metadata, jwt.encode(good, own, "RS256", headers={"kid": kid}), flow)
        for forged in (
            jwt.encode(good, "", "none"),
            jwt.encode(good, real[kid]["n"], "HS256", headers={"kid": kid}),
            jwt.encode(good, own, "RS256", headers={"kid": "unknown"}),
            "no.token.at-all",
            "",
        ):
            with pytest.raises(Unauthenticated):
                await known._verified(metadata, forged, flow)
        # Under a key of ours in place of the provider's, each claim is looked at.
        public = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
        known._keys = (service.clock.now(), {kid: {**public, "kid": kid, "alg": "RS256"}})

        async def claims(**changes: Any) -> dict[str, Any]:
            token = jwt.encode({**good, **changes}, own, "RS256", headers={"kid": kid})
            return await known._verified(metadata, token, flow)

        assert (await claims())["sub"] == "x"
        assert (await claims(aud=["echosenseix", "other"], azp="echosenseix"))["sub"] == "x"
        for wrong in (
            {"iss": "https://elsewhere.example"},
            {"aud": "other"},
            {"aud": ["echosenseix", "other"]},
            {"azp": "other"},
            {"nonce": "another"},
            {"nonce": "é"},
            {"nonce": None},
            {"exp": now - 3600},
            {"iat": now + 3600},
        ):
            with pytest.raises(Unauthenticated, match="openid_refused"):
                await claims(**wrong)


async def test_a_provider_that_is_away_forbidden_or_another_one_is_told_apart_from_a_refusal(
    service: Service, issuer: str
) -> None:
    (port,) = free_ports(1)
    async with provider(service, f"http://127.0.0.1:{port}") as away:
        with pytest.raises(Unavailable, match="openid_unavailable"):
            await away.begin(PAGE)
    # An issuer is compared as it is written: the document names another one.
    async with provider(service, f"{issuer}/") as renamed:
        with pytest.raises(Unavailable, match="openid_unavailable"):
            await renamed.begin(PAGE)
    guarded = OutboundClient()
    settings = OpenIdSettings(issuer, "echosenseix", "a secret")
    with pytest.raises(Unavailable, match="openid_unavailable"):
        await OpenIdProvider(settings, guarded, ENVELOPE, service.clock).begin(PAGE)
    await guarded.close()


async def test_without_a_provider_there_is_no_such_sign_in(service: Service) -> None:
    with pytest.raises(Unimplemented, match="openid_not_configured"):
        await begin(service.accounts)
    with pytest.raises(Unimplemented, match="openid_not_configured"):
        await complete(service.accounts, {"code": "x", "state": "x"}, "x")
