"""KnowledgeService: entries, documents, chunks and search over gRPC."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

from echosenseix.knowledge.v1 import knowledge_pb2, knowledge_pb2_grpc
from libs.blobs import BlobStore
from libs.clock import Clock
from libs.context import current_call
from libs.crypto import sha256_hex
from libs.errors import FailedPrecondition, InvalidArgument
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.messages import Mapper
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from services.knowledge.domain import entry as entries
from services.knowledge.domain.entry import Described, Entry, Status, Upload
from services.knowledge.domain.validation import (
    check_content,
    check_described,
    check_most_tokens,
    plain_file_name,
    title_from_file_name,
)
from services.knowledge.mapping.entries import (
    EDITABLE,
    chunk_to_proto,
    described_from_proto,
    document_to_proto,
    entry_to_proto,
)
from services.knowledge.mapping.events import entry_event
from services.knowledge.mapping.search import answer_to_proto, context_to_proto, question_from_proto
from services.knowledge.operations.enqueueing import enqueue_blob_deletion, enqueue_build
from services.knowledge.operations.searching import Searching
from services.knowledge.operations.taking import Taking
from services.knowledge.operations.upload import Uploads
from services.knowledge.storage.chunks import CHUNK_LIST, Chunks
from services.knowledge.storage.entries import (
    DOCUMENT_LIST,
    ENTRY_LIST,
    DocumentFilter,
    Documents,
    Entries,
    EntryFilter,
)

_FILTER = Mapper(EntryFilter, knowledge_pb2.ListEntriesRequest)
_DOCUMENT_FILTER = Mapper(DocumentFilter, knowledge_pb2.ListDocumentsRequest)
# Bytes of one message of a download.
_PIECE = 64 * 1024


class KnowledgeServicer(knowledge_pb2_grpc.KnowledgeServiceServicer):
    def __init__(
        self,
        database: Database,
        stored: Entries,
        documents: Documents,
        chunks: Chunks,
        blobs: BlobStore,
        uploads: Uploads,
        taking: Taking,
        searching: Searching,
        clock: Clock,
        embedding_model: str,
    ) -> None:
        self._database = database
        self._entries = stored
        self._documents = documents
        self._chunks = chunks
        self._blobs = blobs
        self._uploads = uploads
        self._taking = taking
        self._searching = searching
        self._clock = clock
        self._embedding_model = embedding_model

    async def ListEntries(
        self, request: knowledge_pb2.ListEntriesRequest, context: object
    ) -> knowledge_pb2.ListEntriesResponse:
        principal = require_scope("knowledge:read")
        wanted = _FILTER.read(request)
        page = await self._entries.page(principal.org_id, page_request_from_proto(request.page, ENTRY_LIST), wanted)
        return knowledge_pb2.ListEntriesResponse(
            entries=map(entry_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def GetEntry(self, request: knowledge_pb2.GetEntryRequest, context: object) -> knowledge_pb2.GetEntryResponse:
        principal = require_scope("knowledge:read")
        entry = await self._entries.get(principal.org_id, request.id)
        return knowledge_pb2.GetEntryResponse(entry=entry_to_proto(entry))

    async def CreateEntry(
        self, request: knowledge_pb2.CreateEntryRequest, context: object
    ) -> knowledge_pb2.CreateEntryResponse:
        org_id = require_scope("knowledge:write").org_id
        described = check_described(described_from_proto(request.entry))
        content = check_content(request.entry.content)

        async def act(conn: Connection) -> knowledge_pb2.CreateEntryResponse:
            now = self._clock.now()
            await self._database.quotas.admit(conn, org_id, "knowledge_entries")
            entry = entries.new_entry(org_id, new_id("kbe"), described, now)
            job_id = await enqueue_build(conn, entry)
            entry = entries.take_content(entry, content, job_id, now)
            await self._entries.add(conn, entry)
            await append(conn, entry_event("entry.created", entry))
            return knowledge_pb2.CreateEntryResponse(entry=entry_to_proto(entry), job_id=job_id)

        return await run_write(self._database, org_id, act, knowledge_pb2.CreateEntryResponse)

    async def UpdateEntry(
        self, request: knowledge_pb2.UpdateEntryRequest, context: object
    ) -> knowledge_pb2.UpdateEntryResponse:
        org_id = require_scope("knowledge:write").org_id
        edit, asked = EDITABLE.read(request.update_mask), request.entry

        async def act(conn: Connection) -> knowledge_pb2.UpdateEntryResponse:
            entry = await self._entries.lock(conn, org_id, request.entry.id)
            entries.check_version(entry, request.expected_version if request.HasField("expected_version") else None)
            given = replace(
                entry, title=asked.title, category=asked.category, tags=tuple(asked.tags), source=asked.source,
                content=asked.content, language=asked.language,
            )  # fmt: skip
            wanted = edit.merge(replace(entry, language=entries.given_language(entry)), given)
            described = check_described(
                Described(wanted.title, wanted.category, wanted.tags, wanted.source, wanted.language)
            )
            changed = entries.describe(entry, described, self._clock.now())
            if wanted.content is not None and wanted.content != entry.content:
                changed = replace(changed, version=entry.version + 1)
                content = check_content(wanted.content)
                job_id = await enqueue_build(conn, changed)
                changed = entries.take_content(changed, content, job_id, self._clock.now())
            elif changed.language_given != entry.language_given or changed.language != entry.language:
                changed = await self._read_again(conn, changed)
            if changed is not entry:
                await self._entries.save(conn, changed)
                await append(conn, entry_event("entry.updated", changed))
            return knowledge_pb2.UpdateEntryResponse(entry=entry_to_proto(changed))

        return await run_write(self._database, org_id, act, knowledge_pb2.UpdateEntryResponse)

    async def _read_again(self, conn: Connection, entry: Entry) -> Entry:
        """The entry with its words to be read in another language. A build that is under way sees to it at its end."""
        if not entry.index_id or entry.status is Status.PROCESSING:
            return entry
        return entries.want_build(entry, await enqueue_build(conn, entry, entry.document_id))

    async def DeleteEntry(
        self, request: knowledge_pb2.DeleteEntryRequest, context: object
    ) -> knowledge_pb2.DeleteEntryResponse:
        org_id = require_scope("knowledge:write").org_id

        async def act(conn: Connection) -> knowledge_pb2.DeleteEntryResponse:
            entry = await self._entries.lock(conn, org_id, request.id)
            entries.check_version(entry, request.expected_version if request.HasField("expected_version") else None)
            await enqueue_blob_deletion(conn, org_id, await self._entries.remove(conn, entry))
            await append(conn, entry_event("entry.deleted", entry))
            return knowledge_pb2.DeleteEntryResponse()

        return await run_write(self._database, org_id, act, knowledge_pb2.DeleteEntryResponse)

    async def ListChunks(
        self, request: knowledge_pb2.ListChunksRequest, context: object
    ) -> knowledge_pb2.ListChunksResponse:
        principal = require_scope("knowledge:read")
        wanted = page_request_from_proto(request.page, CHUNK_LIST)
        entry = await self._entries.get(principal.org_id, request.entry_id)
        page = await self._chunks.page(principal.org_id, entry.id, wanted)
        return knowledge_pb2.ListChunksResponse(
            chunks=map(chunk_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def UploadDocument(
        self, request_iterator: AsyncIterator[knowledge_pb2.UploadDocumentRequest], context: object
    ) -> knowledge_pb2.UploadDocumentResponse:
        org_id = require_scope("knowledge:write").org_id
        metadata = await _metadata(request_iterator)
        check_described(_described_upload(metadata))
        if metadata.entry_id:
            await self._entries.get(org_id, metadata.entry_id)
        data = _data(request_iterator, metadata)
        upload = await self._uploads.receive(org_id, metadata.file_name, metadata.media_type, data)
        _fingerprint_content(metadata, upload)
        try:
            described = check_described(_described_upload(metadata))
            return await self._take_upload(org_id, metadata, described, upload)
        finally:
            await self._uploads.forget_unless_kept(org_id, upload)

    async def _take_upload(
        self, org_id: str, metadata: knowledge_pb2.UploadMetadata, described: Described, upload: Upload
    ) -> knowledge_pb2.UploadDocumentResponse:
        async def act(conn: Connection) -> knowledge_pb2.UploadDocumentResponse:
            if metadata.entry_id:
                entry = await self._entries.lock(conn, org_id, metadata.entry_id)
                taken = await self._taking.into(conn, entry, upload)
            else:
                taken = await self._taking.new(conn, org_id, described, upload)
            return knowledge_pb2.UploadDocumentResponse(
                document_id=taken.document.id, entry_id=taken.entry.id, job_id=taken.document.job_id
            )

        return await run_write(self._database, org_id, act, knowledge_pb2.UploadDocumentResponse)

    async def GetDocument(
        self, request: knowledge_pb2.GetDocumentRequest, context: object
    ) -> knowledge_pb2.GetDocumentResponse:
        principal = require_scope("knowledge:read")
        document = await self._documents.get(principal.org_id, request.id)
        return knowledge_pb2.GetDocumentResponse(document=document_to_proto(document))

    async def ListDocuments(
        self, request: knowledge_pb2.ListDocumentsRequest, context: object
    ) -> knowledge_pb2.ListDocumentsResponse:
        principal = require_scope("knowledge:read")
        wanted = _DOCUMENT_FILTER.read(request)
        page = await self._documents.page(
            principal.org_id, page_request_from_proto(request.page, DOCUMENT_LIST), wanted
        )
        return knowledge_pb2.ListDocumentsResponse(
            documents=map(document_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def DownloadDocument(
        self, request: knowledge_pb2.DownloadDocumentRequest, context: object
    ) -> AsyncIterator[knowledge_pb2.DownloadDocumentResponse]:
        principal = require_scope("knowledge:read")
        document = await self._documents.get(principal.org_id, request.id)
        if not document.blob_key:
            raise FailedPrecondition("document_replaced", "A newer document took this one's place; download that one.")
        yield knowledge_pb2.DownloadDocumentResponse(document=document_to_proto(document))
        async for piece in self._blobs.stream(document.blob_key):
            for start in range(0, len(piece), _PIECE):
                yield knowledge_pb2.DownloadDocumentResponse(data=piece[start : start + _PIECE])

    async def Search(self, request: knowledge_pb2.SearchRequest, context: object) -> knowledge_pb2.SearchResponse:
        principal = require_scope("knowledge:read")
        started = time.monotonic()
        answer = await self._searching.answer(principal.org_id, question_from_proto(request))
        return answer_to_proto(answer, new_id("qry"), round((time.monotonic() - started) * 1000))

    async def AnswerContext(
        self, request: knowledge_pb2.AnswerContextRequest, context: object
    ) -> knowledge_pb2.AnswerContextResponse:
        principal = require_scope("knowledge:read")
        started = time.monotonic()
        most_tokens = check_most_tokens(request.max_tokens)
        answer = await self._searching.answer(principal.org_id, question_from_proto(request))
        return context_to_proto(answer, most_tokens, new_id("qry"), round((time.monotonic() - started) * 1000))

    async def GetStats(self, request: knowledge_pb2.GetStatsRequest, context: object) -> knowledge_pb2.GetStatsResponse:
        principal = require_scope("knowledge:read")
        stats = await self._entries.stats(principal.org_id)
        return knowledge_pb2.GetStatsResponse(
            entries=stats.entries,
            documents=stats.documents,
            chunks=stats.chunks,
            bytes=stats.bytes,
            processing=stats.processing,
            failed=stats.failed,
            embedding_model=self._embedding_model,
        )


async def _metadata(parts: AsyncIterator[knowledge_pb2.UploadDocumentRequest]) -> knowledge_pb2.UploadMetadata:
    async for part in parts:
        if part.WhichOneof("part") == "metadata":
            return part.metadata
        break
    raise InvalidArgument("upload_metadata_missing", "Send the document's metadata before its bytes.")


async def _data(
    parts: AsyncIterator[knowledge_pb2.UploadDocumentRequest], metadata: knowledge_pb2.UploadMetadata
) -> AsyncIterator[bytes]:
    """The document's bytes. Metadata at their end replace the first: a form's fields may follow its file."""
    ended = False
    async for part in parts:
        if ended:
            raise InvalidArgument("upload_metadata_repeated", "Send the document's metadata first, and last at most.")
        if part.WhichOneof("part") == "metadata":
            metadata.CopyFrom(part.metadata)
            ended = True
        else:
            yield part.data


def _described_upload(metadata: knowledge_pb2.UploadMetadata) -> Described:
    title = metadata.title.strip() or title_from_file_name(plain_file_name(metadata.file_name))
    return Described(title, metadata.category, tuple(metadata.tags), language=metadata.language)


def _fingerprint_content(metadata: knowledge_pb2.UploadMetadata, upload: Upload) -> None:
    """The same key must come with the same bytes and the same words; the gateway cannot know either before it sends."""
    call = current_call()
    words = sha256_hex(metadata.SerializeToString(deterministic=True))
    # One by each secret of the gateways.
    call.idempotency_fingerprint = ",".join(
        f"{each}:{words}:{upload.sha256}" for each in call.idempotency_fingerprint.split(",")
    )
