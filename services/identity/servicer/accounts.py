"""Login, the authentication of every request, and the organization."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from echosenseix.identity.v1 import identity_pb2
from libs.crypto import random_token
from libs.errors import PermissionDenied, Unauthenticated
from libs.events.outbox import append
from libs.ids import is_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope
from libs.rpc.masks import Editable
from services.identity.domain.caller import Caller
from services.identity.domain.credentials import ROTATION_OVERLAP, hashed
from services.identity.domain.people import (
    Organization,
    check_version,
    edit_organization,
    email_key,
)
from services.identity.domain.scopes import has_right
from services.identity.mapping.events import organization_event, session_event
from services.identity.mapping.people import (
    caller_to_proto,
    organization_to_proto,
    user_to_proto,
)
from suite.credentials import is_session_token, key_prefix
from suite.services import ORGANIZATIONS

from .parts import Methods, only_the_gateway, person
from .signing_in import after_first_factor

EDITABLE: Editable[Organization] = Editable({"name": "name", "time_zone": "time_zone"})


class AccountMethods(Methods):
    async def Login(self, request: identity_pb2.LoginRequest, context: object) -> identity_pb2.LoginResponse:
        only_the_gateway()
        parts, key = self._parts, email_key(request.email)
        device = parts.devices.device_of(request.device_token, key)
        counted = await parts.limits.sign_in(key, request.ip_address, device)
        storable = "\x00" not in key
        known = await parts.accounts.by_email(key) if storable else None
        waiting = await parts.pending.newest(key, parts.clock.now()) if storable and known is None else None
        stored = known.account if known else waiting
        fits = await parts.passwords.matches(stored.password_hash if stored else None, request.password)
        if fits and waiting is not None:
            raise PermissionDenied("email_not_verified", "Follow the link that was mailed to you, then sign in.")
        if known is None or not fits:
            raise Unauthenticated("wrong_credentials", "The e-mail address or the password is wrong.")
        await parts.limits.signed_in(counted)
        response = await after_first_factor(parts, known, request.ip_address, request.user_agent)
        if response.token:
            response.device_token = parts.devices.token(device or random_token()[:16], key)
        return response

    async def Authenticate(
        self, request: identity_pb2.AuthenticateRequest, context: object
    ) -> identity_pb2.AuthenticateResponse:
        only_the_gateway()
        # Asked before the credential: a schema that is migrated in between must not vouch for what was read before.
        told = await self._parts.authentication.tells_of_changes()
        caller = await self._caller(request)
        if caller is None and request.WhichOneof("credential") == "api_key":
            raise Unauthenticated("invalid_api_key", "Send a valid API key; this one is unknown, revoked or expired.")
        if caller is None:
            raise Unauthenticated("invalid_credentials", "Log in again, or send a valid API key.")
        if caller.granted is not None and not request.obeys_grants:
            raise PermissionDenied("limited_access", "This gateway is of a release that would let you reach further.")
        return caller_to_proto(await self._acting(caller, request.organization_id), changes_are_told=told)

    async def _acting(self, caller: Caller, org_id: str) -> Caller:
        """The caller in a customer of its organization, with the role and the scopes that it has at home."""
        if org_id in ("", caller.org_id):
            return caller
        # Grants name agents of its own organization, so they open nothing in another one.
        may = (
            caller.granted is None
            and is_id(org_id, "org")
            and has_right(caller.effective_scopes, f"{ORGANIZATIONS}:read")
        )
        percent = await self._parts.authentication.limits_of_child(org_id, caller.org_id) if may else None
        if percent is None:
            raise PermissionDenied("organization_not_accessible", "You may not act in this organization, if it exists.")
        return replace(caller, org_id=org_id, home_org_id=caller.org_id, limit_percent=percent)

    async def _caller(self, request: identity_pb2.AuthenticateRequest) -> Caller | None:
        """Malformed credentials are refused without a database read."""
        authentication, now = self._parts.authentication, self._parts.clock.now()
        if request.WhichOneof("credential") == "session_token":
            token = request.session_token
            return await self._by_token(hashed(token), now) if is_session_token(token) else None
        prefix = key_prefix(request.api_key)
        return await authentication.by_key(prefix, hashed(request.api_key), now) if prefix else None

    async def _by_token(self, token_hash: bytes, now: datetime) -> Caller | None:
        """The caller of a session. A token that its session gave up a while ago has two holders, so it ends the
        session (RFC 9700, 4.14.2)."""
        parts = self._parts
        caller = await parts.authentication.by_session(token_hash, now)
        former = None if caller else await parts.authentication.by_former_token(token_hash, now)
        if former is None:
            return caller
        caller = former.caller
        ends = former.retired_at + ROTATION_OVERLAP
        if now <= ends:
            return replace(caller, expires_at=min(ends, caller.expires_at or ends))
        async with parts.database.transaction(caller.org_id) as conn:
            if await parts.sessions.revoke(conn, caller.org_id, caller.user_id, caller.session_id, now):
                ended = session_event("session.revoked", caller.org_id, caller.session_id, caller.user_id)
                await append(conn, ended)
        return None

    async def GetCurrentUser(
        self, request: identity_pb2.GetCurrentUserRequest, context: object
    ) -> identity_pb2.GetCurrentUserResponse:
        """The user, and the organization in which it acts."""
        principal, people = person(), self._parts.people
        found = await people.current(principal.home_org_id or principal.org_id, principal.user_id)
        shown = await people.organization(principal.org_id) if principal.home_org_id else found.organization
        return identity_pb2.GetCurrentUserResponse(
            user=user_to_proto(found.user), organization=organization_to_proto(shown)
        )

    async def GetOrganization(
        self, request: identity_pb2.GetOrganizationRequest, context: object
    ) -> identity_pb2.GetOrganizationResponse:
        organization = await self._parts.people.organization(current_principal().org_id)
        return identity_pb2.GetOrganizationResponse(organization=organization_to_proto(organization))

    async def UpdateOrganization(
        self, request: identity_pb2.UpdateOrganizationRequest, context: object
    ) -> identity_pb2.UpdateOrganizationResponse:
        org_id, people = require_scope("members:write").org_id, self._parts.people
        edit, asked = EDITABLE.read(request.update_mask), request.organization

        async def act(conn: Connection) -> identity_pb2.UpdateOrganizationResponse:
            organization = await people.lock_organization(conn, org_id)
            check_version(organization, request.expected_version if request.HasField("expected_version") else None)
            given = replace(organization, name=asked.name, time_zone=asked.time_zone)
            wanted = edit.merge(organization, given)
            edited = edit_organization(organization, wanted.name, wanted.time_zone, self._parts.clock.now())
            if edited is not organization:
                await people.save_organization(conn, edited)
                await append(conn, organization_event("org.updated", edited))
            return identity_pb2.UpdateOrganizationResponse(organization=organization_to_proto(edited))

        return await run_write(self._parts.database, org_id, act, identity_pb2.UpdateOrganizationResponse)
