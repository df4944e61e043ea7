"""Get or load over two levels: this process's memory, Redis, and the source behind them.

One load for all readers of a key. A value is used while its evidence is younger than the class's bound; beyond the
bound the source is read, whatever fails. A loader reads the primary and never another cache.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from libs.cache.client import RedisUnavailable
from libs.cache.memory import Memory
from libs.cache.spec import L1_SECONDS, CacheClass
from libs.cache.store import Found, RedisStore
from libs.cache.tombstones import Tombstones
from libs.errors import AppError, Code, DeadlineExceeded, Unavailable
from libs.telemetry import metrics

V = TypeVar("V")

# Without Redis so many loads of a process run at once, and so many readers wait for a place.
DEGRADED_LOADS = 32
DEGRADED_WAITING = 512
WAIT_SECONDS = 0.5
SHADOW_EVERY = 1_000
_AWAY = frozenset((Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED))


class Source(Enum):
    """Where an answer came from, as X-Cache says it."""

    HIT = "HIT"
    MISS = "MISS"
    STALE = "STALE"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[V]):
    """A loader's answer. `version` serves readers that demand one; `negative` marks an absence, kept 5 s."""

    value: V
    version: int = 0
    negative: bool = False
    ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """`age_seconds` counts from before the load."""

    value: V
    version: int
    source: Source
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Codec(Generic[V]):
    """How values cross to Redis; `measure` gives their bytes in memory."""

    encode: Callable[[V], bytes]
    decode: Callable[[bytes], V]
    measure: Callable[[V], int]


@dataclass(slots=True)
class _Entry(Generic[V]):
    """Monotonic times: `began` the read behind it, `loaded` the load, `fresh` and `usable` its ends."""

    value: V
    version: int
    began: float
    loaded: float
    fresh: float
    usable: float
    tags: tuple[str, ...]


@dataclass(slots=True)
class _Flight(Generic[V]):
    """A load under way. `since` is when its present step began; `loading` says that the step reads the source."""

    since: float
    min_version: int
    loading: bool = False
    task: "asyncio.Task[tuple[_Entry[V], Source]] | None" = None


Loader = Callable[[], Awaitable[Loaded[V]]]


class Cache(Generic[V]):
    """The cached values of one class in this process."""

    def __init__(
        self,
        kind: CacheClass,
        store: RedisStore,
        tombstones: Tombstones,
        codec: Codec[V],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self._store = store
        self._tombstones = tombstones
        self._codec = codec
        self._now = now
        self._memory: Memory[str, _Entry[V]] = Memory(
            kind.name,
            max_entries=kind.max_entries,
            max_bytes=kind.max_bytes,
            measure=lambda entry: codec.measure(entry.value),
            now=now,
        )
        self._flights: dict[str, _Flight[V]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._places = asyncio.Semaphore(DEGRADED_LOADS)
        self._waiting = 0
        self._until_shadow = SHADOW_EVERY
        self._hits = {level: metrics.CACHE_HITS.labels(level, kind.name) for level in ("memory", "redis")}
        self._misses = {level: metrics.CACHE_MISSES.labels(level, kind.name) for level in ("memory", "redis")}
        self._load_seconds = metrics.CACHE_LOAD_SECONDS.labels(kind.name)
        self._refused = metrics.CACHE_FILLS_REFUSED.labels(kind.name)
        self._stale = metrics.CACHE_STALE.labels(kind.name)
        self._evidence = metrics.CACHE_HEARTBEAT_SECONDS.labels(kind.name)

    async def get(self, key: str, load: Loader[V], *, tags: tuple[str, ...], min_version: int = 0) -> Answer[V]:
        """The value of the key. `tags` names all that may change it; `min_version` refuses older ones.

        Raises what the loader raises, and Unavailable or DeadlineExceeded when the source is away and no value
        within the bound is left."""
        now = self._now()
        entry = self._memory.peek(key)
        if entry is not None and (entry.version < min_version or self._tombstones.since(tags, entry.began)):
            entry = None
        if entry is not None and now < entry.fresh:
            self._hits["memory"].inc()
            self._maybe_shadow(key, load, tags, entry)
            return self._answer(entry, Source.HIT)
        self._misses["memory"].inc()
        return await self._join(self._flight(key, load, tags, min_version, now), entry)

    async def reserve(self, key: str, tags: tuple[str, ...]) -> str:
        """A lease for `write`, taken before the commit; empty when Redis is away."""
        try:
            return (await self._store.get(self.kind, key, tags, force_lease=True)).lease
        except RedisUnavailable:
            return ""

    async def write(
        self,
        key: str,
        value: Loaded[V],
        *,
        lease: str,
        tags: tuple[str, ...],
        event_id: str,
        event_tags: tuple[str, ...],
    ) -> bool:
        """Write-through after the commit: invalidates for the event and stores the value it made. False when another
        writer came between, or Redis is away; the relay then invalidates."""
        self._tombstones.note(event_tags)
        raw = self._codec.encode(value.value)
        try:
            return await self._store.write(
                self.kind, key, tags, lease, raw, value.version, event_id=event_id, event_tags=event_tags
            )
        except RedisUnavailable:
            return False

    async def close(self) -> None:
        """Cancel the loads that still run."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _answer(self, entry: _Entry[V], source: Source) -> Answer[V]:
        return Answer(entry.value, entry.version, source, max(0.0, self._now() - entry.loaded))

    def _flight(self, key: str, load: Loader[V], tags: tuple[str, ...], min_version: int, now: float) -> _Flight[V]:
        """The load to wait for: one that is under way, if what it reads is recent enough for this reader."""
        flight = self._flights.get(key)
        if flight is not None and flight.min_version >= min_version and not self._tombstones.since(tags, flight.since):
            limit = self.kind.bound_seconds if flight.loading else L1_SECONDS
            if now - flight.since < limit:
                return flight
        flight = self._flights[key] = _Flight(now, min_version)
        flight.task = self._spawn(self._fly(flight, key, load, tags))
        return flight

    async def _join(self, flight: _Flight[V], stale: _Entry[V] | None) -> Answer[V]:
        """Wait for the load; after the soft timeout, or when the source is away, a value within the bound will do."""
        if flight.task is None:
            raise AssertionError("a flight has a task")
        waits = [self.kind.hard_seconds] if stale is None else [self.kind.soft_seconds, self.kind.hard_seconds]
        for seconds in waits:
            await asyncio.wait((flight.task,), timeout=seconds)
            failed = flight.task.done() and not flight.task.cancelled() and flight.task.exception()
            if flight.task.done() and not (stale is not None and _source_is_away(failed)):
                return self._answer(*flight.task.result())
            if stale is not None and self._now() < stale.usable:
                self._stale.inc()
                return self._answer(stale, Source.STALE)
        if flight.task.done():
            return self._answer(*flight.task.result())
        raise DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again.")

    async def _fly(
        self, flight: _Flight[V], key: str, load: Loader[V], tags: tuple[str, ...]
    ) -> tuple[_Entry[V], Source]:
        try:
            async with asyncio.timeout(self.kind.hard_seconds):
                found = await self._ask(flight, key, tags)
                if found is not None and found.value is not None:
                    self._hits["redis"].inc()
                    return self._take(flight, key, load, tags, found), Source.HIT
                self._misses["redis"].inc()
                return await self._load(flight, key, load, tags, found.lease if found else ""), Source.MISS
        except TimeoutError:
            raise DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again.") from None
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    async def _ask(self, flight: _Flight[V], key: str, tags: tuple[str, ...]) -> Found | None:
        """What Redis knows; while another process loads, ask again. None when Redis is away."""
        ends, pause = self._now() + WAIT_SECONDS, 0.005
        while True:
            flight.since = self._now()
            try:
                found = await self._store.get(self.kind, key, tags, min_version=flight.min_version)
            except RedisUnavailable:
                return None
            if found.value is not None or found.lease or self._now() > ends:
                return found
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)

    def _take(self, flight: _Flight[V], key: str, load: Loader[V], tags: tuple[str, ...], found: Found) -> _Entry[V]:
        began = flight.since
        self._evidence.set(found.evidence_age)
        entry = _Entry(
            value=self._codec.decode(found.value or b""),
            version=found.version,
            began=began,
            loaded=began - found.value_age,
            fresh=began + L1_SECONDS,
            usable=began - found.evidence_age + self.kind.bound_seconds,
            tags=tags,
        )
        self._keep(key, entry)
        if found.lease:
            self._spawn(self._refresh(key, load, tags, found.lease))
        return entry

    async def _refresh(self, key: str, load: Loader[V], tags: tuple[str, ...], lease: str) -> None:
        """Load a value before it expires, while readers still get it."""
        try:
            async with asyncio.timeout(self.kind.hard_seconds):
                await self._load(_Flight(self._now(), 0), key, load, tags, lease)
        except (AppError, TimeoutError):
            return  # the value lives on until its TTL

    async def _load(
        self, flight: _Flight[V], key: str, load: Loader[V], tags: tuple[str, ...], lease: str
    ) -> _Entry[V]:
        away = not self._store.available
        if away:
            await self._place()
        try:
            flight.since, flight.loading = self._now(), True
            began = flight.since
            with self._load_seconds.time():
                loaded = await load()
        finally:
            if away:
                self._places.release()
        ttl = loaded.ttl_seconds if loaded.ttl_seconds is not None else self.kind.ttl_seconds
        ttl = min(ttl, self.kind.negative_seconds) if loaded.negative else ttl
        bound = self.kind.bound_seconds
        # Without Redis the memory is all there is: it serves as long as the bound allows.
        fresh = began + min(ttl, bound if away else L1_SECONDS)
        entry = _Entry(loaded.value, loaded.version, began, began, fresh, began + min(ttl, bound), tags)
        self._keep(key, entry)
        if lease:
            await self._fill(key, entry, lease, ttl)
        return entry

    async def _fill(self, key: str, entry: _Entry[V], lease: str, ttl: float) -> None:
        raw = self._codec.encode(entry.value)
        try:
            filled = await self._store.fill(self.kind, key, entry.tags, lease, raw, entry.version, ttl)
        except RedisUnavailable:
            return
        if not filled:
            self._refused.inc()

    async def _place(self) -> None:
        if self._waiting >= DEGRADED_WAITING:
            raise Unavailable("overloaded", "Too many requests wait for the same resource. Try again.", retry_after=1)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1

    def _keep(self, key: str, entry: _Entry[V]) -> None:
        if not self._tombstones.since(entry.tags, entry.began):
            self._memory.put(key, entry, entry.usable - self._now())

    def _spawn(self, work: Any) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_retrieve)
        return task

    def _maybe_shadow(self, key: str, load: Loader[V], tags: tuple[str, ...], entry: _Entry[V]) -> None:
        self._until_shadow -= 1
        if self._until_shadow <= 0:
            self._until_shadow = SHADOW_EVERY
            self._spawn(self._shadow(key, load, tags, entry))

    async def _shadow(self, key: str, load: Loader[V], tags: tuple[str, ...], entry: _Entry[V]) -> None:
        """Compare a hit with the source. A difference is stale only if the cache still answers it beyond the bound."""
        encode, outcome = self._codec.encode, "same"
        served = encode(entry.value)
        try:
            if encode((await load()).value) != served:
                outcome = "changed"
                await asyncio.sleep(self.kind.bound_seconds + L1_SECONDS)
                later = await self.get(key, load, tags=tags)
                if later.source is Source.HIT and encode(later.value) == served:
                    outcome = "same" if encode((await load()).value) == served else "stale"
        except AppError:
            return
        metrics.CACHE_SHADOW_READS.labels(self.kind.name, outcome).inc()


def _source_is_away(error: BaseException | bool | None) -> bool:
    return isinstance(error, TimeoutError | OSError) or (isinstance(error, AppError) and error.code in _AWAY)


def _retrieve(task: "asyncio.Task[Any]") -> None:
    """The failure of a load whose readers have left is not logged as lost."""
    if not task.cancelled():
        task.exception()
