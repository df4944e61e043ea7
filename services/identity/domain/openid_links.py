"""Subjects of OpenID providers that sign in as an account. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OpenIdLink:
    """`issuer` and `subject` together name the person at the provider (OpenID Connect Core 1.0, 5.7)."""

    issuer: str
    subject: str
    created_at: datetime
    disabled_at: datetime | None = None

    @property
    def id(self) -> str:
        """By which paths name it: a digest, because issuers are URLs."""
        return "oil_" + hashlib.sha256(f"{self.issuer}\x00{self.subject}".encode()).hexdigest()[:26]
