"""How often one may try to log in: by account and by address, counted in Redis over all instances.

A try is counted before the password is looked at, so that many at once cannot slip past; a right password gives its
tries back. Unknown accounts are counted like known ones, or the limit would tell which exist.
"""

from __future__ import annotations

import hashlib

from libs.errors import ResourceExhausted
from libs.ratelimit import RateLimiter

ACCOUNT_TRIES = 10
ADDRESS_TRIES = 100
WINDOW_SECONDS = 15 * 60


class LoginLimits:
    def __init__(self, limiter: RateLimiter, *, lifted: bool) -> None:
        self._limiter = limiter
        self._lifted = lifted

    async def take(self, email_key: str, ip_address: str) -> None:
        """Count one try; raises ResourceExhausted("too_many_attempts") when there were too many."""
        if self._lifted:
            return
        for key, tries in self._keys(email_key, ip_address):
            decision = await self._limiter.check(key, tries, WINDOW_SECONDS)
            if not decision.allowed:
                detail = "Too many attempts to log in. Wait, then try again."
                raise ResourceExhausted("too_many_attempts", detail, retry_after=decision.reset_seconds)

    async def give_back(self, email_key: str, ip_address: str) -> None:
        """The password was right: forget the account's tries, and this one of the address."""
        if not self._lifted:
            account, *address = self._keys(email_key, ip_address)
            await self._limiter.forget(account[0])
            for key, _ in address:
                await self._limiter.give_back(key)

    def _keys(self, email_key: str, ip_address: str) -> list[tuple[str, int]]:
        account = hashlib.sha256(email_key.encode()).hexdigest()[:32]
        keys = [(f"login:account:{account}", ACCOUNT_TRIES)]
        return [*keys, (f"login:address:{ip_address[:64]}", ADDRESS_TRIES)] if ip_address else keys
