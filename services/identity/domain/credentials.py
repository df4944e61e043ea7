"""Session tokens and API keys: their lifetime, and what is stored of them. suite.credentials has their form.

Only SHA-256 of either is stored: 190 random bits need no salt.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
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
# Networks of a key's allow-list.
ADDRESSES_MAX = 50
# Longest time that an old secret works after a rotation.
OVERLAP_MAX = timedelta(days=7)


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
    # Networks in CIDR notation from which the key may be used; none: from anywhere.
    allowed_addresses: tuple[str, ...] = ()


def hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def make_key(key: ApiKey, now: datetime) -> ApiKey:
    """The key with its name trimmed and its scopes without repetition; raises with every violation found."""
    key, found = replace(key, name=trimmed(key.name)), list[Violation]()
    try:
        key = replace(key, scopes=check_scopes(key.scopes))
    except InvalidArgument as refusal:
        found += refusal.violations
    key = replace(key, allowed_addresses=_networks(key.allowed_addresses, found))
    if not key.name or len(key.name) > KEY_NAME_MAX or not key.name.isprintable():
        found.append(
            Violation("#/name", "invalid_format", f"Give the key a name of at most {KEY_NAME_MAX} characters.")
        )
    if key.expires_at is not None and key.expires_at <= now:
        found.append(Violation("#/expiresAt", "in_the_past", "Must be in the future."))
    if found:
        raise InvalidArgument("validation_failed", "The API key is not valid.", violations=found)
    return key


def _networks(asked: Sequence[str], found: list[Violation]) -> tuple[str, ...]:
    """In one spelling each, an address as the network of it alone; adds what is wrong to `found`."""
    if len(asked) > ADDRESSES_MAX:
        found.append(Violation("#/allowedAddresses", "too_many", f"At most {ADDRESSES_MAX} networks."))
        return ()
    networks = []
    for index, text in enumerate(asked):
        try:
            networks.append(str(ipaddress.ip_network(text.strip())))
        except ValueError:
            detail = "Must be an address or a network in CIDR notation without host bits, such as 203.0.113.0/24."
            found.append(Violation(f"#/allowedAddresses/{index}", "invalid_format", detail))
    return tuple(dict.fromkeys(networks))


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
