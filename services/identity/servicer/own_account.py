"""AccountService: what a person does with its own account.

A change of the account reaches every organization whose user it is. Such a transaction begins as the organization of
the session, where its Idempotency-Key belongs, and goes on as the account and as the others.
"""

from __future__ import annotations

from dataclasses import replace

from echosenseix.identity.v1 import accounts_pb2 as pb
from libs.errors import FailedPrecondition, NotFound, PermissionDenied, Unauthenticated
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from services.identity import operations
from services.identity.domain.account_tokens import Purpose, new_token
from services.identity.domain.accounts import Account, Login
from services.identity.domain.people import check_email, check_password, email_key
from services.identity.domain.verification import place_of
from services.identity.mapping.events import session_event, unregistered_mail, user_event
from services.identity.mapping.people import organization_to_proto, user_to_proto
from services.identity.openid import Subject, not_configured
from suite.mails import MailTemplate

from .openid_links import OpenIdLinkMethods
from .parts import only_the_gateway, signed_in
from .signing_in import after_first_factor, open_session


class OwnAccountMethods(OpenIdLinkMethods):
    async def RequestPasswordReset(
        self, request: pb.RequestPasswordResetRequest, context: object
    ) -> pb.RequestPasswordResetResponse:
        """The same work and one mail for every address, so that neither tells which has an account."""
        only_the_gateway()
        parts, now, email = self._parts, self._parts.clock.now(), check_email(request.email)
        await parts.limits.reset(request.ip_address, email_key(email))
        known = await parts.accounts.by_email(email_key(email))
        place = known.account.id if known else place_of(email)
        async with parts.database.transaction(place) as conn:
            if known is None:
                await append(conn, unregistered_mail(MailTemplate.PASSWORD_UNKNOWN, email, place))
            else:
                token = new_token(new_id("tok"), place, Purpose.PASSWORD, now)
                await parts.tokens.add(conn, token)
                link = request.reset_url + parts.token_links[Purpose.PASSWORD].token(token.id)
                await append(
                    conn, unregistered_mail(MailTemplate.PASSWORD_RESET, known.account.email, token.id, link=link)
                )
        return pb.RequestPasswordResetResponse()

    async def ResetPassword(self, request: pb.ResetPasswordRequest, context: object) -> pb.ResetPasswordResponse:
        only_the_gateway()
        parts, now = self._parts, self._parts.clock.now()
        await parts.limits.verify("password", request.ip_address)
        token_id = parts.token_links[Purpose.PASSWORD].id_of(request.token)
        account_id = await parts.tokens.place(token_id, Purpose.PASSWORD, now) if token_id else None
        if account_id is None:
            raise _invalid_link()
        account = await parts.accounts.get(account_id)
        check_password(request.password, account.email)
        password_hash = await parts.passwords.hash(request.password)
        async with parts.database.transaction(account_id) as conn:
            if await parts.tokens.take(conn, account_id, token_id, Purpose.PASSWORD, now) is None:
                raise _invalid_link()
            # Who tried codes knew the former password.
            await parts.factors.forget_tries(conn, account_id)
            await self._set_password(conn, account, password_hash)
        return pb.ResetPasswordResponse()

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: object) -> pb.ChangePasswordResponse:
        principal, parts = signed_in(), self._parts
        account = await self._own()
        check_password(request.new_password, account.email, "#/newPassword")
        await self._require_password(account, request.current_password)
        password_hash = await parts.passwords.hash(request.new_password)
        # Without an Idempotency-Key: what a repetition is compared with, the current password, has changed.
        async with parts.database.transaction(account.id) as conn:
            await self._set_password(conn, account, password_hash, principal.session_id)
        return pb.ChangePasswordResponse()

    async def RequestEmailChange(
        self, request: pb.RequestEmailChangeRequest, context: object
    ) -> pb.RequestEmailChangeResponse:
        principal, parts, now = signed_in(), self._parts, self._parts.clock.now()
        email, account = check_email(request.email), await self._own()
        await self._require_password(account, request.password)
        await parts.limits.reset("", email_key(email))
        taken = await parts.accounts.by_email(email_key(email))

        async def act(conn: Connection) -> pb.RequestEmailChangeResponse:
            await conn.enter(account.id)
            token = new_token(new_id("tok"), account.id, Purpose.EMAIL, now, email)
            await parts.tokens.add(conn, token)
            link = request.confirm_url + parts.token_links[Purpose.EMAIL].token(token.id)
            if taken is None:
                await append(conn, unregistered_mail(MailTemplate.EMAIL_CONFIRM, email, token.id, link=link))
            else:
                await append(conn, unregistered_mail(MailTemplate.REGISTRATION_TAKEN, taken.account.email, token.id))
            return pb.RequestEmailChangeResponse()

        return await run_write(parts.database, principal.org_id, act, pb.RequestEmailChangeResponse)

    async def ConfirmEmailChange(
        self, request: pb.ConfirmEmailChangeRequest, context: object
    ) -> pb.ConfirmEmailChangeResponse:
        """By the account that asked, signed in: with a mistyped address, its stranger holds the link."""
        signed_in()
        parts, now = self._parts, self._parts.clock.now()
        await parts.limits.verify("email", request.ip_address)
        account_id = (await self._own()).id
        token_id = parts.token_links[Purpose.EMAIL].id_of(request.token)
        if not token_id:
            raise _invalid_link()
        async with parts.database.transaction(account_id) as conn:
            account = await parts.accounts.lock(conn, account_id)
            email = await parts.tokens.take(conn, account_id, token_id, Purpose.EMAIL, now)
            if account is None or email is None:
                raise _invalid_link()
            await parts.accounts.save_email(conn, account_id, email, email_key(email), now)
            # What belongs to the old mailbox must not open the account any more: its links and its subjects.
            await parts.tokens.clear(conn, account_id)
            await parts.accounts.unlink(conn, account_id)
            await append(conn, unregistered_mail(MailTemplate.EMAIL_CHANGED, account.email, token_id, newEmail=email))
            # Read under the lock: the account joins no organization with its old address meanwhile.
            for user in await parts.accounts.users(account_id):
                changed = replace(user, email=email)
                if await parts.members.save_email(conn, changed, email_key(email), now):
                    await append(conn, user_event("user.updated", changed))
        return pb.ConfirmEmailChangeResponse()

    async def GetLoginMethods(self, request: pb.GetLoginMethodsRequest, context: object) -> pb.GetLoginMethodsResponse:
        openid = self._parts.openid
        return pb.GetLoginMethodsResponse(openid_issuer=openid.issuer if openid else "")

    async def BeginOpenIdLogin(
        self, request: pb.BeginOpenIdLoginRequest, context: object
    ) -> pb.BeginOpenIdLoginResponse:
        only_the_gateway()
        await self._parts.limits.verify("openid", request.ip_address)
        if self._parts.openid is None:
            raise not_configured()
        url, flow = await self._parts.openid.begin(request.redirect_url)
        return pb.BeginOpenIdLoginResponse(authorization_url=url, flow=flow)

    async def CompleteOpenIdLogin(
        self, request: pb.CompleteOpenIdLoginRequest, context: object
    ) -> pb.CompleteOpenIdLoginResponse:
        only_the_gateway()
        parts = self._parts
        await parts.limits.verify("openid", request.ip_address)
        if parts.openid is None:
            raise not_configured()
        subject = await parts.openid.complete(request.code, request.state, request.flow, request.redirect_url)
        if await parts.links.is_disabled(subject.issuer, subject.subject):
            raise PermissionDenied(
                "openid_link_disabled", "Sign in with your password, then turn this sign-in on again."
            )
        known = await parts.accounts.by_subject(subject.issuer, subject.subject) or await self._linked(subject)
        login = await after_first_factor(parts, known, request.ip_address, request.user_agent)
        return pb.CompleteOpenIdLoginResponse(login=login)

    async def _linked(self, subject: Subject) -> Login:
        """The account of the subject's address, which is linked with it now. Only a verified address says whose account
        it is: with another one, a subject could name any account."""
        parts, key = self._parts, email_key(subject.email)
        if not subject.email_verified or "\x00" in key:
            raise PermissionDenied("openid_email_unverified", "Verify your address at the provider, then sign in.")
        known = await parts.accounts.by_email(key)
        if known is None:
            raise _no_account()
        async with parts.database.transaction(known.account.id) as conn:
            now, account = parts.clock.now(), await parts.accounts.lock(conn, known.account.id)
            if account is None or email_key(account.email) != key:
                raise _no_account()
            if not await parts.accounts.link(conn, account.id, subject.issuer, subject.subject, now):
                raise _no_account()
            await append(conn, unregistered_mail(MailTemplate.OPENID_LINKED, known.account.email, known.account.id))
        return known

    async def ListMemberships(self, request: pb.ListMembershipsRequest, context: object) -> pb.ListMembershipsResponse:
        principal, account = signed_in(), await self._own()
        memberships = [
            pb.Membership(
                organization=organization_to_proto(found.organization),
                user=user_to_proto(found.user),
                current=found.organization.id == principal.org_id,
            )
            for found in await self._parts.accounts.memberships(account.id)
        ]
        return pb.ListMembershipsResponse(memberships=memberships)

    async def SwitchOrganization(
        self, request: pb.SwitchOrganizationRequest, context: object
    ) -> pb.SwitchOrganizationResponse:
        """The session goes on in the other organization: it ends here, and there it ends no later than here."""
        principal, parts, account = signed_in(), self._parts, await self._own()
        org_id, user_id, session_id = principal.org_id, principal.user_id, principal.session_id
        users = await parts.accounts.users(account.id)
        user = next((one for one in users if one.org_id == request.organization_id), None)
        if user is None:
            raise NotFound("organization_not_found", "No such organization.")
        if user.org_id == org_id:
            raise FailedPrecondition("organization_current", "This session is in this organization already.")
        async with parts.database.transaction(org_id) as conn:
            began = await parts.sessions.take(conn, org_id, user_id, session_id, parts.clock.now())
            if began is None:
                raise Unauthenticated("invalid_credentials", "Log in again, or send a valid API key.")
            await append(conn, session_event("session.revoked", org_id, session_id, user_id))
            await conn.enter(user.org_id)
            login = await open_session(parts, conn, user, request.ip_address, request.user_agent, began)
        return pb.SwitchOrganizationResponse(login=login)

    async def _set_password(self, conn: Connection, account: Account, password_hash: str, keep_id: str = "") -> None:
        """The account has this password, no link and no subject of a provider opens it, and no session but one."""
        parts, now = self._parts, self._parts.clock.now()
        await parts.accounts.save_password(conn, account.id, password_hash, now)
        await parts.tokens.clear(conn, account.id)
        await parts.accounts.unlink(conn, account.id)
        await append(conn, unregistered_mail(MailTemplate.PASSWORD_CHANGED, account.email, account.id))
        users = await parts.accounts.users(account.id)
        await operations.end_everywhere(conn, parts.credentials, users, now, keep_id)


def _invalid_link() -> NotFound:
    return NotFound("account_link_invalid", "This link was used or has expired. Ask for a new one.")


def _no_account() -> PermissionDenied:
    return PermissionDenied("account_unknown", "No account has this address. Register, or ask to be invited.")
