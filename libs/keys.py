"""Named keys as settings write them: "kid=<base64>" in a comma list, or one bare base64 text, whose id is empty.

The first key makes (signs, encrypts), all check. An id in the form of `new_kid` tells when its key was made: how old it
is, and whether it is newer than the one that makes. It must not know what a key is for.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

_ENTRY = re.compile(r"(?:([^=,\s]+)=)?([A-Za-z0-9+/]+={0,2})")
_DATED = "%Y%m%dT%H%M%SZ"
# Bytes of a key that authenticates. Fewer could be guessed.
_LEAST_BYTES = 16

# States of a key: the one that makes; one that will; one that only checks until what it made has expired.
ACTIVE, PUBLISHED, RETIRING = "active", "published", "retiring"


@dataclass(frozen=True, slots=True)
class NamedKey:
    kid: str
    raw: bytes = field(repr=False)


def read_keys(entries: Iterable[str]) -> tuple[NamedKey, ...]:
    """The keys in their order; ValueError for an entry of another form, for two of one id, and for none."""
    found: dict[str, NamedKey] = {}
    for entry in entries:
        match = _ENTRY.fullmatch(entry)
        try:
            raw = base64.b64decode(match[2], validate=True) if match else b""
        except binascii.Error:
            raw = b""
        kid = (match[1] or "") if match else ""
        if not raw or kid in found:
            raise ValueError('a key is written "kid=<base64>", each id once')
        found[kid] = NamedKey(kid, raw)
    if not found:
        raise ValueError("at least one key is needed")
    return tuple(found.values())


def new_kid(now: datetime) -> str:
    """An id that tells when its key was made, to the second, in UTC."""
    return now.astimezone(UTC).strftime(_DATED)


def new_key() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def made_at(kid: str) -> datetime | None:
    """When the key was made; None for an id that does not tell. What stands before a slash names the key's owner."""
    try:
        return datetime.strptime(kid.rpartition("/")[2], _DATED).replace(tzinfo=UTC)
    except ValueError:
        return None


def states(kids: Sequence[str]) -> list[str]:
    """The state of each key of one list: the first is active, and a later one is published if it is newer."""
    if not kids:
        return []
    active = made_at(kids[0])

    def state(kid: str) -> str:
        made = made_at(kid)
        return PUBLISHED if made is not None and (active is None or made > active) else RETIRING

    return [ACTIVE, *map(state, kids[1:])]


class MacKeys:
    """Keys of HMAC-SHA-256: the first signs, all verify. `replace` exchanges them while others use them."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._derived: list[tuple[MacKeys, Callable[[bytes], bytes]]] = []
        self._keys = self._checked(keys)

    @classmethod
    def from_settings(cls, entries: Iterable[str]) -> "MacKeys":
        return cls(key.raw for key in read_keys(entries))

    def replace(self, entries: Iterable[str]) -> None:
        """Take the new value of the setting; ValueError leaves the keys as they were."""
        self._take(self._checked(key.raw for key in read_keys(entries)))

    def derived(self, derive: Callable[[bytes], bytes]) -> "MacKeys":
        """The keys of another purpose. They follow when these are replaced."""
        child = MacKeys(map(derive, self._keys))
        self._derived.append((child, derive))
        return child

    def for_purpose(self, purpose: bytes) -> "MacKeys":
        """Keys that sign nothing that another purpose would accept."""
        return self.derived(lambda key: hmac.digest(key, purpose, "sha256"))

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self._keys[0], message, "sha256")

    def signatures(self, message: bytes) -> list[bytes]:
        """By each key, the one that signs first."""
        return [hmac.digest(key, message, "sha256") for key in self._keys]

    def verify(self, message: bytes, signature: bytes, length: int = hashlib.sha256().digest_size) -> bool:
        """Whether one of the keys made the signature, which is cut to `length` bytes."""
        genuine = [hmac.compare_digest(made[:length], signature) for made in self.signatures(message)]
        return any(genuine)

    def _take(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        for child, derive in self._derived:
            child._take(tuple(map(derive, keys)))

    @staticmethod
    def _checked(keys: Iterable[bytes]) -> tuple[bytes, ...]:
        found = tuple(keys)
        if not found or any(len(key) < _LEAST_BYTES for key in found):
            raise ValueError(f"a key needs at least {_LEAST_BYTES} bytes")
        return found


def mac_keys(given: bytes | MacKeys) -> MacKeys:
    """One key, or keys that are replaced elsewhere."""
    return given if isinstance(given, MacKeys) else MacKeys((given,))
