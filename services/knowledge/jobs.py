"""The service's jobs: document.process builds an entry's index and swaps it, source.refresh brings a source's entries
to what its address says; the others clean up after what ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from libs.blobs import BlobStore
from libs.clock import Clock, monotonic
from libs.errors import AppError, NotFound
from libs.events.outbox import append
from libs.jobs import Cancel, Discard, Handlers, JobContext, Lane, Snooze
from libs.jobs.enqueue import enqueue_many
from libs.postgres import Connection, Database
from libs.sandbox import Usage
from services.knowledge.domain import entry as entries
from services.knowledge.domain.entry import BuiltIndex, Document, Entry, Status
from services.knowledge.domain.source import not_refreshed, refreshed
from services.knowledge.extract.reader import RecognitionBusy
from services.knowledge.extract.refusal import Refusal
from services.knowledge.mapping.events import document_event, entry_event
from services.knowledge.operations.enqueueing import (
    DELETE_BLOBS,
    PROCESS,
    RECONCILE,
    REFRESH,
    SOURCE_REFRESH,
    SOURCE_SCHEDULE,
    SWEEP,
    enqueue_blob_deletion,
    enqueue_build,
)
from services.knowledge.operations.indexing import Indexing, Progress, Superseded
from services.knowledge.operations.syncing import Syncing
from services.knowledge.storage.budget import Computing
from services.knowledge.storage.chunks import Build, Chunks
from services.knowledge.storage.entries import Documents, Entries, Stranded
from services.knowledge.storage.sources import Sources
from suite.tables import kept

# Seconds between writes of progress.
_SECONDS_BETWEEN_WRITES = 0.5
# Documents without a job that one run reports.
_STRANDED_AT_ONCE = 100
# Entries that one run enqueues for the new model.
_OUTDATED_AT_ONCE = 200
# Sources whose refresh one run enqueues. The others wait for the next minute.
_DUE_AT_ONCE = 500
# Chunks from which the planner's statistics are refreshed.
_BULK = 500
# Seconds before a document is tried again while its organization's budget is used up.
_SECONDS_UNTIL_BUDGET = 60.0
_SUPERSEDED = "A newer version took this one's place before it was read."


def job_handlers(jobs: KnowledgeJobs, sources: SourceJobs) -> Handlers:
    handlers = Handlers()
    handlers.add(PROCESS, jobs.process)
    handlers.add(DELETE_BLOBS, jobs.delete_blobs)
    handlers.add(RECONCILE, jobs.reconcile)
    handlers.add(REFRESH, jobs.refresh)
    handlers.add(SWEEP, jobs.sweep)
    handlers.add(SOURCE_REFRESH, sources.refresh)
    handlers.add(SOURCE_SCHEDULE, sources.schedule)
    handlers.queue(PROCESS.queue, max_running_per_org=2)
    handlers.queue(SOURCE_REFRESH.queue, max_running_per_org=2)
    handlers.cron("document.reconcile", "* * * * *", RECONCILE, catch_up="none")
    handlers.cron("index.refresh", "*/10 * * * *", REFRESH, catch_up="none")
    handlers.cron("source.schedule", "* * * * *", SOURCE_SCHEDULE, catch_up="none")
    handlers.cron("index.sweep", "17 3 * * *", SWEEP)
    return handlers


class KnowledgeJobs:
    def __init__(
        self,
        database: Database,
        stored: Entries,
        documents: Documents,
        chunks: Chunks,
        blobs: BlobStore,
        indexing: Indexing,
        clock: Clock,
        embedding_model: str,
        computing: Computing,
        cpu_seconds_an_hour: float,
    ) -> None:
        self._database = database
        self._entries = stored
        self._documents = documents
        self._chunks = chunks
        self._blobs = blobs
        self._indexing = indexing
        self._clock = clock
        self._embedding_model = embedding_model
        self._computing = computing
        self._cpu_seconds_an_hour = cpu_seconds_an_hour

    async def process(self, ctx: JobContext) -> Mapping[str, Any] | None:
        """Reads the document (or the entry's text), builds its index beside the old one, swaps in one transaction."""
        (entry, document), spent = await asyncio.gather(
            self._wanted(ctx), self._computing.spent_seconds(ctx.job.org_id)
        )
        if spent >= self._cpu_seconds_an_hour:
            raise Snooze(_SECONDS_UNTIL_BUDGET, "indexing_budget_spent")
        try:
            await self._index(ctx, entry, document)
        except Superseded:
            await self._record_failure(ctx, entry, document, "superseded", _SUPERSEDED)
            raise Cancel("superseded") from None
        except RecognitionBusy:
            raise Snooze(self._indexing.seconds_to_recognition, "recognition_busy") from None
        except Refusal as refusal:
            await self._record_failure(ctx, entry, document, refusal.reason, refusal.sentence)
            raise Discard(refusal.reason, refusal.sentence) from None
        except AppError as error:
            if ctx.job.attempt >= ctx.job.max_attempts:
                await self._record_failure(ctx, entry, document, error.reason, error.detail)
            raise
        return None

    async def _index(self, ctx: JobContext, entry: Entry, document: Document | None) -> None:
        """What it took of the processor is written down however it ends."""
        report, usage = _Report(ctx, self._documents, document), Usage()
        try:
            build, built = await self._indexing.build(entry, document, report, lambda: ctx.cancelled, usage)
            if built.chunk_count >= _BULK:
                await self._chunks.learn_of_many(build.org_id)
            await self._swap(ctx, build, built, document, usage)
        except BaseException:
            if usage.cpu_seconds and not ctx.finished:
                await asyncio.shield(self._spend(entry.org_id, usage))
            raise

    async def _spend(self, org_id: str, usage: Usage) -> None:
        async with self._database.transaction(org_id) as conn:
            await self._computing.spend(conn, org_id, usage.cpu_seconds)

    async def _wanted(self, ctx: JobContext) -> tuple[Entry, Document | None]:
        try:
            entry, document = await asyncio.gather(
                self._entries.get(ctx.job.org_id, ctx.job.args["entryId"]), self._document(ctx)
            )
        except NotFound:
            raise Cancel("superseded") from None
        if entry.wanted_build != ctx.job.id:
            await self._record_failure(ctx, entry, document, "superseded", _SUPERSEDED)
            raise Cancel("superseded")
        return entry, document

    async def _document(self, ctx: JobContext) -> Document | None:
        wanted = ctx.job.args["documentId"]
        return await self._documents.get(ctx.job.org_id, wanted) if wanted else None

    async def _swap(
        self, ctx: JobContext, build: Build, built: BuiltIndex, document: Document | None, usage: Usage
    ) -> None:
        now = self._clock.now()
        result = {"entryId": build.entry_id, "chunks": built.chunk_count, "pages": built.page_count}
        async with ctx.finish(result) as conn:
            entry = await self._still_wanted(conn, build)
            entry = entries.swap_index(entry, document, built, now)
            if entry.language != built.language:  # it was set, or set free, while this build ran
                job_id = await enqueue_build(conn, entry, document.id if document else "")
                entry = entries.want_build(entry, job_id)
            await self._entries.save(conn, entry)
            await self._chunks.drop_others(conn, build)
            if document is not None:
                await self._complete(conn, document, built, entry)
            await append(conn, entry_event("entry.updated", entry))
            await self._computing.spend(conn, build.org_id, usage.cpu_seconds)

    async def _still_wanted(self, conn: Connection, build: Build) -> Entry:
        try:
            entry = await self._entries.lock(conn, build.org_id, build.entry_id)
        except NotFound:
            raise Superseded from None
        if entry.wanted_build != build.wanted:
            raise Superseded
        return entry

    async def _complete(self, conn: Connection, document: Document, built: BuiltIndex, entry: Entry) -> None:
        document = await self._documents.lock(conn, document.org_id, document.id)
        document = entries.complete_document(document, built, self._clock.now())
        await self._documents.save(conn, document)
        await enqueue_blob_deletion(conn, document.org_id, await self._documents.release_blobs(conn, document))
        await append(conn, document_event("document.processed", document, entry.title))

    async def _record_failure(
        self, ctx: JobContext, entry: Entry, document: Document | None, code: str, message: str
    ) -> None:
        """Once: a second attempt finds the document failed already."""
        lost = Stranded(entry.org_id, entry.id, document.id if document else "", ctx.job.id, code, message)
        async with self._database.transaction(entry.org_id) as conn:
            await self._fail(conn, lost)

    async def _fail(self, conn: Connection, lost: Stranded) -> None:
        """The document says why; the entry too, when it was waiting for just this job."""
        try:
            entry = await self._entries.lock(conn, lost.org_id, lost.entry_id)
        except NotFound:
            return
        now = self._clock.now()
        if lost.document_id:
            document = await self._documents.lock(conn, lost.org_id, lost.document_id)
            if document.status is Status.PROCESSING:
                document = entries.fail_document(document, lost.code, lost.message, now)
                await self._documents.save(conn, document)
                await append(conn, document_event("document.failed", document, entry.title))
        if entry.status is Status.PROCESSING and entry.wanted_build == lost.job_id:
            entry = entries.fail_entry(entry, lost.code, lost.message, now)
            await self._entries.save(conn, entry)
            await append(conn, entry_event("entry.updated", entry))

    async def delete_blobs(self, ctx: JobContext) -> None:
        for key in ctx.job.args["keys"]:
            await self._blobs.delete(key)

    async def reconcile(self, ctx: JobContext) -> None:
        """Mark as failed what waits for a job that was cancelled or has disappeared."""
        async with ctx.finish() as conn:
            for lost in await self._documents.stranded(conn, _STRANDED_AT_ONCE):
                await self._fail(conn, lost)

    async def refresh(self, ctx: JobContext) -> None:
        """Entries whose vectors another model made are embedded again, some at a time."""
        async with ctx.finish() as conn:
            for org_id, entry_id in await self._entries.outdated(conn, self._embedding_model, _OUTDATED_AT_ONCE):
                await self._build_again(conn, org_id, entry_id)

    async def _build_again(self, conn: Connection, org_id: str, entry_id: str) -> None:
        entry = await self._entries.lock(conn, org_id, entry_id)
        job_id = await enqueue_build(conn, entry, entry.document_id, lane=Lane.LOW)
        await self._entries.save(conn, entries.want_build(entry, job_id))

    async def sweep(self, ctx: JobContext) -> None:
        async with ctx.finish() as conn:
            await self._chunks.sweep(conn)
            await self._computing.forget_old(conn)
            await self._documents.forget_replaced(conn, self._clock.now() - kept("knowledge", "document"))


class SourceJobs:
    def __init__(self, database: Database, sources: Sources, syncing: Syncing, clock: Clock) -> None:
        self._database = database
        self._sources = sources
        self._syncing = syncing
        self._clock = clock

    async def refresh(self, ctx: JobContext) -> Mapping[str, Any] | None:
        """Safe to run twice: pages that did not change cost a conditional request."""
        org_id, source_id = ctx.job.org_id, ctx.job.args["sourceId"]
        try:
            source = await self._sources.get(org_id, source_id)
            pages, changed = await self._syncing.sync(source, ctx.progress)
        except NotFound:
            raise Cancel("source_deleted") from None
        except AppError as error:
            await self._say_stale(org_id, source_id, error)
            if error.retry_after is None:
                raise Discard(error.reason, error.detail) from None
            raise
        async with ctx.finish({"sourceId": source_id, "pages": pages, "changed": changed}) as conn:
            source = await self._sources.lock(conn, org_id, source_id)
            await self._sources.save(conn, refreshed(source, pages, changed, self._clock.now()))
        return None

    async def _say_stale(self, org_id: str, source_id: str, error: AppError) -> None:
        with suppress(NotFound):
            async with self._database.transaction(org_id) as conn:
                source = await self._sources.lock(conn, org_id, source_id)
                stale = not_refreshed(source, error.reason, error.detail, self._clock.now())
                await self._sources.save(conn, stale)

    async def schedule(self, ctx: JobContext) -> None:
        """Enqueues what is due; the unique key keeps a source that waits from being enqueued twice."""
        async with ctx.finish() as conn:
            due = await self._sources.due(conn, self._clock.now(), _DUE_AT_ONCE)
            await enqueue_many(conn, [SOURCE_REFRESH.new(org_id, {"sourceId": source}) for org_id, source in due])


class _Report:
    """Writes progress to the document and to the job, at most twice a second; a document that is read at once has
    none."""

    def __init__(self, ctx: JobContext, documents: Documents, document: Document | None) -> None:
        self._ctx = ctx
        self._documents = documents
        self._document = document
        self._next = monotonic() + _SECONDS_BETWEEN_WRITES

    async def __call__(self, progress: Progress) -> None:
        if monotonic() < self._next:
            return
        self._next = monotonic() + _SECONDS_BETWEEN_WRITES
        writes = [self._ctx.progress(progress.percent)]
        if self._document is not None:
            pages = (progress.total_pages, progress.processed_pages)
            writes.append(self._documents.record_progress(self._document, progress.percent, *pages))
        await asyncio.gather(*writes)
