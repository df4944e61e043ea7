"""Knowledge entries, documents, chunks and search as the API shows and takes them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from gateway.http.derived import patch_of
from gateway.http.schema import SORT, Answer, Body, CreatedListQuery, ListQuery, PageQuery, Query, limits
from gateway.http.wire import time_to_json
from gateway.schemas.shapes import Language, Name, SearchText, TagFilter, Tags

StatusName = Literal["processing", "completed", "failed"]
ModeName = Literal["hybrid", "keyword", "vector"]
_STATUS_NAMES: dict[int, StatusName] = {
    pb.DOCUMENT_STATUS_PROCESSING: "processing",
    pb.DOCUMENT_STATUS_COMPLETED: "completed",
    pb.DOCUMENT_STATUS_FAILED: "failed",
}
MODES: dict[str, pb.SearchMode.ValueType] = {
    "hybrid": pb.SEARCH_MODE_HYBRID,
    "keyword": pb.SEARCH_MODE_KEYWORD,
    "vector": pb.SEARCH_MODE_VECTOR,
}
_MODE_NAMES: dict[int, ModeName] = {
    pb.SEARCH_MODE_HYBRID: "hybrid",
    pb.SEARCH_MODE_KEYWORD: "keyword",
    pb.SEARCH_MODE_VECTOR: "vector",
}
Category = Annotated[str, limits(maxLength=100)]


class Failure(Answer):
    code: str
    message: str


class EntryRow(Answer):
    id: str
    title: str
    category: str | None
    tags: list[str]
    status: StatusName | None
    document_id: str | None
    source: str | None
    chunk_count: int
    page_count: int | None
    byte_size: int
    media_type: str | None
    # BCP 47; null until the text was read.
    language: str | None
    language_source: Literal["given", "detected"] | None
    error: Failure | None
    index_version: int
    version: int
    created_at: str | None
    updated_at: str | None


class Entry(EntryRow):
    # Of text entries; null for those made from a document.
    content: str | None


class NewEntry(Entry):
    """The answer to a creation: the entry, and the job that indexes it."""

    job_id: str | None


class Offsets(Answer):
    """Half-open, in Unicode code points of the document's text: its blocks, each followed by two line breaks."""

    start: int
    end: int


class Chunk(Answer):
    id: str
    entry_id: str
    position: int
    text: str
    heading: str | None
    page: int | None
    offsets: Offsets
    token_count: int


class Upload(Answer):
    document_id: str
    entry_id: str
    job_id: str
    status: Literal["processing"]


class DocumentStatus(Answer):
    document_id: str
    entry_id: str
    status: StatusName | None
    progress: int
    total_pages: int | None
    processed_pages: int
    chunks: int
    error: Failure | None
    job_id: str | None
    file_name: str
    media_type: str | None
    byte_size: int
    created_at: str | None
    updated_at: str | None


class Highlight(Answer):
    """Half-open offsets, in Unicode code points, into the hit's text."""

    start: int
    end: int


class Scores(Answer):
    """Null: this ranking did not find the chunk."""

    keyword: float | None
    vector: float | None


class SearchHit(Answer):
    entry_id: str
    chunk_id: str
    document_id: str | None
    title: str
    heading: str | None
    text: str
    score: float
    scores: Scores
    highlights: list[Highlight]
    page: int | None
    offsets: Offsets
    source: str | None
    version: int
    token_count: int


class SearchAnswer(Answer):
    results: list[SearchHit]
    query_id: str
    took_ms: int
    # What served: hybrid may have fallen back to keyword, and says why.
    mode: ModeName | None
    fallback_reason: str | None


class AnswerContext(Answer):
    # The passages as one text for a prompt, numbered, each below its source.
    context: str
    passages: list[SearchHit]
    token_count: int
    query_id: str
    took_ms: int
    # What served: hybrid may have fallen back to keyword, and says why.
    mode: ModeName | None
    fallback_reason: str | None


class Stats(Answer):
    entries: int
    documents: int
    chunks: int
    bytes: int
    processing: int
    failed: int
    embedding_model: str | None


class EntryBody(Body):
    title: Name
    content: Annotated[str, limits(minLength=1)]
    category: Category | None = None
    tags: Tags | None = None
    language: Language | None = None


EntryPatch = patch_of("EntryPatch", EntryBody)


class FiltersBody(Body):
    category: str | None = None
    tags: Annotated[list[str], Meta(max_length=50)] | None = None
    entry_ids: Annotated[list[str], limits(maxItems=100)] | None = None


class SearchBody(Body):
    query: Annotated[str, limits(minLength=1, maxLength=1000)]
    mode: ModeName | None = None
    max_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    filters: FiltersBody | None = None


class ChunkQuery(PageQuery):
    sort: Annotated[Literal["position"], SORT] | None = None


class DeleteEntryQuery(Query):
    if_unused: (
        Annotated[
            bool,
            Meta(description="Refuse with 409 `entry_in_use` while agents speak from it; `errors` names them."),
        ]
        | None
    ) = None


class AnswerContextBody(Body):
    query: Annotated[str, limits(minLength=1, maxLength=1000)]
    mode: ModeName | None = None
    max_tokens: (
        Annotated[int, Meta(ge=50, le=4000, description="Of all passages together, 1200 when left out.")] | None
    ) = None
    filters: FiltersBody | None = None


class DocumentQuery(CreatedListQuery):
    entry_id: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    status: StatusName | None = None


class EntryQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "updatedAt", "title"], SORT] | None = None
    search: SearchText | None = None
    category: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    tags: TagFilter | None = None
    status: StatusName | None = None


PATCHED = {"title": "title", "content": "content", "category": "category", "tags": "tags", "language": "language"}


def _failure(code: str, message: str) -> Failure | None:
    return Failure(code=code, message=message) if code else None


def entry_row_from_proto(entry: pb.Entry) -> EntryRow:
    return EntryRow(
        id=entry.id,
        title=entry.title,
        category=entry.category or None,
        tags=list(entry.tags),
        status=_STATUS_NAMES.get(entry.status),
        document_id=entry.document_id or None,
        source=entry.source or None,
        chunk_count=entry.chunk_count,
        page_count=entry.page_count or None,
        byte_size=entry.byte_size,
        media_type=entry.media_type or None,
        language=entry.language or None,
        language_source=("given" if entry.language_given else "detected") if entry.language else None,
        error=_failure(entry.error_code, entry.error_message),
        index_version=entry.index_version,
        version=entry.version,
        created_at=time_to_json(entry.create_time),
        updated_at=time_to_json(entry.update_time),
    )


def entry_from_proto(entry: pb.Entry) -> Entry:
    row = entry_row_from_proto(entry)
    return Entry(**msgspec.structs.asdict(row), content=entry.content or None)


def new_entry_from_proto(answer: pb.CreateEntryResponse) -> NewEntry:
    entry = entry_from_proto(answer.entry)
    return NewEntry(**msgspec.structs.asdict(entry), job_id=answer.job_id or None)


def chunk_from_proto(chunk: pb.Chunk) -> Chunk:
    return Chunk(
        id=chunk.id,
        entry_id=chunk.entry_id,
        position=chunk.position,
        text=chunk.text,
        heading=chunk.heading or None,
        page=chunk.page or None,
        offsets=Offsets(start=chunk.start_offset, end=chunk.end_offset),
        token_count=chunk.token_count,
    )


def document_status_from_proto(document: pb.Document) -> DocumentStatus:
    return DocumentStatus(
        document_id=document.id,
        entry_id=document.entry_id,
        status=_STATUS_NAMES.get(document.status),
        progress=document.progress,
        total_pages=document.total_pages or None,
        processed_pages=document.processed_pages,
        chunks=document.chunk_count,
        error=_failure(document.error_code, document.error_message),
        job_id=document.job_id or None,
        file_name=document.file_name,
        media_type=document.media_type or None,
        byte_size=document.byte_size,
        created_at=time_to_json(document.create_time),
        updated_at=time_to_json(document.update_time),
    )


def _hit_from_proto(hit: pb.SearchHit) -> SearchHit:
    return SearchHit(
        entry_id=hit.entry_id,
        chunk_id=hit.chunk_id,
        document_id=hit.document_id or None,
        title=hit.title,
        heading=hit.heading or None,
        text=hit.text,
        score=hit.score,
        scores=Scores(
            keyword=hit.keyword_score if hit.HasField("keyword_score") else None,
            vector=hit.vector_score if hit.HasField("vector_score") else None,
        ),
        highlights=[Highlight(start=mark.start, end=mark.end) for mark in hit.highlights],
        page=hit.page or None,
        offsets=Offsets(start=hit.start_offset, end=hit.end_offset),
        source=hit.source or None,
        version=hit.index_version,
        token_count=hit.token_count,
    )


def search_answer_from_proto(answer: pb.SearchResponse) -> SearchAnswer:
    return SearchAnswer(
        results=[_hit_from_proto(hit) for hit in answer.hits],
        query_id=answer.query_id,
        took_ms=answer.took_ms,
        mode=_MODE_NAMES.get(answer.mode),
        fallback_reason=answer.fallback_reason or None,
    )


def filters_to_proto(filters: FiltersBody | None) -> pb.SearchFilters:
    if filters is None:
        return pb.SearchFilters()
    return pb.SearchFilters(category=filters.category or "", tags=filters.tags or (), entry_ids=filters.entry_ids or ())


def answer_context_from_proto(answer: pb.AnswerContextResponse) -> AnswerContext:
    return AnswerContext(
        context=answer.context,
        passages=[_hit_from_proto(hit) for hit in answer.passages],
        token_count=answer.token_count,
        query_id=answer.query_id,
        took_ms=answer.took_ms,
        mode=_MODE_NAMES.get(answer.mode),
        fallback_reason=answer.fallback_reason or None,
    )


def stats_from_proto(stats: pb.GetStatsResponse) -> Stats:
    return Stats(
        entries=stats.entries,
        documents=stats.documents,
        chunks=stats.chunks,
        bytes=stats.bytes,
        processing=stats.processing,
        failed=stats.failed,
        embedding_model=stats.embedding_model or None,
    )
