"""Between rows and domain values: the columns of each table, once."""

from __future__ import annotations

from typing import Any

from libs.postgres import Record
from services.knowledge.domain.entry import Document, Entry, Status

_ENTRY_SHOWN = (
    "org_id", "id", "title", "category", "tags", "status", "document_id", "source", "media_type", "byte_size",
    "page_count", "chunk_count", "error_code", "error_message", "wanted_build", "index_id", "index_version",
    "embedding_model", "language", "language_given", "index_language", "version", "created_at", "updated_at",
)  # fmt: skip
ENTRY_WRITTEN = (*(name for name in _ENTRY_SHOWN if name not in ("org_id", "id")), "content")
ENTRY = ", ".join(f"e.{name}" for name in (*_ENTRY_SHOWN, "content"))
# Lists never read the text: it is most of a row's bytes.
ENTRY_IN_LIST = ", ".join(f"e.{name}" for name in _ENTRY_SHOWN) + ", null::text as content"

_DOCUMENT = (
    "org_id", "id", "entry_id", "status", "progress", "total_pages", "processed_pages", "chunk_count", "error_code",
    "error_message", "job_id", "file_name", "media_type", "byte_size", "sha256", "blob_key", "created_at", "updated_at",
)  # fmt: skip
DOCUMENT_WRITTEN = tuple(name for name in _DOCUMENT if name not in ("org_id", "id"))
DOCUMENT = ", ".join(f"d.{name}" for name in _DOCUMENT)


def entry_values(entry: Entry) -> tuple[Any, ...]:
    """The values of ENTRY_WRITTEN, in its order."""
    return tuple(_plain(getattr(entry, name)) for name in ENTRY_WRITTEN)


def document_values(document: Document) -> tuple[Any, ...]:
    """The values of DOCUMENT_WRITTEN, in its order."""
    return tuple(_plain(getattr(document, name)) for name in DOCUMENT_WRITTEN)


def entry_from_row(row: Record) -> Entry:
    values = {name: row[name] for name in (*_ENTRY_SHOWN, "content")}
    return Entry(**values | {"status": Status(row["status"]), "tags": tuple(row["tags"])})


def document_from_row(row: Record) -> Document:
    return Document(**{name: row[name] for name in _DOCUMENT} | {"status": Status(row["status"])})


def _plain(value: Any) -> Any:
    if isinstance(value, Status):
        return value.value
    return list(value) if isinstance(value, tuple) else value
