"""Session tokens and API keys: their format, their lifetime, and what is stored of them.

A key reads `esx_<env>_<prefix>_<secret>`: the secret ends in a CRC-32 of all before it, so that a mistyped or
invented key is refused without a look at the database. Only SHA-256 of either is stored: 190 random bits need no salt.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from libs.text import trimmed

from .scopes import check_scopes

# How long an unused session lives.
SESSION_IDLE = timedelta(minutes=60)
# How long any session lives.
SESSION_CAP = timedelta(days=30)
# How long a token works after its session was given a new one, for requests that are on their way.
ROTATION_OVERLAP = timedelta(seconds=30)
# Maximum age of "last seen" and "last used": at most one write a minute, however often the credential is used.
TOUCH_EVERY = timedelta(seconds=60)
# Characters of a key's name.
KEY_NAME_MAX = 100
# Longest time that an old secret works after a rotation.
OVERLAP_MAX = timedelta(days=7)

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Base 62 digits of a CRC-32.
_CHECKSUM_LENGTH = 6
_KEY = re.compile(r"(esx_(?:live|test)_[0-9A-Za-z]{10})_[0-9A-Za-z]{32,64}", re.ASCII)
_TOKEN = re.compile(r"[0-9A-Za-z]{40,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    org_id: str
    user_id: str
    ip_address: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    token_hash: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: str
    org_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    version: int = 1
    key_hash: bytes = field(default=b"", repr=False)
    previous_hash: bytes | None = field(default=None, repr=False)
    previous_until: datetime | None = None


def hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def is_session_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def key_prefix(text: str) -> str | None:
    """The shown part of a well-formed key; None for any other text."""
    match = _KEY.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    return match[1]


def write_prefix(production: bool, random: str) -> str:
    return f"esx_{'live' if production else 'test'}_{random[:10]}"


def write_key(prefix: str, random: str) -> str:
    text = f"{prefix}_{random[:32]}"
    return text + _checksum(text)


def make_key(key: ApiKey, now: datetime) -> ApiKey:
    """The key with its name trimmed and its scopes without repetition; raises with every violation found."""
    key = replace(key, name=trimmed(key.name), scopes=check_scopes(key.scopes))
    found: list[Violation] = []
    if not key.name or len(key.name) > KEY_NAME_MAX or not key.name.isprintable():
        found.append(
            Violation("#/name", "invalid_format", f"Give the key a name of at most {KEY_NAME_MAX} characters.")
        )
    if key.expires_at is not None and key.expires_at <= now:
        found.append(Violation("#/expiresAt", "in_the_past", "Must be in the future."))
    if found:
        raise InvalidArgument("validation_failed", "The API key is not valid.", violations=found)
    return key


def rotate_key(key: ApiKey, secret: str, overlap_seconds: int, now: datetime) -> ApiKey:
    """The key under a new secret; the old one works until the overlap has passed."""
    if not 0 <= overlap_seconds <= OVERLAP_MAX.total_seconds():
        found = Violation("#/overlapSeconds", "out_of_range", "Must be between 0 and 604800 (7 days).")
        raise InvalidArgument("validation_failed", "The overlap is not valid.", violations=[found])
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise FailedPrecondition("api_key_ended", "This key was revoked or has expired. Create a new one.")
    return replace(
        key,
        key_hash=hashed(secret),
        previous_hash=key.key_hash if overlap_seconds else None,
        previous_until=now + timedelta(seconds=overlap_seconds) if overlap_seconds else None,
        version=key.version + 1,
    )


def _checksum(text: str) -> str:
    """CRC-32 in base 62, six characters."""
    number = binascii.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
