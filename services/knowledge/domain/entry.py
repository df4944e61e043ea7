"""An entry of the knowledge base and the document behind it: their states and how they may change.

Pure: every act returns a new value. An entry stays searchable by its last good index while a new one is built.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime

from libs.errors import FailedPrecondition
from services.knowledge.domain.media import MediaType


class Status(enum.StrEnum):
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """`wanted_build` is the job that may make the next index; `index_id` the attempt whose chunks searches read (''
    before the first). `language` is a BCP 47 tag: the customer's where `language_given`, else detected, '' where it is
    not known; `index_language` is the one that the index was made in. `content` is the text of a text entry, None where
    it was not read or the entry has a document."""

    org_id: str
    id: str
    title: str
    category: str
    tags: tuple[str, ...]
    status: Status
    document_id: str
    content: str | None
    source: str
    media_type: str
    byte_size: int
    page_count: int
    chunk_count: int
    error_code: str
    error_message: str
    wanted_build: str
    index_id: str
    index_version: int
    embedding_model: str
    language: str
    language_given: bool
    index_language: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was uploaded. `blob_key` is '' once a newer document of the entry took its place."""

    org_id: str
    id: str
    entry_id: str
    status: Status
    progress: int
    total_pages: int
    processed_pages: int
    chunk_count: int
    error_code: str
    error_message: str
    job_id: str
    file_name: str
    media_type: str
    byte_size: int
    sha256: str
    blob_key: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """What arrived and was stored, before anybody has read it."""

    document_id: str
    file_name: str
    media: MediaType
    byte_size: int
    sha256: str
    blob_key: str


@dataclass(frozen=True, slots=True)
class Described:
    """What a customer says about an entry; `language` is '' where it is to be detected."""

    title: str
    category: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A finished build: the rows under `index_id` are all there. Their words were read in `language`; `detected` is
    what the text itself says."""

    index_id: str
    chunk_count: int
    page_count: int
    embedding_model: str
    language: str
    detected: str


def new_entry(org_id: str, entry_id: str, described: Described, now: datetime) -> Entry:
    return Entry(
        org_id=org_id, id=entry_id, title=described.title, category=described.category, tags=described.tags,
        status=Status.PROCESSING, document_id="", content=None, source=described.source, media_type="", byte_size=0,
        page_count=0, chunk_count=0, error_code="", error_message="", wanted_build="", index_id="", index_version=0,
        embedding_model="", language=described.language, language_given=bool(described.language), index_language="",
        version=1, created_at=now, updated_at=now,
    )  # fmt: skip


def new_document(entry: Entry, upload: Upload, job_id: str, now: datetime) -> Document:
    return Document(
        org_id=entry.org_id, id=upload.document_id, entry_id=entry.id, status=Status.PROCESSING, progress=0,
        total_pages=0, processed_pages=0, chunk_count=0, error_code="", error_message="", job_id=job_id,
        file_name=upload.file_name, media_type=upload.media.name, byte_size=upload.byte_size, sha256=upload.sha256,
        blob_key=upload.blob_key, created_at=now, updated_at=now,
    )  # fmt: skip


def describe(entry: Entry, described: Described, now: datetime) -> Entry:
    """The entry with another description; the same entry when nothing changes."""
    changed = replace(
        entry, title=described.title, category=described.category, tags=described.tags, source=described.source,
        language=described.language or entry.language, language_given=bool(described.language),
    )  # fmt: skip
    return entry if changed == entry else replace(changed, version=entry.version + 1, updated_at=now)


def given_language(entry: Entry) -> str:
    """The customer's, '' where it is detected."""
    return entry.language if entry.language_given else ""


def take_document(entry: Entry, upload: Upload, build: str, now: datetime) -> Entry:
    """The entry while `upload` is read. What it shows of its document changes with the swap, not before, unless there
    was none. Raises FailedPrecondition for a text entry."""
    if entry.content is not None:
        raise FailedPrecondition("entry_has_text", "The entry is plain text. Change its content instead.")
    entry = replace(
        entry, status=Status.PROCESSING, wanted_build=build, error_code="", error_message="", updated_at=now
    )
    if entry.index_id:
        return replace(entry, version=entry.version + 1)
    return replace(
        entry, document_id=upload.document_id, media_type=upload.media.name, byte_size=upload.byte_size,
        source=entry.source or upload.file_name,
    )  # fmt: skip


def take_content(entry: Entry, content: str, build: str, now: datetime) -> Entry:
    """The text entry while its new text is indexed. Raises FailedPrecondition for an entry with a document."""
    if entry.document_id:
        raise FailedPrecondition("entry_has_document", "The text comes from a document. Upload a new one instead.")
    return replace(
        entry, content=content, byte_size=len(content.encode()), media_type="text/markdown", status=Status.PROCESSING,
        wanted_build=build, error_code="", error_message="", updated_at=now,
    )  # fmt: skip


def want_build(entry: Entry, build: str) -> Entry:
    """The entry while the same content is indexed again: nothing that a customer sees changes."""
    return replace(entry, wanted_build=build)


def wanted_language(entry: Entry, detected: str) -> str:
    """The language that the entry's words are to be read in."""
    return given_language(entry) or detected


def swap_index(entry: Entry, document: Document | None, built: BuiltIndex, now: datetime) -> Entry:
    """The entry once a finished build took the place of its index."""
    entry = replace(
        entry, status=Status.COMPLETED, index_id=built.index_id, index_version=entry.index_version + 1,
        chunk_count=built.chunk_count, page_count=built.page_count, embedding_model=built.embedding_model,
        language=wanted_language(entry, built.detected), index_language=built.language,
        error_code="", error_message="", version=entry.version + 1, updated_at=now,
    )  # fmt: skip
    if document is None or document.id == entry.document_id:
        return entry
    return replace(
        entry, document_id=document.id, media_type=document.media_type, byte_size=document.byte_size,
        source=entry.source if "://" in entry.source else document.file_name,
    )  # fmt: skip


def fail_entry(entry: Entry, code: str, message: str, now: datetime) -> Entry:
    """The entry after a build failed: searchable as before if it was, failed if it never was."""
    status = Status.COMPLETED if entry.index_id else Status.FAILED
    return replace(
        entry, status=status, error_code=code, error_message=message, version=entry.version + 1, updated_at=now
    )


def complete_document(document: Document, built: BuiltIndex, now: datetime) -> Document:
    return replace(
        document, status=Status.COMPLETED, progress=100, total_pages=built.page_count, processed_pages=built.page_count,
        chunk_count=built.chunk_count, error_code="", error_message="", updated_at=now,
    )  # fmt: skip


def fail_document(document: Document, code: str, message: str, now: datetime) -> Document:
    return replace(document, status=Status.FAILED, error_code=code, error_message=message, updated_at=now)


def check_version(entry: Entry, expected: int | None) -> None:
    if expected is not None and expected != entry.version:
        detail = "The entry was changed meanwhile. Read it again and repeat the change."
        raise FailedPrecondition("stale_version", detail)
