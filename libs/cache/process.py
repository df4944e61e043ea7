"""The caches of one process: they share a connection to Redis and what NATS tells of replaced tags."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from libs.cache.client import REDIS_SECONDS, RedisClient
from libs.cache.spec import CacheClass
from libs.cache.store import RedisStore
from libs.cache.tiered import Cache
from libs.cache.tombstones import Tombstones
from libs.cache.values import Codec

V = TypeVar("V")


class Caches:
    """Opened and closed with the process. A command to Redis may take `seconds`. `client` may be shared with what else
    asks Redis. `on_message` takes what NATS tells (libs.bus.subjects.cache_invalidated)."""

    def __init__(self, redis_url: str, *, seconds: float = REDIS_SECONDS) -> None:
        self.client = RedisClient(redis_url, seconds=seconds)
        self._store = RedisStore(self.client)
        self.tombstones = Tombstones()
        self._opened: list[Cache[object]] = []
        self._listeners: list[Callable[[Sequence[str]], None]] = []

    def open(self, kind: CacheClass, codec: Codec[V]) -> Cache[V]:
        """The cache of one class; call it once a class."""
        cache = Cache(kind, self._store, self.tombstones, codec)
        self._opened.append(cache)  # type: ignore[arg-type]  # closed alike, whatever it holds
        return cache

    def subscribe(self, listener: Callable[[Sequence[str]], None]) -> None:
        """Pass replaced tags on, for a listener that keeps them for longer than the memory needs."""
        self._listeners.append(listener)

    def on_message(self, subject: str, data: bytes) -> None:
        """Note replaced tags, one a line."""
        tags = data.decode("utf-8", "replace").split("\n")
        self.tombstones.note(tags)
        for listener in self._listeners:
            listener(tags)

    async def close(self) -> None:
        for cache in self._opened:
            await cache.close()
        await self.client.close()
