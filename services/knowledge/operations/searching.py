"""Serves a search: the mode that is asked for, or the best that is possible with the reason why."""

from __future__ import annotations

from libs.errors import FailedPrecondition, Unimplemented
from services.knowledge.domain.search import Answer, Mode, Question
from services.knowledge.embed.cached import CachedQueries
from services.knowledge.embed.embedder import EmbedderUnavailable
from services.knowledge.storage.searches import Searches
from services.knowledge.storage.vectors import VectorSupport

NO_VECTORS = "vector_search_unavailable"
OTHER_MODEL = "embedding_model_changed"
NO_EMBEDDER = "embedder_unavailable"


class Searching:
    def __init__(self, searches: Searches, queries: CachedQueries, vectors: VectorSupport) -> None:
        self._searches = searches
        self._queries = queries
        self._vectors = vectors

    async def answer(self, org_id: str, question: Question) -> Answer:
        """Raises Unimplemented(vector_search_unavailable), FailedPrecondition(embedding_model_changed) or
        EmbedderUnavailable in vector mode; hybrid falls back to keyword for the same reasons."""
        if question.mode is Mode.KEYWORD:
            return await self._by_keyword(org_id, question, "")
        if not await self._vectors.available(org_id):
            if question.mode is Mode.VECTOR:
                raise Unimplemented(NO_VECTORS, "This installation has no vector search. Search by keyword instead.")
            return await self._by_keyword(org_id, question, NO_VECTORS)
        try:
            vector = await self._queries.vector(question.text)
        except EmbedderUnavailable:
            if question.mode is Mode.VECTOR:
                raise
            return await self._by_keyword(org_id, question, NO_EMBEDDER)
        return await self._by_vector(org_id, question, vector)

    async def _by_vector(self, org_id: str, question: Question, vector: list[float]) -> Answer:
        model = self._queries.model
        if question.mode is Mode.VECTOR:
            hits = await self._searches.by_vector(org_id, question, vector, model)
        else:
            hits = await self._searches.by_both(org_id, question, vector, model, self._queries.languages)
        if all(hit.vector_score is None for hit in hits) and await self._searches.has_other_models(org_id, model):
            if question.mode is Mode.VECTOR:
                detail = "The entries are being indexed again by another model. Search by keyword meanwhile."
                raise FailedPrecondition(OTHER_MODEL, detail)
            return await self._by_keyword(org_id, question, OTHER_MODEL)
        return Answer(tuple(hits), question.mode)

    async def _by_keyword(self, org_id: str, question: Question, reason: str) -> Answer:
        return Answer(tuple(await self._searches.by_keyword(org_id, question)), Mode.KEYWORD, reason)
