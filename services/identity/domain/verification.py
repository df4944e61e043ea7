"""Registrations that wait for their link. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .people import Registration, email_key

# How long a link works.
LINK_LIFETIME = timedelta(hours=24)


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
