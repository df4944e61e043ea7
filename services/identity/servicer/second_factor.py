"""The second factor of an account: enrolment, its codes, and the second step of a login."""

from __future__ import annotations

from dataclasses import replace

from echosenseix.identity.v1 import accounts_pb2 as pb
from echosenseix.identity.v1 import accounts_pb2_grpc
from libs.crypto import random_token
from libs.errors import FailedPrecondition, PermissionDenied, Unauthenticated
from libs.events.outbox import append
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.times import to_timestamp
from services.identity import operations
from services.identity.domain.account_tokens import Purpose
from services.identity.domain.accounts import Account
from services.identity.domain.people import email_key
from services.identity.domain.second_factor import (
    MOST_TRIES,
    SecondFactor,
    new_recovery_codes,
    new_secret,
    otpauth_url,
    step_of_code,
)
from services.identity.mapping.events import unregistered_mail
from suite.mails import MailTemplate

from .parts import Parts, only_the_gateway, signed_in
from .signing_in import open_session


class SecondFactorMethods(accounts_pb2_grpc.AccountServiceServicer):
    """A part of AccountService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def GetSecondFactor(self, request: pb.GetSecondFactorRequest, context: object) -> pb.GetSecondFactorResponse:
        factor = await self._parts.factors.get((await self._own()).id)
        return pb.GetSecondFactorResponse(
            enabled=factor.enabled,
            enable_time=to_timestamp(factor.enabled_at),
            recovery_codes_left=factor.recovery_codes_left if factor.enabled else 0,
        )

    async def BeginSecondFactor(
        self, request: pb.BeginSecondFactorRequest, context: object
    ) -> pb.BeginSecondFactorResponse:
        principal, parts, account, secret = signed_in(), self._parts, await self._own(), new_secret()
        await self._require_password(account, request.password)

        async def act(conn: Connection) -> pb.BeginSecondFactorResponse:
            await conn.enter(account.id)
            _require(not (await parts.factors.lock(conn, account.id)).enabled)
            await parts.factors.save(conn, account.id, SecondFactor(secret))
            return pb.BeginSecondFactorResponse(secret=secret, otpauth_url=otpauth_url(secret, account.email))

        return await run_write(parts.database, principal.org_id, act, pb.BeginSecondFactorResponse, secret=True)

    async def ConfirmSecondFactor(
        self, request: pb.ConfirmSecondFactorRequest, context: object
    ) -> pb.ConfirmSecondFactorResponse:
        """From now on every login needs a code; sessions that were opened without one end, but this one."""
        principal, parts, account, now = signed_in(), self._parts, await self._own(), self._parts.clock.now()
        await parts.limits.second_factor(account.id)

        async def act(conn: Connection) -> pb.ConfirmSecondFactorResponse:
            await conn.enter(account.id)
            factor, codes = await parts.factors.lock(conn, account.id), new_recovery_codes()
            _require(not factor.enabled)
            step = step_of_code(factor.secret, request.code, factor.step, now)
            if step is None:
                raise _wrong_code()
            await parts.factors.save(conn, account.id, replace(factor, enabled_at=now, step=step))
            await parts.factors.replace_codes(conn, account.id, codes)
            await parts.factors.forget_tries(conn, account.id)
            await append(conn, unregistered_mail(MailTemplate.SECOND_FACTOR_ENABLED, account.email, account.id))
            users = await parts.accounts.users(account.id)
            await operations.end_everywhere(conn, parts.credentials, users, now, principal.session_id)
            return pb.ConfirmSecondFactorResponse(recovery_codes=codes)

        done = await run_write(parts.database, principal.org_id, act, pb.ConfirmSecondFactorResponse, secret=True)
        await parts.limits.second_factor_passed(account.id)
        return done

    async def ReplaceRecoveryCodes(
        self, request: pb.ReplaceRecoveryCodesRequest, context: object
    ) -> pb.ReplaceRecoveryCodesResponse:
        principal, parts, account = signed_in(), self._parts, await self._own()
        tries = await self._count_try(account, request.code)

        async def act(conn: Connection) -> pb.ReplaceRecoveryCodesResponse:
            codes = new_recovery_codes()
            await self._use_factor(conn, account.id, request.code, tries)
            await parts.factors.replace_codes(conn, account.id, codes)
            return pb.ReplaceRecoveryCodesResponse(recovery_codes=codes)

        done = await run_write(parts.database, principal.org_id, act, pb.ReplaceRecoveryCodesResponse, secret=True)
        await parts.limits.second_factor_passed(account.id)
        return done

    async def DisableSecondFactor(
        self, request: pb.DisableSecondFactorRequest, context: object
    ) -> pb.DisableSecondFactorResponse:
        principal, parts, account = signed_in(), self._parts, await self._own()
        tries = await self._count_try(account, request.code)

        async def act(conn: Connection) -> pb.DisableSecondFactorResponse:
            await self._use_factor(conn, account.id, request.code, tries)
            await parts.factors.save(conn, account.id, SecondFactor())
            await parts.factors.replace_codes(conn, account.id, [])
            await append(conn, unregistered_mail(MailTemplate.SECOND_FACTOR_DISABLED, account.email, account.id))
            return pb.DisableSecondFactorResponse()

        done = await run_write(parts.database, principal.org_id, act, pb.DisableSecondFactorResponse)
        await parts.limits.second_factor_passed(account.id)
        return done

    async def VerifySecondFactor(
        self, request: pb.VerifySecondFactorRequest, context: object
    ) -> pb.VerifySecondFactorResponse:
        only_the_gateway()
        parts, now = self._parts, self._parts.clock.now()
        await parts.limits.verify("code", request.ip_address)
        token_id = parts.token_links[Purpose.LOGIN].id_of(request.challenge)
        account_id = await parts.tokens.place(token_id, Purpose.LOGIN, now) if token_id else None
        known = await parts.accounts.by_id(account_id) if account_id else None
        if known is None or account_id is None:
            raise _invalid_challenge()
        tries = await self._count_try(known.account, request.code)
        async with parts.database.transaction(account_id) as conn:
            if await parts.accounts.lock(conn, account_id) is None:
                raise _invalid_challenge()
            await self._use_factor(conn, account_id, request.code, tries)
            if await parts.tokens.take(conn, account_id, token_id, Purpose.LOGIN, now) is None:
                raise _invalid_challenge()
            await conn.enter(known.user.org_id)
            login = await open_session(parts, conn, known.user, request.ip_address, request.user_agent)
        await parts.limits.second_factor_passed(account_id)
        key = email_key(known.account.email)
        device = parts.devices.device_of(request.device_token, key) or random_token()[:16]
        login.device_token = parts.devices.token(device, key)
        return pb.VerifySecondFactorResponse(login=login)

    async def _count_try(self, account: Account, code: str) -> int:
        """Count one code before it is used, so that many at once cannot slip past: in a window and in all. A wrong one
        that reaches the bound tells the owner. How many there were since the last right one. In a transaction of its
        own, because a wrong code undoes the one that uses it; a try is no write that an audit log has."""
        parts = self._parts
        await parts.limits.second_factor(account.id)
        async with parts.database.transaction(account.id, audited=False) as conn:
            tries = await parts.factors.count_try(conn, account.id)
            if tries == MOST_TRIES and not await self._is_right(conn, account.id, code):
                mail = unregistered_mail(MailTemplate.SECOND_FACTOR_LOCKED, account.email, account.id)
                await append(conn, mail)
        return tries

    async def _is_right(self, conn: Connection, account_id: str, code: str) -> bool:
        """Whether the code would be taken now. Uses nothing up."""
        factors = self._parts.factors
        factor = await factors.lock(conn, account_id)
        step = step_of_code(factor.secret, code, factor.step, self._parts.clock.now())
        return step is not None or await factors.has_code(conn, account_id, code)

    async def _use_factor(self, conn: Connection, account_id: str, code: str, tries: int) -> None:
        """Take a code of the authenticator or a recovery code; each is taken once. Beyond the bound of tries a recovery
        code alone is right: it cannot be guessed. Goes on as the account."""
        parts = self._parts
        await conn.enter(account_id)
        factor = await parts.factors.lock(conn, account_id)
        _require(factor.enabled)
        is_open = tries <= MOST_TRIES
        step = step_of_code(factor.secret, code, factor.step, parts.clock.now()) if is_open else None
        if step is not None:
            await parts.factors.note_step(conn, account_id, step)
        elif not await parts.factors.use_code(conn, account_id, code):
            raise _wrong_code() if is_open else _locked()
        await parts.factors.forget_tries(conn, account_id)

    async def _own(self) -> Account:
        """The account of the session."""
        principal = signed_in()
        user = await self._parts.members.get(principal.org_id, principal.user_id)
        return await self._parts.accounts.get(user.account_id)

    async def _require_password(self, account: Account, password: str) -> None:
        """A session alone changes nothing that outlives it: who sits at the screen may be another person."""
        await self._parts.limits.confirm(account.id)
        if not await self._parts.passwords.matches(account.password_hash, password):
            raise PermissionDenied("wrong_password", "The current password is wrong.")


def _require(as_needed: bool) -> None:
    if not as_needed:
        raise FailedPrecondition("second_factor_state", "The second factor is on already, or it is off.")


def _wrong_code() -> PermissionDenied:
    return PermissionDenied("wrong_code", "This code is wrong, was used before, or has expired.")


def _locked() -> PermissionDenied:
    return PermissionDenied(
        "second_factor_locked",
        "Too many wrong codes. Use a recovery code, or set a new password by mail: someone may know this one.",
    )


def _invalid_challenge() -> Unauthenticated:
    return Unauthenticated("challenge_invalid", "Sign in again with the password.")
