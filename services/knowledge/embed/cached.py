"""A small memory of query vectors: the same question asked again costs no model run."""

from __future__ import annotations

from collections import OrderedDict

from services.knowledge.embed.embedder import Embedder, Vector

_MOST = 1024


class CachedQueries:
    """Least recently used out; 1,024 vectors are 12 MB. One embedder, so the text alone is the key."""

    def __init__(self, embedder: Embedder, most: int = _MOST) -> None:
        self._embedder = embedder
        self._most = most
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    @property
    def model(self) -> str:
        return self._embedder.model

    async def vector(self, query: str) -> Vector:
        known = self._vectors.get(query)
        if known is not None:
            self._vectors.move_to_end(query)
            return known
        vector = (await self._embedder.embed([query]))[0]
        self._vectors[query] = vector
        if len(self._vectors) > self._most:
            self._vectors.popitem(last=False)
        return vector

    async def close(self) -> None:
        await self._embedder.close()
