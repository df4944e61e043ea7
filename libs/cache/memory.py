"""The first level: values in this process's memory for a bounded time, one load for all who wait for the same key.

A value that was invalidated while it was being loaded is given to those who asked before, and not kept. The loader
runs in a task of its own: a reader who gives up does not take the others' answer away.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from libs.telemetry.metrics import CACHE_HITS, CACHE_MISSES

T = TypeVar("T")

MAX_ENTRIES = 10_000


@dataclass(slots=True)
class CacheStats:
    hits: int = 0
    misses: int = 0


class Cache:
    """Keys carry the organisation and the entity. The least recently used entry goes when `max_entries` is passed."""

    def __init__(
        self, namespace: str, *, max_entries: int = MAX_ENTRIES, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.stats = CacheStats()
        self._entries: OrderedDict[str, tuple[Any, float]] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Any]] = {}
        self._max_entries = max_entries
        self._now = now
        self._hit = CACHE_HITS.labels("memory", namespace)
        self._miss = CACHE_MISSES.labels("memory", namespace)

    async def get(self, key: str, load: Callable[[], Awaitable[T]], ttl: float) -> T:
        """The value, loaded if it is absent or older than `ttl` seconds (counted from the start of its load)."""
        entry = self._entries.get(key)
        if entry is not None and self._now() < entry[1]:
            self._entries.move_to_end(key)
            self.stats.hits += 1
            self._hit.inc()
            value: T = entry[0]
            return value
        self.stats.misses += 1
        self._miss.inc()
        return await asyncio.shield(self._flight(key, load, ttl))

    def invalidate(self, *keys: str) -> None:
        """Forget these keys; loads that began before are not kept either."""
        for key in keys:
            self._entries.pop(key, None)
            self._loading.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()
        self._loading.clear()

    def _flight(self, key: str, load: Callable[[], Awaitable[T]], ttl: float) -> "asyncio.Task[T]":
        flight = self._loading.get(key)
        if flight is None:
            flight = self._loading[key] = asyncio.ensure_future(self._load(key, load, ttl))
            flight.add_done_callback(_look_at)
        return flight

    async def _load(self, key: str, load: Callable[[], Awaitable[T]], ttl: float) -> T:
        mine = asyncio.current_task()
        expires = self._now() + ttl
        try:
            value = await load()
            if self._loading.get(key) is mine:
                self._keep(key, value, expires)
            return value
        finally:
            if self._loading.get(key) is mine:
                del self._loading[key]

    def _keep(self, key: str, value: object, expires: float) -> None:
        self._entries[key] = (value, expires)
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


def _look_at(flight: "asyncio.Task[Any]") -> None:
    """A load that failed after every reader had left is nobody's error."""
    if not flight.cancelled():
        flight.exception()
