"""Registrations that wait for their link, and the tokens of these links. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .people import Registration, email_key

# How long a link works.
LINK_LIFETIME = timedelta(hours=24)
_TOKEN = re.compile(r"(reg_[0-9a-z]{26})\.([0-9a-f]{64})", re.ASCII)
_PURPOSE = b"verification of an address"


@dataclass(frozen=True, slots=True)
class PendingRegistration:
    id: str
    asked: Registration
    created_at: datetime
    expires_at: datetime
    password_hash: str = field(repr=False)

    @property
    def place(self) -> str:
        """What stands for an organization while there is none: all registrations of one address share it."""
        return place_of(self.asked.email)


def place_of(email: str) -> str:
    return "reg_" + hashlib.sha256(email_key(email).encode()).hexdigest()[:40]


class VerificationLinks:
    """Signs `<registration id>.<hmac-sha256>`; nothing of it is stored, so that a stolen table opens no link."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def token(self, registration_id: str) -> str:
        return f"{registration_id}.{self._mac(registration_id)}"

    def registration_of(self, token: str) -> str:
        """The registration's id; empty for a token that is not ours."""
        match = _TOKEN.fullmatch(token)
        if match is None or not hmac.compare_digest(match[2], self._mac(match[1])):
            return ""
        return match[1]

    def _mac(self, registration_id: str) -> str:
        return hmac.new(self._key, registration_id.encode(), hashlib.sha256).hexdigest()
