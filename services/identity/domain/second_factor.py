"""The second factor: time-based one-time passwords (RFC 6238) and recovery codes.

The defaults of the RFC, which all authenticators know: SHA-1, six digits, steps of 30 seconds. A code is good in its
own step and in those beside it, and once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

import pyotp

from suite.tables import RECOVERY_CODES_PER_ACCOUNT

# Seconds of a step, as the RFC recommends.
STEP_SECONDS = 30
# Steps before and after the present one that are taken, for clocks that differ. More: guesses meet more codes.
_STEPS_BESIDE = 1
# Codes that may be tried in all since the last right one (NIST SP 800-63B, 5.2.2). More: who knows the password and has
# time guesses a code; fewer: owners with a wrong clock are locked out.
MOST_TRIES = 100
# Of a recovery code; without i, l, o, 0 and 1, which look like others.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
# Letters of a recovery code. Its 79 bits need no salt and no slow hash.
_RECOVERY_LETTERS = 16
_CODE = re.compile(r"\d{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The factor of an account. It counts once it is enabled; `step` is that of the last code taken."""

    secret: str = field(default="", repr=False)
    enabled_at: datetime | None = None
    step: int = 0
    recovery_codes_left: int = 0

    @property
    def enabled(self) -> bool:
        return self.enabled_at is not None


def new_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32()


def otpauth_url(secret: str, email: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="EchoSenseiX")


def step_of_code(secret: str, code: str, after: int, now: datetime) -> int | None:
    """The step whose code this is, later than `after`; None for a wrong code and for one that was taken before."""
    if not _CODE.fullmatch(code) or not secret:
        return None
    present, one_time = int(now.timestamp()) // STEP_SECONDS, pyotp.HOTP(secret)
    found = None
    for step in range(present - _STEPS_BESIDE, present + _STEPS_BESIDE + 1):
        if hmac.compare_digest(one_time.at(step), code) and step > after:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Such as "k3mq-…": four groups of four letters and digits."""
    return [_recovery_code() for _ in range(RECOVERY_CODES_PER_ACCOUNT)]


def recovery_hash(code: str) -> bytes:
    """What is stored of a recovery code, whatever the case and the dashes it is typed with."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode()).digest()


def _recovery_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))
