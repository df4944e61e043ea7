"""Accounts: an e-mail address and its password, apart from the organizations whose user the account is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .people import User


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    email: str
    created_at: datetime
    updated_at: datetime
    password_hash: str = field(default="", repr=False)
    has_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """An account, and the user that it signs in as: the one of its last login, else its first."""

    account: Account
    user: User
