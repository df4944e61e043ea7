"""A small memory of query vectors: the same question asked again costs no model run."""

from __future__ import annotations

from libs.cache import Memory
from services.knowledge.embed.embedder import Embedder, Vector

# Vectors in memory: 28 MB of 896 dimensions.
_MOST = 1024


class CachedQueries:
    """One embedder, so the text alone is the key, and nothing invalidates a vector."""

    def __init__(self, embedder: Embedder, most: int = _MOST) -> None:
        self._embedder = embedder
        self._vectors: Memory[str, Vector] = Memory("query_vectors", max_entries=most)

    @property
    def model(self) -> str:
        return self._embedder.model

    @property
    def languages(self) -> frozenset[str] | None:
        return self._embedder.languages

    async def vector(self, query: str) -> Vector:
        known = self._vectors.get(query)
        if known is None:
            known = await self._embedder.embed_question(query)
            self._vectors.put(query, known)
        return known

    async def close(self) -> None:
        await self._embedder.close()
