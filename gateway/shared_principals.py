"""Principals that any gateway has looked up, for all of them: the class `session` of libs.cache.classes.

Stands between gateway.principals and identity. A value in Redis is signed, so that who can write there cannot make a
principal, and it names its credential, so that none can be put in another's place. identity's triggers tell of every
change by the hash of the credential (services/identity/storage/migrations). A gateway that was told of a change takes
no value from before it, should one be put back.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from gateway.principals import Credential, Found
from libs.cache import Memory
from libs.cache.classes import SESSION
from libs.cache.process import Caches
from libs.cache.spec import CacheClass
from libs.cache.store import service_tag
from libs.cache.values import Codec, Loaded, Place, Source
from libs.keys import MacKeys
from libs.rpc.principal import Principal
from suite.roles import FINGERPRINT

# Seconds that a change through this gateway is remembered: longer than a principal outlives its change anywhere.
_DOUBTED_SECONDS = SESSION.bound_seconds + 0.2
# Changed credentials in memory, each for the TTL. More changes forget the oldest; 300 B each.
_CHANGED = 50_000
# Bytes of a value's signature: 128 bits.
_MAC_BYTES = 16
# Lifetimes vary by a tenth; this share of what is left never ends after it.
_SURELY_ALIVE = 0.9


@dataclass(frozen=True, slots=True)
class _Kept:
    """In seconds since 1970: `begun` is when identity was asked, `until` when the session or key ends."""

    credential: str
    principal: Principal
    begun: float
    until: float


def _format(roles: str) -> str:
    """Names the fields of a value and the table of roles, so that releases with others keep their own: the rights that
    a release takes away end with it."""
    return hashlib.sha256(msgspec.json.encode((msgspec.json.schema(_Kept), roles))).hexdigest()[:16]


_FORMAT = _format(FINGERPRINT)


class SharedPrincipals:
    """A Lookup of gateway.principals. `forget` makes the next look-ups of a changed id ask identity."""

    def __init__(
        self,
        lookup: Callable[[Credential], Awaitable[Found]],
        caches: Caches,
        kind: CacheClass,
        keys: MacKeys,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._lookup = lookup
        self._now = now
        # When this gateway was told that a credential changed, by its digest.
        self._changed: Memory[str, float] = Memory("credentials_changed", max_entries=_CHANGED)
        # The same of all at once, which is told of an organization.
        self._all_changed = 0.0
        self._services = frozenset(map(service_tag, kind.services))
        caches.subscribe(self._note_changes)
        self._cache = caches.open(kind, _codec(keys, self._require_current))
        self._doubted: Memory[str, bool] = Memory("principals_changed", max_entries=10_000)

    async def __call__(self, credential: Credential) -> tuple[Principal, float]:
        if credential.organization_id or not credential.is_well_formed:
            # The right to act in a customer's organization has further causes, which no trigger tells of.
            return await self.unshared(credential)
        digest = hashlib.sha256(credential.secret.encode()).hexdigest()
        kind = "key" if credential.is_api_key else "session"
        place = Place(f"{kind}:{_FORMAT}:{digest}", self._cache.kind.tags("", digest))
        found: Found | None = None

        async def load() -> Loaded[_Kept]:
            nonlocal found
            begun = self._now()
            found = await self._lookup(credential)
            lives = min(found.lives_seconds, self._cache.kind.ttl_seconds)
            kept = _Kept(place.key, found.principal, begun, self._now() + lives)
            return Loaded(kept, ttl_seconds=lives * _SURELY_ALIVE if found.is_shared else 0.0)

        answer = await self._cache.get(place, load)
        kept, lives = answer.value, answer.value.until - self._now()
        if kept.credential != place.key or lives <= 0 or self._is_doubted(kept.principal):
            return await self.unshared(credential)
        if found is not None and answer.source is Source.MISS:
            # It was looked up here, so it is worth what it is worth without Redis.
            return found.principal, found.lives_seconds
        return kept.principal, min(lives, answer.left_seconds)

    async def unshared(self, credential: Credential) -> tuple[Principal, float]:
        """The same from identity alone."""
        found = await self._lookup(credential)
        return found.principal, found.lives_seconds

    def forget(self, changed_id: str) -> None:
        """A session, API key or user was changed through this gateway."""
        self._doubted.put(changed_id, True, _DOUBTED_SECONDS)

    def _note_changes(self, tags: Sequence[str]) -> None:
        for tag in tags:
            entity, _, digest = tag.partition("::")
            if tag in self._services:
                self._all_changed = self._now()
            elif entity in self._cache.kind.entities:
                self._changed.put(digest, self._now(), self._cache.kind.ttl_seconds)

    def _require_current(self, kept: _Kept) -> None:
        changed = self._changed.peek(kept.credential.rpartition(":")[2]) or 0.0
        if kept.begun <= max(changed, self._all_changed):
            raise ValueError("from before a change")

    def _is_doubted(self, principal: Principal) -> bool:
        ids = (principal.session_id, principal.api_key_id, principal.user_id)
        return any(self._doubted.peek(changed_id) for changed_id in ids if changed_id)


def _codec(keys: MacKeys, require_current: Callable[[_Kept], None]) -> Codec[_Kept]:
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(_Kept)

    def encode(kept: _Kept) -> bytes:
        body = encoder.encode(kept)
        return keys.sign(body)[:_MAC_BYTES] + body

    def decode(raw: bytes) -> _Kept:
        body = raw[_MAC_BYTES:]
        if not keys.verify(body, raw[:_MAC_BYTES], _MAC_BYTES):
            raise ValueError("not signed by a gateway")
        kept = decoder.decode(body)
        require_current(kept)
        return kept

    return Codec(encode, decode, lambda kept: 1_024 + 64 * len(kept.principal.scopes))
