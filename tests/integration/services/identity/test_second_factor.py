"""The second factor: enrolment, codes that are taken once, recovery codes, limits, and the second step of a login."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pyotp
import pytest

from echosenseix.identity.v1 import accounts_pb2 as pb
from echosenseix.identity.v1 import identity_pb2
from libs.crypto import DecryptionError
from libs.errors import (
    AlreadyExists,
    FailedPrecondition,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)
from services.identity.domain.account_tokens import LIFETIMES, Purpose
from services.identity.domain.accounts import Login
from services.identity.domain.second_factor import MOST_TRIES, STEP_SECONDS
from services.identity.login_limits import ACCOUNT_TRIES
from suite.tables import RECOVERY_CODES_PER_ACCOUNT

from .conftest import Member, Service, acting, as_gateway, principal_of
from .test_members import VIEWER, remove
from .test_own_account import NEW, forget, reset


class Authenticator:
    """An application on a phone, on the clock of the service."""

    def __init__(self, service: Service, secret: str) -> None:
        self._service = service
        self._otp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        return self._otp.at(self._service.clock.now(), counter_offset=steps)

    def fresh(self) -> str:
        """The code of a step of which none was taken."""
        self._service.clock.advance(STEP_SECONDS * 2)
        return self.code()


async def enrolled(service: Service) -> tuple[Member, Authenticator, list[str]]:
    member = await service.member()
    phone = Authenticator(service, (await service.begin_factor(member)).secret)
    return member, phone, await service.confirm_factor(member, phone.code())


async def challenge(service: Service, member: Member) -> str:
    answer = await service.login(member.user.email)
    assert (answer.token, answer.device_token, answer.HasField("user")) == ("", "", False)
    return answer.challenge


async def verify(service: Service, proof: str, code: str) -> identity_pb2.LoginResponse:
    with as_gateway():
        request = pb.VerifySecondFactorRequest(challenge=proof, code=code, user_agent="tests/2")
        return (await service.accounts.VerifySecondFactor(request, None)).login


async def state(service: Service, member: Member) -> pb.GetSecondFactorResponse:
    with acting(member.principal):
        return await service.accounts.GetSecondFactor(pb.GetSecondFactorRequest(), None)


async def disable(service: Service, member: Member, code: str) -> None:
    with acting(member.principal):
        await service.accounts.DisableSecondFactor(pb.DisableSecondFactorRequest(code=code), None)


async def replace_codes(service: Service, member: Member, code: str) -> list[str]:
    with acting(member.principal):
        answer = await service.accounts.ReplaceRecoveryCodes(pb.ReplaceRecoveryCodesRequest(code=code), None)
    return list(answer.recovery_codes)


async def test_codes_have_a_bound_in_all_whatever_the_windows_and_a_recovery_code_opens_it(service: Service) -> None:
    member, phone, codes = await enrolled(service)
    tried = 0

    async def wrong() -> str:
        """One wrong code in a new window, from anywhere, under a new challenge; the reason of its refusal."""
        nonlocal tried
        await service.limiter.forget(f"factor:{await account_of(service, member)}", "")
        await service.limiter.forget("verify:code:unknown", "")
        tried += 1
        with pytest.raises(PermissionDenied) as refused:
            await verify(service, await challenge(service, member), "000000")
        return refused.value.reason

    reasons = [await wrong() for _ in range(MOST_TRIES + 3)]
    assert reasons == ["wrong_code"] * MOST_TRIES + ["second_factor_locked"] * 3
    assert tried == MOST_TRIES + 3
    await service.limiter.forget(f"factor:{await account_of(service, member)}", "")
    # The right code is refused now, in a login and by a session.
    for act in (disable(service, member, phone.fresh()), replace_codes(service, member, phone.fresh())):
        with pytest.raises(PermissionDenied, match="second_factor_locked"):
            await act
    with pytest.raises(PermissionDenied, match="second_factor_locked"):
        await verify(service, await challenge(service, member), phone.fresh())
    assert await told_of_a_lock(service, member) == 1
    assert (await verify(service, await challenge(service, member), codes[0])).token
    assert (await verify(service, await challenge(service, member), phone.fresh())).token
    assert await wrong() == "wrong_code"


async def test_a_password_that_is_reset_by_mail_opens_a_locked_factor(service: Service) -> None:
    member, phone, _ = await enrolled(service)
    account = await account_of(service, member)
    await set_tries(service, account, MOST_TRIES)
    with pytest.raises(PermissionDenied, match="second_factor_locked"):
        await verify(service, await challenge(service, member), phone.fresh())
    await forget(service, member.user.email)
    await reset(service, await service.token(member.user.email))
    proof = (await service.login(member.user.email, NEW)).challenge
    assert (await verify(service, proof, phone.fresh())).token


async def tries_of(service: Service, account: str) -> int:
    sql = "select a.factor_tries from account a where a.org_id = $1"
    return int(await service.database.system_fetchval(sql, account))


async def set_tries(service: Service, account: str, tries: int) -> None:
    async with service.database.transaction(account) as conn:
        await conn.execute("update account a set factor_tries = $2 where a.org_id = $1", account, tries)


async def told_of_a_lock(service: Service, member: Member) -> int:
    return [mail["template"] for mail in await service.mails(member.user.email)].count("second_factor.locked")


async def test_codes_that_are_tried_before_a_factor_exists_use_nothing_up(service: Service) -> None:
    member = await service.member()
    account = await account_of(service, member)
    phone = Authenticator(service, (await service.begin_factor(member)).secret)
    for act in (disable, replace_codes):
        with pytest.raises(FailedPrecondition, match="second_factor_state"):
            await act(service, member, "000000")
    assert await tries_of(service, account) == 0
    # Tries of a former factor, or of a release that counted without one.
    await set_tries(service, account, MOST_TRIES)
    await service.confirm_factor(member, phone.code())
    assert await tries_of(service, account) == 0
    assert (await verify(service, await challenge(service, member), phone.fresh())).token


@pytest.mark.parametrize("by_phone", [True, False])
async def test_a_right_code_as_the_last_try_locks_nothing_and_tells_no_one(service: Service, by_phone: bool) -> None:
    member, phone, codes = await enrolled(service)
    account = await account_of(service, member)
    await set_tries(service, account, MOST_TRIES - 1)
    code = phone.fresh() if by_phone else codes[0]
    assert (await verify(service, await challenge(service, member), code)).token
    assert (await tries_of(service, account), await told_of_a_lock(service, member)) == (0, 0)


async def test_the_last_try_counts_only_together_with_its_mail(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, _, _ = await enrolled(service)
    account, proof = await account_of(service, member), await challenge(service, member)
    await set_tries(service, account, MOST_TRIES - 1)

    async def fails(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr("services.identity.servicer.second_factor.append", fails)
        with pytest.raises(ConnectionResetError):
            await verify(service, proof, "000000")
    assert (await tries_of(service, account), await told_of_a_lock(service, member)) == (MOST_TRIES - 1, 0)
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await verify(service, proof, "000000")
    assert (await tries_of(service, account), await told_of_a_lock(service, member)) == (MOST_TRIES, 1)


async def test_many_codes_at_once_are_counted_each(service: Service) -> None:
    member, _, _ = await enrolled(service)
    account, proof = await account_of(service, member), await challenge(service, member)
    found = await asyncio.gather(*(verify(service, proof, "000000") for _ in range(8)), return_exceptions=True)
    assert all(isinstance(one, PermissionDenied) for one in found)
    assert await tries_of(service, account) == 8


async def account_of(service: Service, member: Member) -> str:
    sql = "select u.account_id from app_user u where u.id = $1"
    return str(await service.database.system_fetchval(sql, member.user.id))


async def test_a_login_needs_a_code_once_a_first_one_was_confirmed(service: Service) -> None:
    member = await service.member()
    other = (await service.login(member.user.email)).token
    begun = await service.begin_factor(member)
    assert begun.otpauth_url.startswith("otpauth://totp/EchoSenseiX:")
    assert f"secret={begun.secret}" in begun.otpauth_url
    assert (await service.login(member.user.email)).token
    phone = Authenticator(service, begun.secret)
    codes = await service.confirm_factor(member, phone.code())
    assert len(set(codes)) == RECOVERY_CODES_PER_ACCOUNT
    with pytest.raises(Unauthenticated):
        await service.who(token=other)
    await service.who(token=member.token)
    proof = await challenge(service, member)
    with pytest.raises(Unauthenticated):
        await service.who(token=proof)
    login = await verify(service, proof, phone.fresh())
    assert (login.user.id, (await service.who(token=login.token)).user_id) == (member.user.id, member.user.id)
    assert login.device_token
    found = await state(service, member)
    assert (found.enabled, found.recovery_codes_left) == (True, RECOVERY_CODES_PER_ACCOUNT)


async def test_a_wrong_password_tells_nothing_of_the_second_factor(service: Service) -> None:
    member, _, _ = await enrolled(service)
    with pytest.raises(Unauthenticated, match="wrong_credentials"):
        await service.login(member.user.email, "not the password")


async def test_a_code_is_taken_once_also_at_once(service: Service) -> None:
    member, phone, _ = await enrolled(service)
    code, proofs = phone.fresh(), [await challenge(service, member) for _ in range(3)]
    ends = await asyncio.gather(*(verify(service, proof, code) for proof in proofs), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["LoginResponse", "PermissionDenied", "PermissionDenied"]
    service.clock.advance(STEP_SECONDS)
    # The step before is still within the tolerance, and its code was taken.
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await verify(service, await challenge(service, member), code)


async def test_clocks_may_differ_by_one_step_and_not_by_two(service: Service) -> None:
    member, phone, _ = await enrolled(service)
    service.clock.advance(STEP_SECONDS * 10)
    for steps in (-2, 2):
        with pytest.raises(PermissionDenied, match="wrong_code"):
            await verify(service, await challenge(service, member), phone.code(steps))
    for steps in (-1, 0, 1):
        assert (await verify(service, await challenge(service, member), phone.code(steps))).token


async def test_the_vectors_of_the_rfc(service: Service) -> None:
    """RFC 6238, appendix B, SHA-1: the last six of its eight digits."""
    from datetime import UTC, datetime

    from services.identity.domain.second_factor import step_of_code

    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, digits in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert step_of_code(secret, digits, 0, datetime.fromtimestamp(seconds, UTC)) == seconds // 30


async def test_a_recovery_code_replaces_the_phone_once(service: Service) -> None:
    member, _, codes = await enrolled(service)
    typed = codes[0].upper().replace("-", " ")
    assert (await verify(service, await challenge(service, member), typed)).token
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await verify(service, await challenge(service, member), codes[0])
    assert (await state(service, member)).recovery_codes_left == RECOVERY_CODES_PER_ACCOUNT - 1
    fresh = await replace_codes(service, member, codes[1])
    assert not set(fresh) & set(codes)
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await verify(service, await challenge(service, member), codes[2])
    assert (await verify(service, await challenge(service, member), fresh[0])).token


async def test_neither_secret_nor_recovery_code_is_stored_readably(service: Service) -> None:
    member = await service.member()
    begun = await service.begin_factor(member)
    codes = await service.confirm_factor(member, Authenticator(service, begun.secret).code())
    for table in ("account", "recovery_code", "account_token", "outbox", "idempotency"):
        rows = await service.database.system_fetch(f"select t::text as row from {table} t")
        text = "".join(row["row"] for row in rows)
        assert begun.secret not in text
        assert not any(code in text or code.replace("-", "") in text for code in codes)
    account = (await service.members._parts.members.get(member.user.organization_id, member.user.id)).account_id
    other = await service.member()
    stranger = (await service.members._parts.members.get(other.user.organization_id, other.user.id)).account_id
    async with service.database.system_transaction() as conn:
        await conn.execute(
            "update account a set totp_secret = (select b.totp_secret from account b where b.org_id = $1) "
            "where a.org_id = $2",
            account, stranger,
        )  # fmt: skip
    with pytest.raises(DecryptionError):
        await service.accounts._parts.factors.get(stranger)


async def test_a_challenge_works_once_expires_and_belongs_to_its_account(service: Service) -> None:
    member, phone, codes = await enrolled(service)
    _, theirs, _ = await enrolled(service)
    proof = await challenge(service, member)
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await verify(service, proof, theirs.fresh())
    await verify(service, proof, phone.fresh())
    late = await challenge(service, member)
    service.clock.advance(LIFETIMES[Purpose.LOGIN].total_seconds() + 1)
    for used in (proof, late, "", "\x00", proof[:-1]):
        with pytest.raises(Unauthenticated, match="challenge_invalid"):
            await verify(service, used, codes[0])


@pytest.mark.parametrize("organizations", [1, 2])
async def test_a_user_that_is_removed_at_its_second_step_gets_no_session(
    service: Service, monkeypatch: pytest.MonkeyPatch, organizations: int
) -> None:
    """With its last user the account goes; with another one the next try signs in as that."""
    owners = [await service.member() for _ in range(organizations)]
    member = await service.join(owners[0], VIEWER)
    for owner in owners[1:]:
        await service.join(owner, VIEWER, member.user.email)
    phone = Authenticator(service, (await service.begin_factor(member)).secret)
    await service.confirm_factor(member, phone.code())
    proof, code = await challenge(service, member), phone.fresh()
    accounts = service.accounts._parts.accounts
    read = accounts.by_id

    async def read_and_remove(account_id: str) -> Login | None:
        found = await read(account_id)
        await remove(service, owners[0].principal, member.user.id)
        return found

    monkeypatch.setattr(accounts, "by_id", read_and_remove)
    with pytest.raises(Unauthenticated):
        await verify(service, proof, code)
    monkeypatch.undo()
    if organizations == 1:
        with pytest.raises(Unauthenticated, match="challenge_invalid"):
            await verify(service, proof, code)
    else:
        assert (await verify(service, proof, code)).user.organization_id == owners[1].user.organization_id


async def test_an_account_takes_ten_codes(service: Service) -> None:
    member, phone, _ = await enrolled(service)
    proof = await challenge(service, member)
    tries = [verify(service, proof, f"{number:06d}") for number in range(25)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, PermissionDenied) for end in ends) == ACCOUNT_TRIES
    assert sum(isinstance(end, ResourceExhausted) for end in ends) == 25 - ACCOUNT_TRIES
    with pytest.raises(ResourceExhausted, match="too_many_attempts"):
        await verify(service, proof, phone.fresh())


async def test_a_right_code_gives_the_tries_back(service: Service) -> None:
    member, phone, _ = await enrolled(service)
    for _ in range(3):
        for _ in range(ACCOUNT_TRIES - 1):
            with pytest.raises(PermissionDenied):
                await verify(service, await challenge(service, member), "000000")
        assert (await verify(service, await challenge(service, member), phone.fresh())).token


async def test_enrolment_needs_the_password_and_disabling_a_code(service: Service) -> None:
    member = await service.member()
    with pytest.raises(PermissionDenied, match="wrong_password"):
        await service.begin_factor(member, "not the password")
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await service.confirm_factor(member, "000000")
    with pytest.raises(FailedPrecondition, match="second_factor_state"):
        await disable(service, member, "000000")
    phone = Authenticator(service, (await service.begin_factor(member)).secret)
    await service.confirm_factor(member, phone.code())
    again: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: service.begin_factor(member),
        lambda: service.confirm_factor(member, phone.fresh()),
    )
    for refused in again:
        with pytest.raises(FailedPrecondition, match="second_factor_state"):
            await refused()
    with pytest.raises(PermissionDenied, match="wrong_code"):
        await disable(service, member, "000000")
    await disable(service, member, phone.fresh())
    assert not (await state(service, member)).enabled
    assert (await service.login(member.user.email)).token
    told = [mail["template"] for mail in await service.mails(member.user.email)]
    assert told == ["second_factor.enabled", "second_factor.disabled"]


async def test_the_codes_are_shown_once(service: Service) -> None:
    member = await service.member()
    phone = Authenticator(service, (await service.begin_factor(member)).secret)
    await service.confirm_factor(member, phone.code(), key="k")
    with pytest.raises(AlreadyExists, match="secret_already_shown"):
        await service.confirm_factor(member, phone.code(), key="k")


async def test_a_new_password_leaves_the_second_factor_on(service: Service) -> None:
    from .test_own_account import NEW, forget, reset

    member, _, codes = await enrolled(service)
    await forget(service, member.user.email)
    await reset(service, await service.token(member.user.email))
    answer = await service.login(member.user.email, NEW)
    assert (answer.token, bool(answer.challenge)) == ("", True)
    login = await verify(service, answer.challenge, codes[0])
    principal = principal_of(await service.who(token=login.token))
    assert principal.user_id == member.user.id
