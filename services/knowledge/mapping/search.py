"""Searches: the question from its message, the answer to its message."""

from __future__ import annotations

from echosenseix.knowledge.v1 import knowledge_pb2
from services.knowledge.domain.search import Answer, Hit, Mode, Question, context_of, within_budget
from services.knowledge.domain.validation import check_max_results, check_query

_MODES = {
    Mode.HYBRID: knowledge_pb2.SEARCH_MODE_HYBRID,
    Mode.KEYWORD: knowledge_pb2.SEARCH_MODE_KEYWORD,
    Mode.VECTOR: knowledge_pb2.SEARCH_MODE_VECTOR,
}


# Hits among which an answer's context is chosen.
_CONTEXT_HITS = 30


def question_from_proto(request: knowledge_pb2.SearchRequest | knowledge_pb2.AnswerContextRequest) -> Question:
    """Hybrid where no mode is named."""
    filters = request.filters
    tags, entry_ids = tuple(filters.tags), tuple(filters.entry_ids)
    return Question(
        text=check_query(request.query, tags, entry_ids),
        mode=next((mode for mode, number in _MODES.items() if number == request.mode), Mode.HYBRID),
        most=check_max_results(request.max_results)
        if isinstance(request, knowledge_pb2.SearchRequest)
        else _CONTEXT_HITS,
        category=filters.category,
        tags=tags,
        entry_ids=entry_ids,
    )


def answer_to_proto(answer: Answer, query_id: str, took_ms: int) -> knowledge_pb2.SearchResponse:
    return knowledge_pb2.SearchResponse(
        hits=map(_hit_to_proto, answer.hits),
        query_id=query_id,
        took_ms=took_ms,
        mode=_MODES[answer.mode],
        fallback_reason=answer.fallback_reason,
    )


def context_to_proto(
    answer: Answer, most_tokens: int, query_id: str, took_ms: int
) -> knowledge_pb2.AnswerContextResponse:
    hits = within_budget(answer.hits, most_tokens)
    return knowledge_pb2.AnswerContextResponse(
        context=context_of(hits),
        passages=map(_hit_to_proto, hits),
        token_count=sum(hit.token_count for hit in hits),
        query_id=query_id,
        took_ms=took_ms,
        mode=_MODES[answer.mode],
        fallback_reason=answer.fallback_reason,
    )


def _hit_to_proto(hit: Hit) -> knowledge_pb2.SearchHit:
    return knowledge_pb2.SearchHit(
        entry_id=hit.entry_id,
        chunk_id=hit.chunk_id,
        title=hit.title,
        text=hit.text,
        score=hit.score,
        keyword_score=hit.keyword_score,
        vector_score=hit.vector_score,
        highlights=[knowledge_pb2.Highlight(start=span.start, end=span.end) for span in hit.highlights],
        page=hit.page,
        source=hit.source,
        heading=hit.heading,
        index_version=hit.index_version,
        document_id=hit.document_id,
        start_offset=hit.start,
        end_offset=hit.end,
        token_count=hit.token_count,
    )
