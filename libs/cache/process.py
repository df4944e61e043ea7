"""The caches of one process: they share a connection to Redis and what NATS tells of replaced tags."""

from typing import TypeVar

from libs.cache.client import RedisClient
from libs.cache.spec import CacheClass
from libs.cache.store import RedisStore
from libs.cache.tiered import Cache
from libs.cache.tombstones import Tombstones
from libs.cache.values import Codec

V = TypeVar("V")


class Caches:
    """Opened and closed with the process. `client` may be shared with what else asks Redis. `on_message` hears NATS
    (libs.bus.subjects.cache_invalidated)."""

    def __init__(self, redis_url: str) -> None:
        self.client = RedisClient(redis_url)
        self._store = RedisStore(self.client)
        self.tombstones = Tombstones()
        self._opened: list[Cache[object]] = []

    def open(self, kind: CacheClass, codec: Codec[V]) -> Cache[V]:
        """The cache of one class; call it once a class."""
        cache = Cache(kind, self._store, self.tombstones, codec)
        self._opened.append(cache)  # type: ignore[arg-type]  # closed alike, whatever it holds
        return cache

    def on_message(self, subject: str, data: bytes) -> None:
        """Note replaced tags, one a line."""
        self.tombstones.note(data.decode("utf-8", "replace").split("\n"))

    async def close(self) -> None:
        for cache in self._opened:
            await cache.close()
        await self.client.close()
