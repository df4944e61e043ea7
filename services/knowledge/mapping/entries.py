"""Entries, documents and chunks: messages from values, and what a message says about an entry."""

from __future__ import annotations

from echosenseix.knowledge.v1 import knowledge_pb2
from libs.rpc.masks import Editable
from libs.rpc.times import to_timestamp
from services.knowledge.domain.chunking import Chunk
from services.knowledge.domain.entry import Described, Document, Entry, Status

_STATUS = {
    Status.PROCESSING: knowledge_pb2.DOCUMENT_STATUS_PROCESSING,
    Status.COMPLETED: knowledge_pb2.DOCUMENT_STATUS_COMPLETED,
    Status.FAILED: knowledge_pb2.DOCUMENT_STATUS_FAILED,
}
EDITABLE: Editable[Entry] = Editable(
    {name: name for name in ("title", "category", "tags", "source", "content", "language")}
)


def entry_to_proto(entry: Entry) -> knowledge_pb2.Entry:
    return knowledge_pb2.Entry(
        id=entry.id,
        title=entry.title,
        category=entry.category,
        tags=entry.tags,
        status=_STATUS[entry.status],
        document_id=entry.document_id,
        source=entry.source,
        chunk_count=entry.chunk_count,
        page_count=entry.page_count,
        byte_size=entry.byte_size,
        media_type=entry.media_type,
        error_code=entry.error_code,
        error_message=entry.error_message,
        version=entry.version,
        create_time=to_timestamp(entry.created_at),
        update_time=to_timestamp(entry.updated_at),
        index_version=entry.index_version,
        content=entry.content or "",
        language=entry.language,
        language_given=entry.language_given,
    )


def document_to_proto(document: Document) -> knowledge_pb2.Document:
    return knowledge_pb2.Document(
        id=document.id,
        entry_id=document.entry_id,
        status=_STATUS[document.status],
        progress=document.progress,
        total_pages=document.total_pages,
        processed_pages=document.processed_pages,
        chunk_count=document.chunk_count,
        error_code=document.error_code,
        error_message=document.error_message,
        job_id=document.job_id,
        file_name=document.file_name,
        media_type=document.media_type,
        byte_size=document.byte_size,
        sha256=document.sha256,
        create_time=to_timestamp(document.created_at),
        update_time=to_timestamp(document.updated_at),
    )


def chunk_to_proto(chunk: Chunk) -> knowledge_pb2.Chunk:
    return knowledge_pb2.Chunk(
        id=chunk.id,
        entry_id=chunk.entry_id,
        position=chunk.position,
        text=chunk.text,
        heading=chunk.heading,
        page=chunk.page,
        token_count=chunk.token_count,
        start_offset=chunk.start,
        end_offset=chunk.end,
    )


def described_from_proto(message: knowledge_pb2.Entry) -> Described:
    return Described(message.title, message.category, tuple(message.tags), message.source, message.language)
