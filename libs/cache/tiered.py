"""Get or load over two levels: this process's memory, Redis, and the source behind them.

One load for all readers of a key. A value is used while its evidence is younger than the class's bound; beyond the
bound the source is read, whatever fails. A loader reads the primary and never another cache.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from libs.cache.client import RedisUnavailable
from libs.cache.figures import Figures
from libs.cache.memory import Memory
from libs.cache.source import LoadPlaces, is_outage
from libs.cache.spec import L1_SECONDS, CacheClass
from libs.cache.store import Found, Noted, RedisStore
from libs.cache.tombstones import Tombstones
from libs.cache.values import Answer, Begun, Codec, Entry, Flight, Loaded, Loader, Place, Source
from libs.errors import AppError, DeadlineExceeded

logger = logging.getLogger(__name__)
V = TypeVar("V")

# How long to wait for another process that loads the same key.
WAIT_SECONDS = 0.5
# Seconds between two warnings of values that do not decode. Shorter: more lines while someone writes such values.
_WARN_SECONDS = 60.0
# Hits per comparison with the source. Fewer: more load, earlier detection of stale values.
SHADOW_EVERY = 1_000


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
        self._memory: Memory[str, Entry[V]] = Memory(
            kind.name,
            max_entries=kind.max_entries,
            max_bytes=kind.max_bytes,
            measure=lambda entry: codec.measure(entry.value),
            now=now,
        )
        self._flights: dict[str, Flight[V]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._places = LoadPlaces()
        self._figures = Figures(kind.name)
        self._until_shadow = SHADOW_EVERY
        self._warned = -math.inf

    async def get(self, place: Place, load: Loader[V], *, min_version: int = 0) -> Answer[V]:
        """The value of the place; `min_version` refuses older ones.

        Raises what the loader raises, and Unavailable or DeadlineExceeded when the source is away and no value
        within the bound is left."""
        begun = self.begin(place, load, min_version=min_version)
        return begun if isinstance(begun, Answer) else await self.finish(begun)

    def begin(self, place: Place, load: Loader[V], *, min_version: int = 0) -> Answer[V] | Begun[V]:
        """The answer of this process's memory, or a read that `finish` waits for. Redis is asked at once, together
        with what else the caller asks it in this loop tick."""
        now = self._now()
        entry = self._memory.peek(place.key)
        if entry is not None and (entry.version < min_version or self._tombstones.since(place.watched, entry.began)):
            entry = None
        if entry is not None and now < entry.fresh:
            self._figures.hits["memory"].inc()
            self._maybe_shadow(place, load, entry)
            return self._answer(entry, Source.HIT)
        self._figures.misses["memory"].inc()
        return Begun(self._flight(place, load, min_version, now), entry)

    async def finish(self, begun: Begun[V]) -> Answer[V]:
        """The answer of a read that has begun. Raises as `get` does."""
        return await self._join(begun.flight, begun.entry)

    async def note(self, place: Place) -> Noted | None:
        """Ask before a write whose answer `write` shall store; None while Redis is away."""
        try:
            return await self._store.note(self.kind, place.tags)
        except RedisUnavailable:
            return None

    async def write(self, place: Place, noted: Noted, event_id: str, loaded: Loaded[V]) -> None:
        """Store in Redis what a write answered: the value after the commit of its event, as a load gives it. This
        process's memory takes it from there. Changes of others since `noted` make it void."""
        raw = self._codec.encode(loaded.value)
        try:
            stored = await self._store.write(self.kind, place.key, place.tags, noted, event_id, raw, loaded.version)
        except RedisUnavailable:
            return
        if not stored:
            self._figures.refused.inc()

    def fresh(self, place: Place) -> Entry[V] | None:
        """What this process's memory would answer now; counted as nothing."""
        entry = self._memory.peek(place.key)
        return entry if entry is not None and self.repeats(place, entry) else None

    def repeats(self, place: Place, entry: Entry[V]) -> bool:
        """Whether the entry would answer now and no comparison with the source is due."""
        return (
            self._now() < entry.fresh
            and self._until_shadow > 1
            and not self._tombstones.since(place.watched, entry.began)
        )

    def count_repetition(self) -> None:
        """One more answer of the same entry was given."""
        self._until_shadow -= 1
        self._figures.hits["memory"].inc()

    async def close(self) -> None:
        """Cancel the loads that still run."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _answer(self, entry: Entry[V], source: Source) -> Answer[V]:
        now = self._now()
        return Answer(entry.value, entry.version, source, max(0.0, now - entry.loaded), entry.usable - now)

    def _flight(self, place: Place, load: Loader[V], min_version: int, now: float) -> Flight[V]:
        """The load to wait for: one that is under way, if what it reads is recent enough for this reader."""
        flight = self._flights.get(place.key)
        if flight is not None and flight.min_version >= min_version:
            limit = self.kind.bound_seconds if flight.loading else L1_SECONDS
            if now - flight.since < limit and not self._tombstones.since(place.watched, flight.since):
                return flight
        flight = self._flights[place.key] = Flight(now, min_version, self._asked(place, min_version))
        flight.task = self._spawn(self._fly(flight, place, load))
        return flight

    async def _join(self, flight: Flight[V], stale: Entry[V] | None) -> Answer[V]:
        """Wait for the load; after the soft timeout, or when the source is away, a value within the bound will do."""
        if flight.task is None:
            raise AssertionError("a flight has a task")
        waits = [self.kind.hard_seconds] if stale is None else [self.kind.soft_seconds, self.kind.hard_seconds]
        for seconds in waits:
            await asyncio.wait((flight.task,), timeout=seconds)
            failed = flight.task.done() and not flight.task.cancelled() and flight.task.exception()
            if flight.task.done() and not (stale is not None and is_outage(failed)):
                return self._answer(*flight.task.result())
            if stale is not None and self._now() < stale.usable:
                self._figures.stale.inc()
                return self._answer(stale, Source.STALE)
        if flight.task.done():
            return self._answer(*flight.task.result())
        raise _too_slow()

    async def _fly(self, flight: Flight[V], place: Place, load: Loader[V]) -> tuple[Entry[V], Source]:
        try:
            async with asyncio.timeout(self.kind.hard_seconds):
                found = await self._ask(flight, place)
                if found is not None and (entry := self._take(flight, place, load, found)) is not None:
                    self._figures.hits["redis"].inc()
                    return entry, Source.HIT
                self._figures.misses["redis"].inc()
                return await self._load(flight, place, load, found.lease if found else ""), Source.MISS
        except TimeoutError:
            raise _too_slow() from None
        finally:
            if self._flights.get(place.key) is flight:
                del self._flights[place.key]

    def _asked(self, place: Place, min_version: int) -> Awaitable[Found] | None:
        try:
            return self._store.ask(self.kind, place.key, place.tags, min_version=min_version)
        except RedisUnavailable:
            return None

    async def _ask(self, flight: Flight[V], place: Place) -> Found | None:
        """What Redis knows; while another process loads, ask again. None when Redis is away."""
        ends, pause = self._now() + WAIT_SECONDS, 0.005
        while flight.asked is not None:
            try:
                found = await flight.asked
            except RedisUnavailable:
                return None
            if found.value is not None or found.lease or self._now() > ends:
                return found
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)
            flight.since, flight.asked = self._now(), self._asked(place, flight.min_version)
        return None

    def _take(self, flight: Flight[V], place: Place, load: Loader[V], found: Found) -> Entry[V] | None:
        if found.value is None:
            return None
        began, usable = flight.since, flight.since - found.evidence_age + self.kind.bound_seconds
        self._figures.evidence.set(found.evidence_age)
        try:
            value = self._codec.decode(found.value)
        except ValueError:
            self._discard(place, found.value)
            return None
        # The bound and 0.1 s are promised, so a value at its bound may stay for these 0.1 s.
        fresh = began + max(L1_SECONDS, min(self.kind.memory_seconds, usable - began))
        entry = Entry(value, found.version, began, began - found.value_age, fresh, usable)
        self._keep(place, entry)
        if found.lease:
            self._spawn(self._refresh(place, load, found.lease))
        return entry

    def _discard(self, place: Place, raw: bytes) -> None:
        now = self._now()
        if now - self._warned >= _WARN_SECONDS:
            self._warned = now
            logger.warning(
                "a value of %s in Redis is none of this suite, or from before a change",
                self.kind.name,
            )
        self._spawn(self._store.discard(self.kind, place.key, raw))

    async def _refresh(self, place: Place, load: Loader[V], lease: str) -> None:
        """Load a value before it expires, while readers still get it."""
        try:
            async with asyncio.timeout(self.kind.hard_seconds):
                await self._load(Flight(self._now(), 0), place, load, lease)
        except (AppError, TimeoutError):
            return  # the value lives on until its TTL

    async def _load(self, flight: Flight[V], place: Place, load: Loader[V], lease: str) -> Entry[V]:
        try:
            entry, ttl = await self._loaded(flight, place, load)
        except BaseException:
            self._release(place, lease)
            raise
        if ttl <= 0:
            self._release(place, lease)
        elif lease:
            await self._fill(place, entry, lease, ttl)
        return entry

    async def _loaded(self, flight: Flight[V], place: Place, load: Loader[V]) -> tuple[Entry[V], float]:
        """What the source answers, kept in memory, and the seconds that Redis may keep it."""
        away = not self._store.available
        async with self._places.taken(bounded=away):
            flight.since, flight.loading = self._now(), True
            began = flight.since
            with self._figures.load_seconds.time():
                loaded = await load()
        ttl = loaded.ttl_seconds if loaded.ttl_seconds is not None else self.kind.ttl_seconds
        ttl = min(ttl, self.kind.negative_seconds) if loaded.negative else ttl
        bound = self.kind.bound_seconds
        # Without Redis the memory is all there is: it serves as long as the bound allows.
        fresh = began + min(ttl, bound if away else self.kind.memory_seconds)
        entry = Entry(loaded.value, loaded.version, began, began, fresh, began + min(ttl, bound))
        self._keep(place, entry)
        return entry, ttl

    def _release(self, place: Place, lease: str) -> None:
        """Nothing will be filled. In a task of its own, because the load may have been cancelled."""
        if lease:
            self._spawn(self._store.release(self.kind, place.key, lease))

    async def _fill(self, place: Place, entry: Entry[V], lease: str, ttl: float) -> None:
        raw = self._codec.encode(entry.value)
        try:
            filled = await self._store.fill(self.kind, place.key, place.tags, lease, raw, entry.version, ttl)
        except RedisUnavailable:
            return
        if not filled:
            self._figures.refused.inc()

    def _keep(self, place: Place, entry: Entry[V]) -> None:
        if not self._tombstones.since(place.watched, entry.began):
            self._memory.put(place.key, entry, entry.usable - self._now())

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_retrieve)
        return task

    def _maybe_shadow(self, place: Place, load: Loader[V], entry: Entry[V]) -> None:
        self._until_shadow -= 1
        if self._until_shadow <= 0:
            self._until_shadow = SHADOW_EVERY
            self._spawn(self._shadow(place, load, entry))

    async def _shadow(self, place: Place, load: Loader[V], entry: Entry[V]) -> None:
        """Compare a hit with the source. A difference is stale only if the cache still answers it beyond the bound."""
        encode, outcome = self._codec.encode, "same"
        served = encode(entry.value)
        try:
            if encode((await load()).value) != served:
                outcome = "changed"
                await asyncio.sleep(self.kind.bound_seconds + L1_SECONDS)
                later = await self.get(place, load)
                if later.source is Source.HIT and encode(later.value) == served:
                    outcome = "same" if encode((await load()).value) == served else "stale"
        except AppError:
            return
        self._figures.shadow[outcome].inc()


def _too_slow() -> DeadlineExceeded:
    return DeadlineExceeded("deadline_exceeded", "The answer took too long. Try again.")


def _retrieve(task: "asyncio.Task[Any]") -> None:
    """The failure of a load whose readers have left is not logged as lost."""
    if not task.cancelled():
        task.exception()
