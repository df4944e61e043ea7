"""How often one may try to sign in or to register: by address, by account and over all, counted in Redis.

A try is counted before a password is hashed, so that many at once cannot slip past, and under all limits or under
none: a blocked address cannot exhaust an account's limit. Unknown accounts are counted like known ones, or the
limit would tell which exist. A device from which the account signed in before has a lane of its own, so that other
clients who try the account do not lock its owner out (OWASP: device cookies).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from libs.addresses import address_prefix
from libs.errors import ResourceExhausted
from libs.ratelimit import Limit, RateLimiter

# Tries of one account in a window. Fewer: owners lock themselves out. More: faster guessing.
ACCOUNT_TRIES = 10
# Tries of one address in a window. An office shares one address.
ADDRESS_TRIES = 100
# Steps of sign-ins with OpenID of one address in a window. One sign-in takes two, and an office signs in within
# minutes.
OPENID_STEPS = 300
# An office behind one address registers a few people; a script registers thousands.
ADDRESS_REGISTRATIONS = 60
# Registrations and repeated mails of one e-mail address in a window.
EMAIL_REGISTRATIONS = 5
# Mails of invitations to one e-mail address in a window, so that no mailbox is flooded.
EMAIL_INVITATIONS = 5
# Registrations in a window over all addresses: what the hashing threads can bear with room for logins.
ALL_REGISTRATIONS = 600
# Seconds of the window of all limits.
WINDOW_SECONDS = 15 * 60


# What an address proves something with. Each has a counter of its own, so that none uses up another one.
Proof = Literal["registration", "invitation", "password", "email", "code", "openid"]


@dataclass(frozen=True, slots=True)
class Try:
    """One counted try to sign in, which a right password takes back."""

    lane: str
    keys: tuple[str, ...]
    source: str
    member: str


class LoginLimits:
    def __init__(self, limiter: RateLimiter, *, lifted: bool) -> None:
        self._limiter = limiter
        self._lifted = lifted

    async def sign_in(self, email_key: str, ip_address: str, device: str = "") -> Try:
        """Count one try; raises ResourceExhausted("too_many_attempts") when there were too many. `device` is the id of
        a device of this account that has proved itself, or empty."""
        account, source = _digest(email_key), address_prefix(ip_address)
        lane = f"login:device:{account}:{device}" if device else f"login:account:{account}"
        limits = [Limit(lane, ACCOUNT_TRIES, WINDOW_SECONDS)]
        if source:
            limits.insert(0, Limit(f"login:address:{source}", ADDRESS_TRIES, WINDOW_SECONDS))
        member = await self._take(limits, source, "Too many attempts to sign in. Wait, then try again.")
        return Try(lane, tuple(limit.key for limit in limits), source, member)

    async def signed_in(self, counted: Try) -> None:
        """After a correct password: delete this address's tries on this account, and this one try of the address."""
        if not self._lifted:
            await self._limiter.forget(counted.lane, counted.source)
            await self._limiter.give_back([key for key in counted.keys if key != counted.lane], counted.member)

    async def register(self, ip_address: str, email_key: str) -> None:
        """Count one registration, or one more mail of it; raises ResourceExhausted("too_many_attempts"). The e-mail
        address is counted whether it is taken or not, so that no mailbox is flooded."""
        limits = [
            Limit("register:all", ALL_REGISTRATIONS, WINDOW_SECONDS),
            Limit(f"register:mail:{_digest(email_key)}", EMAIL_REGISTRATIONS, WINDOW_SECONDS),
        ]
        if source := address_prefix(ip_address):
            limits.insert(0, Limit(f"register:address:{source}", ADDRESS_REGISTRATIONS, WINDOW_SECONDS))
        await self._take(limits, source, "Too many registrations. Wait, then try again.")

    async def reset(self, ip_address: str, email_key: str) -> None:
        """Count one request for a mail about an account; raises ResourceExhausted("too_many_attempts"). The e-mail
        address is counted whether it has an account or not."""
        limits = [Limit(f"reset:mail:{_digest(email_key)}", EMAIL_REGISTRATIONS, WINDOW_SECONDS)]
        if source := address_prefix(ip_address):
            limits.insert(0, Limit(f"reset:address:{source}", ADDRESS_REGISTRATIONS, WINDOW_SECONDS))
        await self._take(limits, source, "Too many mails were asked for. Wait, then try again.")

    async def confirm(self, account_id: str) -> None:
        """Count one password that a signed-in user repeats; raises ResourceExhausted("too_many_attempts")."""
        limits = [Limit(f"confirm:{account_id}", ACCOUNT_TRIES, WINDOW_SECONDS)]
        await self._take(limits, "", "Too many passwords were tried. Wait, then try again.")

    async def second_factor(self, account_id: str) -> None:
        """Count one code; raises ResourceExhausted("too_many_attempts"). Ten in a window of a million codes."""
        limits = [Limit(f"factor:{account_id}", ACCOUNT_TRIES, WINDOW_SECONDS)]
        await self._take(limits, "", "Too many codes were tried. Wait, then try again.")

    async def second_factor_passed(self, account_id: str) -> None:
        """After a right code: count none of its account any more."""
        if not self._lifted:
            await self._limiter.forget(f"factor:{account_id}", "")

    async def invite(self, email_key: str) -> None:
        """Count one mail of an invitation to this address, by all organizations; raises
        ResourceExhausted("too_many_attempts")."""
        limits = [Limit(f"invite:mail:{_digest(email_key)}", EMAIL_INVITATIONS, WINDOW_SECONDS)]
        await self._take(limits, "", "This address was mailed several invitations. Wait, then try again.")

    async def verify(self, proof: Proof, ip_address: str) -> None:
        """Count one followed link, code or step of OpenID; raises ResourceExhausted("too_many_attempts")."""
        source, most = address_prefix(ip_address), OPENID_STEPS if proof == "openid" else ADDRESS_TRIES
        limits = [Limit(f"verify:{proof}:{source or 'unknown'}", most, WINDOW_SECONDS)]
        await self._take(limits, source, "Too many attempts from this address. Wait, then try again.")

    async def _take(self, limits: Sequence[Limit], source: str, detail: str) -> str:
        if self._lifted:
            return ""
        decision = await self._limiter.take(limits, source)
        if not decision.allowed:
            raise ResourceExhausted("too_many_attempts", detail, retry_after=decision.reset_seconds)
        return decision.member


def _digest(email_key: str) -> str:
    return hashlib.sha256(email_key.encode()).hexdigest()[:32]
