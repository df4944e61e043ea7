"""Tokens of an account: links that were mailed to it, and the first step of a login that needs a second. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta


class Purpose(enum.StrEnum):
    PASSWORD = "password"  # noqa: S105 the name of a purpose
    EMAIL = "email"
    LOGIN = "login"


# How long each works. Longer: a mailbox or a screen that is left open is good for longer.
LIFETIMES = {
    Purpose.PASSWORD: timedelta(hours=1),
    Purpose.EMAIL: timedelta(hours=24),
    Purpose.LOGIN: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True)
class AccountToken:
    """`new_email` is the address that an account will have once the link of that address is followed."""

    id: str
    account_id: str
    purpose: Purpose
    created_at: datetime
    expires_at: datetime
    new_email: str = ""


def new_token(token_id: str, account_id: str, purpose: Purpose, now: datetime, new_email: str = "") -> AccountToken:
    return AccountToken(token_id, account_id, purpose, now, now + LIFETIMES[purpose], new_email)
