"""A search as a value: what is asked, how it is served, what a hit says."""

from __future__ import annotations

import enum
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
