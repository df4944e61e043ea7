"""Registration: an account at once where addresses are not verified, else by a link that is mailed.

By mail the answer is the same for a new and for a taken address, and so is the work before it: the limits, the hash of
the password, one transaction with one mail.
"""

from __future__ import annotations

from echosenseix.identity.v1 import identity_pb2
from libs.errors import NotFound
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from services.identity.domain.accounts import Account
from services.identity.domain.people import Organization, Registration, User, check_email, check_registration, email_key
from services.identity.domain.scopes import Role
from services.identity.domain.verification import LINK_LIFETIME, PendingRegistration, place_of
from services.identity.mapping.events import (
    address_taken_event,
    organization_event,
    user_event,
    verification_event,
)
from services.identity.mapping.people import organization_to_proto, registration_from_proto, user_to_proto

from .parts import Methods, only_the_gateway


class RegistrationMethods(Methods):
    async def Register(self, request: identity_pb2.RegisterRequest, context: object) -> identity_pb2.RegisterResponse:
        only_the_gateway()
        parts = self._parts
        asked = check_registration(registration_from_proto(request))
        await parts.limits.register(request.ip_address, email_key(asked.email))
        password_hash = await parts.passwords.hash(asked.password)

        async def act(conn: Connection) -> identity_pb2.RegisterResponse:
            if parts.verify_by_mail:
                await self._mail_link(conn, asked, password_hash, request.verification_url)
                return identity_pb2.RegisterResponse(verification_mailed=True)
            owner, organization = await self._found(conn, asked, password_hash)
            return identity_pb2.RegisterResponse(
                user=user_to_proto(owner), organization=organization_to_proto(organization)
            )

        return await run_write(parts.database, place_of(asked.email), act, identity_pb2.RegisterResponse)

    async def VerifyRegistration(
        self, request: identity_pb2.VerifyRegistrationRequest, context: object
    ) -> identity_pb2.VerifyRegistrationResponse:
        only_the_gateway()
        parts, now = self._parts, self._parts.clock.now()
        await parts.limits.verify("registration", request.ip_address)
        registration_id = parts.registration_links.id_of(request.token)
        place = await parts.pending.place(registration_id, now) if registration_id else None
        if place is None:
            raise _invalid_link()

        async def act(conn: Connection) -> identity_pb2.VerifyRegistrationResponse:
            pending = await parts.pending.take(conn, place, registration_id, now)
            if pending is None:
                raise _invalid_link()
            owner, organization = await self._found(conn, pending.asked, pending.password_hash)
            return identity_pb2.VerifyRegistrationResponse(
                user=user_to_proto(owner), organization=organization_to_proto(organization)
            )

        return await run_write(parts.database, place, act, identity_pb2.VerifyRegistrationResponse)

    async def ResendVerification(
        self, request: identity_pb2.ResendVerificationRequest, context: object
    ) -> identity_pb2.ResendVerificationResponse:
        only_the_gateway()
        parts, email = self._parts, check_email(request.email)
        await parts.limits.register(request.ip_address, email_key(email))
        pending = await parts.pending.newest(email, parts.clock.now())
        if pending is not None:
            async with parts.database.transaction(pending.place) as conn:
                link = request.verification_url + parts.registration_links.token(pending.id)
                await append(conn, verification_event(pending, link))
        return identity_pb2.ResendVerificationResponse()

    async def _mail_link(self, conn: Connection, asked: Registration, password_hash: str, url: str) -> None:
        """To a new address its link; to the owner of a taken one, that a registration was tried."""
        parts, now = self._parts, self._parts.clock.now()
        known = await parts.accounts.by_email(email_key(asked.email))
        if known is not None:
            await append(conn, address_taken_event(known.user))
            return
        pending = PendingRegistration(new_id("reg"), asked, now, now + LINK_LIFETIME, password_hash)
        await parts.pending.add(conn, pending)
        await append(conn, verification_event(pending, url + parts.registration_links.token(pending.id)))

    async def _found(self, conn: Connection, asked: Registration, password_hash: str) -> tuple[User, Organization]:
        """The organization and its owner; goes on in this transaction as the organization."""
        parts, now, org_id = self._parts, self._parts.clock.now(), new_id("org")
        organization = Organization(org_id, asked.organization_name, "UTC", now, now)
        account = Account(new_id("acc"), asked.email, now, now, password_hash)
        owner = User(
            new_id("usr"), org_id, asked.email, asked.first_name, asked.last_name, Role.OWNER, now, now, account.id
        )
        await parts.accounts.add(conn, account, email_key(owner.email))
        await parts.people.add_organization(conn, organization)
        await parts.members.add(conn, owner, email_key(owner.email))
        await append(conn, organization_event("org.created", organization))
        await append(conn, user_event("user.created", owner))
        return owner, organization


def _invalid_link() -> NotFound:
    return NotFound("verification_link_invalid", "This link was used, has expired or is not ours. Register again.")
