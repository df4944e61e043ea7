"""The identity service's methods on a real database and a real Redis, called as the gateway would call them."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import get_args

import pytest_asyncio

from echosenseix.identity.v1 import accounts_pb2, identity_pb2, members_pb2
from libs.clock import ManualClock
from libs.crypto import Envelope
from libs.ids import new_id
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.ratelimit import RateLimiter
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import ROLE_GATEWAY, Grants, Principal
from local.stores import Stores
from services.identity.domain.account_tokens import Purpose
from services.identity.domain.devices import KnownDevices
from services.identity.domain.links import MailedLinks
from services.identity.login_limits import LoginLimits, Proof
from services.identity.passwords import Passwords
from services.identity.servicer import AccountServicer, ChildServicer, IdentityServicer, MemberServicer, Parts
from services.identity.storage.account_tokens import AccountTokens
from services.identity.storage.accounts import Accounts
from services.identity.storage.agent_grants import AgentGrants
from services.identity.storage.api_keys import ApiKeys
from services.identity.storage.authentication import Authentication
from services.identity.storage.children import Children
from services.identity.storage.invitations import Invitations
from services.identity.storage.members import Members
from services.identity.storage.openid_links import OpenIdLinks
from services.identity.storage.pending import PendingRegistrations
from services.identity.storage.people import People
from services.identity.storage.second_factors import SecondFactors
from services.identity.storage.sessions import Sessions
from services.identity.storage.white_labels import WhiteLabels

PASSWORD = "correct horse battery"
LINK = "https://suite.example.com/accept-invitation#"
GATEWAY = Principal(role=ROLE_GATEWAY, issuer="gateway")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Service:
    database: Database
    servicer: IdentityServicer
    clock: ManualClock
    # The same service where addresses are verified by a mailed link.
    by_mail: IdentityServicer
    members: MemberServicer
    accounts: AccountServicer
    children: ChildServicer
    limiter: RateLimiter

    async def register(self, email: str = "", **fields: str) -> identity_pb2.RegisterResponse:
        asked = {"password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace", "organization_name": "Engines"}
        request = identity_pb2.RegisterRequest(email=email or f"ada{next(_numbers)}@example.com", **{**asked, **fields})
        with as_gateway():
            return await self.servicer.Register(request, None)

    async def login(
        self, email: str, password: str = PASSWORD, ip: str = "", device: str = ""
    ) -> identity_pb2.LoginResponse:
        request = identity_pb2.LoginRequest(
            email=email, password=password, ip_address=ip, user_agent="tests/1", device_token=device
        )
        with as_gateway():
            return await self.servicer.Login(request, None)

    async def who(self, *, token: str = "", key: str = "", within: str = "") -> identity_pb2.AuthenticateResponse:
        request = identity_pb2.AuthenticateRequest(organization_id=within, obeys_grants=True)
        if token:
            request.session_token = token
        else:
            request.api_key = key
        with as_gateway():
            return await self.servicer.Authenticate(request, None)

    async def member(self) -> Member:
        """A new organization's owner, logged in."""
        made = await self.register()
        token = (await self.login(made.user.email)).token
        return Member(made.user, token, principal_of(await self.who(token=token)))

    async def join(self, owner: Member, role: identity_pb2.Role.ValueType, email: str = "") -> Member:
        """A new user of the owner's organization, invited, signed in."""
        email = email or f"user{next(_numbers)}@example.com"
        with acting(owner.principal):
            await self.members.CreateInvitation(
                members_pb2.CreateInvitationRequest(email=email, role=role, accept_url=LINK), None
            )
        with as_gateway():
            asked = members_pb2.AcceptInvitationRequest(token=await self.token(email), password=PASSWORD)
            made = await self.members.AcceptInvitation(asked, None)
        session = (await self.login(email)).token
        return Member(made.user, session, principal_of(await self.who(token=session)))

    async def make_key(self, member: Member, *scopes: str, **fields: object) -> identity_pb2.CreateApiKeyResponse:
        """A new API key of the member, with its secret; it reads agents unless scopes are named."""
        given = scopes or ("agents:read",)
        request = identity_pb2.CreateApiKeyRequest(name="ci", scopes=given, **fields)  # type: ignore[arg-type]
        with acting(member.principal):
            return await self.servicer.CreateApiKey(request, None)

    async def begin_factor(self, member: Member, password: str = PASSWORD) -> accounts_pb2.BeginSecondFactorResponse:
        with acting(member.principal):
            request = accounts_pb2.BeginSecondFactorRequest(password=password)
            return await self.accounts.BeginSecondFactor(request, None)

    async def confirm_factor(self, member: Member, code: str, key: str = "") -> list[str]:
        """The recovery codes."""
        with acting(member.principal, key=key, fingerprint="f" if key else ""):
            request = accounts_pb2.ConfirmSecondFactorRequest(code=code)
            return list((await self.accounts.ConfirmSecondFactor(request, None)).recovery_codes)

    async def token(self, email: str) -> str:
        """The token of the newest link that was mailed to the address."""
        return next(mail["link"] for mail in reversed(await self.mails(email)) if "link" in mail).partition("#")[2]

    async def mails(self, email: str) -> list[dict[str, str]]:
        """What was asked to be mailed to the address, in its order: template, organization, link."""
        rows = await self.database.system_fetch(
            "select x.org_id, x.payload from outbox x where x.topic = 'mail.requested' order by x.id"
        )
        found = []
        for row in rows:
            data = json.loads(row["payload"])["data"]
            if data["address"] == email:
                found.append({"template": data["template"], "org": row["org_id"], **data.get("values", {})})
        return found

    async def events(self, org: str) -> list[str]:
        rows = await self.database.system_fetch("select x.topic from outbox x where x.org_id = $1 order by x.id", org)
        return [row["topic"] for row in rows]


@dataclass(frozen=True)
class Member:
    user: identity_pb2.User
    token: str
    principal: Principal = field()


def address() -> str:
    """An e-mail address that no other test has."""
    return f"{new_id('x')}@example.com"


def principal_of(answer: identity_pb2.AuthenticateResponse) -> Principal:
    """What the gateway makes of an answer."""
    return Principal(
        org_id=answer.organization_id,
        user_id=answer.user_id,
        session_id=answer.session_id,
        api_key_id=answer.api_key_id,
        role=identity_pb2.Role.Name(answer.role).removeprefix("ROLE_").lower(),
        scopes=frozenset(answer.scopes),
        issuer="gateway",
        home_org_id=answer.home_organization_id,
        grants=Grants(frozenset(answer.readable_ids), frozenset(answer.writable_ids)) if answer.has_grants else None,
    )


@contextmanager
def acting(principal: Principal, *, key: str = "", fingerprint: str = "") -> Iterator[CallContext]:
    with serving(CallContext(idempotency_key=key, idempotency_fingerprint=fingerprint), principal) as call:
        yield call


@contextmanager
def as_gateway(key: str = "", fingerprint: str = "") -> Iterator[CallContext]:
    with acting(GATEWAY, key=key, fingerprint=fingerprint) as call:
        yield call


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(service_database: Callable[..., Awaitable[Database]], stores: Stores) -> AsyncIterator[Service]:
    database = await service_database("identity")
    cursors, limiter = CursorCodec(b"c" * 32), await RateLimiter.open(stores.redis_url)
    passwords, clock = await Passwords.open(2), ManualClock(datetime.now(UTC))
    parts = Parts(
        database=database,
        accounts=Accounts(database),
        people=People(database),
        labels=WhiteLabels(database, cursors),
        children=Children(database, cursors),
        members=Members(database, cursors),
        grants=AgentGrants(database),
        invitations=Invitations(database, cursors),
        tokens=AccountTokens(database),
        factors=SecondFactors(database, Envelope([f"k1={base64.b64encode(b'e' * 32).decode()}"])),
        links=OpenIdLinks(database),
        sessions=Sessions(database, cursors),
        api_keys=ApiKeys(database, cursors),
        authentication=Authentication(database),
        passwords=passwords,
        limits=LoginLimits(limiter, lifted=False),
        devices=KnownDevices(b"d" * 32),
        clock=clock,
        production=False,
        pending=PendingRegistrations(database),
        registration_links=MailedLinks(b"d" * 32, b"verification of an address", "reg"),
        invitation_links=MailedLinks(b"d" * 32, b"invitation", "ivt"),
        token_links={purpose: MailedLinks(b"d" * 32, purpose.value.encode(), "tok") for purpose in Purpose},
        verify_by_mail=False,
        openid=None,
    )
    by_mail = IdentityServicer(replace(parts, verify_by_mail=True))
    members, accounts, children = MemberServicer(parts), AccountServicer(parts), ChildServicer(parts)
    yield Service(database, IdentityServicer(parts), clock, by_mail, members, accounts, children, limiter)
    await passwords.close()
    await limiter.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def own_tries(service: Service) -> None:
    """Calls without an address share the counters of the unknown one: what other tests proved does not count here."""
    for proof in get_args(Proof):
        await service.limiter.forget(f"verify:{proof}:unknown", "")
