"""The second level, typed: values and leases in Redis by the scripts of libs.cache.scripts. No policy.

Every method raises RedisUnavailable; none decides what happens then (libs.cache.tiered does).
"""

import asyncio
import hashlib
import random
import secrets
from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from libs.cache import scripts
from libs.cache.client import RedisClient
from libs.cache.spec import CacheClass

# Milliseconds that a loader has. The statement limit is 5 s, but a load takes milliseconds; a dead loader blocks others
# for this long.
LEASE_MS = 3_000
# Milliseconds that an applied event is remembered: the duplicate window of the stream.
MARKER_MS = 600_000
_PREFIX = "cache:"
# Share by which lifetimes differ, so that values stored together do not expire together.
_JITTER = 0.1
# Characters of a key; longer ones are hashed, so that Redis compares short keys.
_MAX_KEY = 128


@dataclass(frozen=True, slots=True)
class Found:
    """What the second level knows of a key. `value` is None on a miss; `lease` is set for the one reader who shall
    load. `evidence_age` and `value_age` are seconds at the moment of the read."""

    value: bytes | None
    version: int
    evidence_age: float
    value_age: float
    lease: str


class _Asked:
    """What the second level will answer; awaited once, or never when its reader has left."""

    def __init__(self, answer: "asyncio.Future[Any]", token: str) -> None:
        self._answer = answer
        self._token = token
        answer.add_done_callback(_retrieve)

    def __await__(self) -> Generator[Any, None, Found]:
        state, data, version, evidence, age, leased = yield from self._answer
        value = bytes(data) if state == scripts.HIT else None
        return Found(value, int(version), int(evidence) / 1e6, int(age) / 1e6, self._token if leased else "")


@dataclass(frozen=True, slots=True)
class Noted:
    """What the tags of a value were before a write: the time of Redis in µs, and their generations."""

    as_of: int
    generations: bytes


class RedisStore:
    """All classes of a process share one."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    @property
    def available(self) -> bool:
        return self._client.available

    async def get(self, kind: CacheClass, key: str, tags: Sequence[str], *, min_version: int = 0) -> Found:
        """The value if it may be trusted; else a lease, unless another reader holds it."""
        return await self.ask(kind, key, tags, min_version=min_version)

    def ask(self, kind: CacheClass, key: str, tags: Sequence[str], *, min_version: int = 0) -> Awaitable[Found]:
        """The same, asked at once: the command joins those of this loop tick."""
        token = secrets.token_hex(8)
        beats = [_heartbeat(service) for service in kind.services]
        answer = self._client.ask(
            scripts.GET,
            [*_value_and_lease(kind, key), *beats, *_tags(kind, tags)],
            [token, LEASE_MS, int(kind.bound_seconds * 1e6), min_version, len(beats)],
        )
        return _Asked(answer, token)

    async def fill(
        self, kind: CacheClass, key: str, tags: Sequence[str], lease: str, value: bytes, version: int, ttl: float
    ) -> bool:
        """Store what was loaded under the lease; False when an invalidation, eviction or flush took the lease."""
        stored = await self._client.run(
            scripts.FILL,
            [*_value_and_lease(kind, key), *_tags(kind, tags)],
            [lease, value, version, *_life(kind, ttl)],
        )
        return bool(stored)

    async def note(self, kind: CacheClass, tags: Sequence[str]) -> Noted:
        """Ask before a write whose answer `write` shall store."""
        answer = await self._client.run(scripts.NOTE, _tags(kind, tags), [secrets.token_hex(8), LEASE_MS])
        return Noted(int(answer[0]), bytes(answer[1]))

    async def write(
        self, kind: CacheClass, key: str, tags: Sequence[str], noted: Noted, event_id: str, value: bytes, version: int
    ) -> bool:
        """Store the answer of a write that committed the event after `noted`; False when something else has replaced
        a tag since, or a value that is as new is there."""
        stored = await self._client.run(
            scripts.WRITE,
            [_value_and_lease(kind, key)[0], *_tags(kind, tags)],
            [noted.as_of, noted.generations, event_id, value, version, *_life(kind, kind.ttl_seconds)],
        )
        return bool(stored)

    async def release(self, kind: CacheClass, key: str, lease: str) -> bool:
        """Give a lease back without a value; False when it is another reader's by now."""
        return bool(await self._client.run(scripts.RELEASE, [_value_and_lease(kind, key)[1]], [lease]))

    async def discard(self, kind: CacheClass, key: str, value: bytes) -> bool:
        """Delete a value that cannot be used; False when another is there by now."""
        return bool(await self._client.run(scripts.DISCARD, [_value_and_lease(kind, key)[0]], [value]))

    async def invalidate(self, event_id: str, tags: Sequence[str]) -> bool:
        """Replace the generations of the tags; False when this event was applied before."""
        keys = [_marker(event_id), *map(_tag, tags)]
        return bool(await self._client.run(scripts.INVALIDATE, keys, [MARKER_MS, event_id]))

    async def begin(self, service: str) -> tuple[int, str]:
        """The time of Redis in µs, and which server run this is. On a run that is new to the service its values are
        replaced."""
        now, run_id = await self._client.run(scripts.BEGIN, [f"{_PREFIX}r:{service}", _tag(service_tag(service))])
        return int(now), run_id.decode()

    async def beat(self, service: str, begun: int, run_id: str) -> bool:
        """Declare that all the service committed before `begun` is applied; False on another server run."""
        return bool(await self._client.run(scripts.BEAT, [_heartbeat(service)], [begun, run_id]))


def _value_and_lease(kind: CacheClass, key: str) -> tuple[str, str]:
    if len(key) > _MAX_KEY:
        key = hashlib.blake2b(key.encode(), digest_size=20).hexdigest()
    return f"{_PREFIX}v:{kind.name}:{key}", f"{_PREFIX}l:{kind.name}:{key}"


def service_tag(service: str) -> str:
    """The tag that every value of the service carries."""
    return f"service:{service}"


def _tags(kind: CacheClass, tags: Sequence[str]) -> list[str]:
    return [_tag(tag) for tag in (*map(service_tag, kind.services), *tags)]


def _tag(tag: str) -> str:
    return f"{_PREFIX}t:{tag}"


def _marker(event_id: str) -> str:
    return f"{_PREFIX}i:{event_id}"


def _heartbeat(service: str) -> str:
    return f"{_PREFIX}h:{service}"


def _life(kind: CacheClass, ttl: float) -> tuple[int, float]:
    """The jittered life in ms, and the share of it after which a reader renews the value."""
    return _jittered_ms(ttl), min(kind.refresh_share, kind.refresh_seconds / ttl)


def _jittered_ms(seconds: float) -> int:
    return max(1, round(seconds * 1000 * random.uniform(1 - _JITTER, 1 + _JITTER)))  # noqa: S311 - spreads expiries


def _retrieve(answer: "asyncio.Future[Any]") -> None:
    """A failure that no reader waits for any more is not logged as forgotten."""
    if not answer.cancelled():
        answer.exception()
