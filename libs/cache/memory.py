"""The first level: values in this process's memory, bounded by entries and by bytes, least recently used out first.

A plain synchronous table: it loads nothing, awaits nothing, and knows no other level (libs.cache.tiered does). One
event loop uses it; it is not for several threads.

It is also the piece for a small table of computed values. A table of signed tokens that are reused for 30 seconds:

    minted: Memory[tuple[Principal, str], str] = Memory("principals_minted", max_entries=4_096, now=time.time)
    token = minted.get((principal, audience))
    if token is None:
        token = sign(principal, audience)
        minted.put((principal, audience), token, ttl_seconds=30)

A table of query vectors that never expire leaves `ttl_seconds` out.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, overload

from libs.telemetry.metrics import CACHE_BYTES, CACHE_ENTRIES, CACHE_EVICTIONS, CACHE_HITS, CACHE_MISSES

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")

LEVEL = "memory"


class Memory(Generic[K, V]):
    """`name` labels the metrics. `measure` gives the bytes of a value and is required with `max_bytes`."""

    __slots__ = (
        "_bytes",
        "_entries",
        "_evicted",
        "_hit",
        "_max_bytes",
        "_max_entries",
        "_measure",
        "_miss",
        "_now",
        "_shown_bytes",
        "_shown_entries",
    )

    def __init__(
        self,
        name: str,
        *,
        max_entries: int,
        max_bytes: int | None = None,
        measure: Callable[[V], int] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_entries < 1 or (max_bytes is not None and measure is None):
            raise ValueError("a table holds at least one entry, and a bound in bytes needs a measure")
        self._entries: OrderedDict[K, tuple[V, float, int]] = OrderedDict()
        self._bytes = 0
        self._max_entries = max_entries
        self._max_bytes = math.inf if max_bytes is None else max_bytes
        self._measure = measure
        self._now = now
        self._hit = CACHE_HITS.labels(LEVEL, name)
        self._miss = CACHE_MISSES.labels(LEVEL, name)
        self._evicted = CACHE_EVICTIONS.labels(LEVEL, name)
        self._shown_entries = CACHE_ENTRIES.labels(LEVEL, name)
        self._shown_bytes = CACHE_BYTES.labels(LEVEL, name)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """The measured bytes of all values; 0 without a measure."""
        return self._bytes

    @overload
    def get(self, key: K) -> V | None: ...

    @overload
    def get(self, key: K, default: D) -> V | D: ...

    def get(self, key: K, default: D | None = None) -> V | D | None:
        """The live value, or `default`; the entry becomes the most recently used."""
        entry = self._entries.get(key)
        if entry is None or entry[1] <= self._now():
            if entry is not None:
                self.pop(key)
            self._miss.inc()
            return default
        self._entries.move_to_end(key)
        self._hit.inc()
        return entry[0]

    def peek(self, key: K) -> V | None:
        """Like `get`, without counting: for a level that has its own idea of a hit."""
        entry = self._entries.get(key)
        if entry is None or entry[1] <= self._now():
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, ttl_seconds: float = math.inf) -> None:
        """Keep the value for `ttl_seconds`. One that alone exceeds the bound in bytes only drops the old value."""
        self.pop(key)
        size = self._measure(value) if self._measure is not None else 0
        if size > self._max_bytes or ttl_seconds <= 0:
            return
        self._entries[key] = (value, self._now() + ttl_seconds, size)
        self._bytes += size
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= self._entries.popitem(last=False)[1][2]
            self._evicted.inc()
        self._show()

    def pop(self, key: K) -> V | None:
        """Forget the key; the value it had, live or expired."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._bytes -= entry[2]
        self._show()
        return entry[0]

    def pop_where(self, condemned: Callable[[K, V], bool]) -> int:
        """Forget every entry for which the test holds; walks the whole table. The number forgotten."""
        keys = [key for key, entry in self._entries.items() if condemned(key, entry[0])]
        for key in keys:
            self.pop(key)
        return len(keys)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0
        self._show()

    def _show(self) -> None:
        self._shown_entries.set(len(self._entries))
        self._shown_bytes.set(self._bytes)
