"""A search as a value: what is asked, how it is served, what a hit says."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from services.knowledge.domain.highlights import Highlight


class Mode(enum.StrEnum):
    HYBRID = "hybrid"
    KEYWORD = "keyword"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class Question:
    """Filters are all of them at once; an entry must carry every tag. Empty means no filter."""

    text: str
    mode: Mode
    most: int
    category: str = ""
    tags: tuple[str, ...] = ()
    entry_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """`score` orders the answer: of the one ranking in single modes, of similarity and words together in hybrid
    (1 is the most similar chunk that holds every word).
    The others are None where that ranking did not find the chunk. `start` and `end` are those of ChunkDraft."""

    entry_id: str
    chunk_id: str
    document_id: str
    title: str
    text: str
    heading: str
    page: int
    token_count: int
    start: int
    end: int
    source: str
    index_version: int
    score: float
    keyword_score: float | None
    vector_score: float | None
    highlights: tuple[Highlight, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`mode` is the one that served; `fallback_reason` says why it is not the one asked for."""

    hits: tuple[Hit, ...]
    mode: Mode
    fallback_reason: str = ""


def within_budget(hits: Iterable[Hit], most_tokens: int) -> list[Hit]:
    """The best hits that fit together; one that does not fit makes room for a shorter one after it."""
    kept: list[Hit] = []
    for hit in hits:
        if hit.token_count <= most_tokens:
            most_tokens -= hit.token_count
            kept.append(hit)
    return kept


def context_of(hits: Iterable[Hit]) -> str:
    """The hits as a model reads them: numbered, each below its source."""
    return "\n\n".join(f"[{number}] {_source_of(hit)}\n{hit.text}" for number, hit in enumerate(hits, 1))


def _source_of(hit: Hit) -> str:
    place = " > ".join(part for part in (hit.title, hit.heading) if part)
    return f"{place} (page {hit.page})" if hit.page else place
