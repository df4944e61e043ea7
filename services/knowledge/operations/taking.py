"""Takes a stored upload into the knowledge base: its document, its entry and the job that indexes it, in one
transaction of the caller."""

from __future__ import annotations

from dataclasses import dataclass

from libs.clock import Clock
from libs.errors import NotFound
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection, Database
from services.knowledge.domain import entry as entries
from services.knowledge.domain.entry import Described, Document, Entry, Upload
from services.knowledge.mapping.events import document_event, entry_event
from services.knowledge.operations.enqueueing import enqueue_blob_deletion, enqueue_build
from services.knowledge.storage.entries import Documents, Entries


@dataclass(frozen=True, slots=True)
class Taken:
    entry: Entry
    document: Document


class Taking:
    def __init__(self, database: Database, stored: Entries, documents: Documents, clock: Clock) -> None:
        self._database = database
        self._entries = stored
        self._documents = documents
        self._clock = clock

    async def new(self, conn: Connection, org_id: str, described: Described, upload: Upload) -> Taken:
        await self._database.quotas.admit(conn, org_id, "knowledge_entries")
        now = self._clock.now()
        entry = entries.new_entry(org_id, new_id("kbe"), described, now)
        job_id = await enqueue_build(conn, entry, upload.document_id)
        entry = entries.take_document(entry, upload, job_id, now)
        await self._entries.add(conn, entry)
        await append(conn, entry_event("entry.created", entry))
        return await self._document(conn, entry, upload, job_id)

    async def into(self, conn: Connection, entry: Entry, upload: Upload) -> Taken:
        """In place of the document of an entry that the caller has locked."""
        job_id = await enqueue_build(conn, entry, upload.document_id)
        entry = entries.take_document(entry, upload, job_id, self._clock.now())
        await self._entries.save(conn, entry)
        return await self._document(conn, entry, upload, job_id)

    async def drop(self, conn: Connection, org_id: str, entry_id: str) -> None:
        """Delete an entry with all that belongs to it, unless it is gone."""
        try:
            entry = await self._entries.lock(conn, org_id, entry_id)
        except NotFound:
            return
        await enqueue_blob_deletion(conn, org_id, await self._entries.remove(conn, entry))
        await append(conn, entry_event("entry.deleted", entry))

    async def _document(self, conn: Connection, entry: Entry, upload: Upload, job_id: str) -> Taken:
        await self._database.quotas.admit(conn, entry.org_id, "documents")
        await self._database.quotas.admit(conn, entry.org_id, "document_bytes", adding=upload.byte_size)
        document = entries.new_document(entry, upload, job_id, self._clock.now())
        await self._documents.add(conn, document)
        await append(conn, document_event("document.uploaded", document, entry.title))
        return Taken(entry, document)
