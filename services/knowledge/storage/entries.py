"""Entries and their documents as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.errors import NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.knowledge.domain.entry import Document, Entry, Status
from services.knowledge.storage.rows import (
    DOCUMENT,
    DOCUMENT_WRITTEN,
    ENTRY,
    ENTRY_IN_LIST,
    ENTRY_WRITTEN,
    document_from_row,
    document_values,
    entry_from_row,
    entry_values,
)

ENTRY_LIST = ListRules(sorts={"createdAt": "e.created_at", "updatedAt": "e.updated_at", "title": "e.title"})
_LISTING = Listing(ENTRY_IN_LIST, "entry e", ENTRY_LIST, tie="e.id", org="e.org_id", created="e.created_at")

DOCUMENT_LIST = ListRules(sorts={"createdAt": "d.created_at"})
_DOCUMENT_LISTING = Listing(
    DOCUMENT, "document d", DOCUMENT_LIST, tie="d.id", org="d.org_id", created="d.created_at"
)  # fmt: skip


def _places(names: Sequence[str]) -> str:
    return ", ".join(f"${number}" for number in range(3, 3 + len(names)))


_GET = f"select {ENTRY} from entry e where e.org_id = o.org and e.id = $2"
_LOCK = f"select {ENTRY} from entry e where e.org_id = $1 and e.id = $2 for update"
_INSERT = f"insert into entry (org_id, id, {', '.join(ENTRY_WRITTEN)}) values ($1, $2, {_places(ENTRY_WRITTEN)})"
_UPDATE = f"update entry set ({', '.join(ENTRY_WRITTEN)}) = ({_places(ENTRY_WRITTEN)}) where org_id = $1 and id = $2"
_GET_DOCUMENT = f"select {DOCUMENT} from document d where d.org_id = o.org and d.id = $2"
_LOCK_DOCUMENT = f"select {DOCUMENT} from document d where d.org_id = $1 and d.id = $2 for update"
_INSERT_DOCUMENT = (
    f"insert into document (org_id, id, {', '.join(DOCUMENT_WRITTEN)}) values ($1, $2, {_places(DOCUMENT_WRITTEN)})"
)
_UPDATE_DOCUMENT = (
    f"update document set ({', '.join(DOCUMENT_WRITTEN)}) = ({_places(DOCUMENT_WRITTEN)}) where org_id = $1 and id = $2"
)
_PROGRESS = (
    "update document set progress = greatest(progress, $3), total_pages = $4, processed_pages = $5, "
    "updated_at = clock_timestamp() where org_id = $1 and id = $2 and status = 'processing'"
)
# The newest document of an entry stays, also when its bytes are gone.
_FORGET_REPLACED = """
delete from document d where (d.org_id, d.id) in (
    select o.org_id, o.id from document o
    where o.blob_key = '' and o.status <> 'processing' and o.updated_at < $1
        and not exists (select 1 from entry e where e.org_id = o.org_id and e.document_id = o.id)
    limit 10000
)"""
_RELEASE_BLOBS = (
    "with old as (select d.id, d.blob_key from document d "
    "where d.org_id = $1 and d.entry_id = $2 and d.id <> $3 and d.blob_key <> '' for update) "
    "update document d set blob_key = '', updated_at = clock_timestamp() from old "
    "where d.org_id = $1 and d.id = old.id returning old.blob_key"
)
_BLOBS = "select d.blob_key from document d where d.org_id = $1 and d.entry_id = $2 and d.blob_key <> ''"
_STATS = """
select count(*) as entries, count(*) filter (where e.document_id <> '') as documents,
    coalesce(sum(e.chunk_count), 0)::bigint as chunks, coalesce(sum(e.byte_size), 0)::bigint as bytes,
    count(*) filter (where e.status = 'processing') as processing, count(*) filter (where e.status = 'failed') as failed
from entry e where e.org_id = o.org"""
# A job that is not there any more ended so long ago that it was pruned.
_WHY = """
case when j.state = 'cancelled' then 'processing_cancelled' else coalesce(j.error_code, 'processing_failed') end
    as code,
case when j.state = 'failed' then coalesce(j.error_message, '') else '' end as message"""
_ENDED = "(j.id is null or j.state in ('failed', 'cancelled'))"
_STRANDED = f"""
select d.org_id, d.entry_id, d.id as document_id, d.job_id, {_WHY}
from document d left join job j on j.id = d.job_id where d.status = 'processing' and {_ENDED}
union all
select e.org_id, e.id, '', e.wanted_build, {_WHY}
from entry e left join job j on j.id = e.wanted_build
where e.status = 'processing' and e.document_id = '' and {_ENDED}
limit $1"""
_OUTDATED = """
select e.org_id, e.id from entry e
where e.index_id <> '' and e.status = 'completed' and e.embedding_model <> $1 order by e.org_id, e.id limit $2"""


@dataclass(frozen=True, slots=True)
class EntryFilter:
    search: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    status: Status | None = None

    def conditions(self) -> list[tuple[str, Any]]:
        """SQL conditions, each with the value of its placeholder."""
        found: list[tuple[str, Any]] = []
        if self.search.strip():
            found.append(("e.id in (select entry_matching({}))", self.search))
        if self.category:
            found.append(("e.category = {}", self.category))
        if self.tags:
            found.append(("e.id in (select entry_tagged({}))", list(self.tags)))
        if self.status is not None:
            found.append(("e.status = {}", self.status.value))
        return found


@dataclass(frozen=True, slots=True)
class Stats:
    entries: int
    documents: int
    chunks: int
    bytes: int
    processing: int
    failed: int


class Entries:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def get(self, org_id: str, entry_id: str) -> Entry:
        row = await self._database.fetchrow(org_id, _GET, entry_id) if is_id(entry_id, "kbe") else None
        return _entry(row)

    async def page(self, org_id: str, request: PageRequest, wanted: EntryFilter) -> Page[Entry]:
        page = await fetch_page(
            self._database, org_id, _LISTING, request, wanted.conditions(), self._cursors, ("entries",)
        )
        return page.map(entry_from_row)

    async def stats(self, org_id: str) -> Stats:
        row = await self._database.fetchrow(org_id, _STATS)
        if row is None:
            raise RuntimeError("an aggregate has a row")
        names = ("entries", "documents", "chunks", "bytes", "processing", "failed")
        return Stats(**{name: row[name] for name in names})

    async def lock(self, conn: Connection, org_id: str, entry_id: str) -> Entry:
        """The entry, held until the transaction ends: changes of one entry happen one after another."""
        return _entry(await conn.fetchrow(_LOCK, org_id, entry_id) if is_id(entry_id, "kbe") else None)

    async def add(self, conn: Connection, entry: Entry) -> None:
        await conn.execute(_INSERT, entry.org_id, entry.id, *entry_values(entry))

    async def save(self, conn: Connection, entry: Entry) -> None:
        await conn.execute(_UPDATE, entry.org_id, entry.id, *entry_values(entry))

    async def remove(self, conn: Connection, entry: Entry) -> list[str]:
        """Deletes the entry with everything below it; the keys of the blobs that no row names any more."""
        rows = await conn.fetch(_BLOBS, entry.org_id, entry.id)
        for table in ("chunk", "document"):
            await conn.execute(f"delete from {table} where org_id = $1 and entry_id = $2", entry.org_id, entry.id)
        await conn.execute("delete from entry where org_id = $1 and id = $2", entry.org_id, entry.id)
        return [row["blob_key"] for row in rows]

    async def outdated(self, conn: Connection, model: str, most: int) -> list[tuple[str, str]]:
        """(organization, entry) of entries whose index another model made. Of every organization."""
        return [(row["org_id"], row["id"]) for row in await conn.fetch(_OUTDATED, model, most)]


@dataclass(frozen=True, slots=True)
class Stranded:
    """A document (or a text entry: `document_id` is '') that says processing although its job has ended without it."""

    org_id: str
    entry_id: str
    document_id: str
    job_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    entry_id: str = ""
    status: Status | None = None

    def conditions(self) -> list[tuple[str, Any]]:
        """SQL conditions, each with the value of its placeholder."""
        found: list[tuple[str, Any]] = []
        if self.entry_id:
            found.append(("d.entry_id = {}", self.entry_id))
        if self.status is not None:
            found.append(("d.status = {}", self.status.value))
        return found


class Documents:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, request: PageRequest, wanted: DocumentFilter) -> Page[Document]:
        page = await fetch_page(
            self._database, org_id, _DOCUMENT_LISTING, request, wanted.conditions(), self._cursors, ("documents",)
        )
        return page.map(document_from_row)

    async def get(self, org_id: str, document_id: str) -> Document:
        row = await self._database.fetchrow(org_id, _GET_DOCUMENT, document_id) if is_id(document_id, "doc") else None
        return _document(row)

    async def exists(self, org_id: str, document_id: str) -> bool:
        return await self._database.fetchrow(org_id, _GET_DOCUMENT, document_id) is not None

    async def lock(self, conn: Connection, org_id: str, document_id: str) -> Document:
        return _document(await conn.fetchrow(_LOCK_DOCUMENT, org_id, document_id))

    async def add(self, conn: Connection, document: Document) -> None:
        await conn.execute(_INSERT_DOCUMENT, document.org_id, document.id, *document_values(document))

    async def save(self, conn: Connection, document: Document) -> None:
        await conn.execute(_UPDATE_DOCUMENT, document.org_id, document.id, *document_values(document))

    async def record_progress(self, document: Document, percent: int, total_pages: int, processed_pages: int) -> None:
        async with self._database.transaction(document.org_id) as conn:
            await conn.execute(_PROGRESS, document.org_id, document.id, percent, total_pages, processed_pages)

    async def release_blobs(self, conn: Connection, document: Document) -> list[str]:
        """Takes the blobs from the entry's other documents; their keys, to be deleted after the commit."""
        rows = await conn.fetch(_RELEASE_BLOBS, document.org_id, document.entry_id, document.id)
        return [row["blob_key"] for row in rows]

    async def forget_replaced(self, conn: Connection, before: datetime) -> None:
        """Delete documents whose bytes a newer one replaced before this. Of every organization."""
        await conn.execute(_FORGET_REPLACED, before)

    async def stranded(self, conn: Connection, most: int) -> list[Stranded]:
        """Of every organization."""
        rows = await conn.fetch(_STRANDED, most)
        return [
            Stranded(
                row["org_id"], row["entry_id"], row["document_id"], row["job_id"], row["code"],
                row["message"] or "It was not processed. Upload it again.",
            )
            for row in rows
        ]  # fmt: skip


def _entry(row: Record | None) -> Entry:
    if row is None:
        raise NotFound("entry_not_found", "No such entry.")
    return entry_from_row(row)


def _document(row: Record | None) -> Document:
    if row is None:
        raise NotFound("document_not_found", "No such document.")
    return document_from_row(row)
