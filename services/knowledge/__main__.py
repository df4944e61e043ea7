"""The knowledge service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from echosenseix.knowledge.v1.knowledge_pb2_grpc import (
    add_KnowledgeServiceServicer_to_server,
    add_SourceServiceServicer_to_server,
)
from libs.blobs import BlobStore
from libs.clock import SystemClock
from libs.http import OutboundClient, forbidden_address
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed import documents_embedder, questions_embedder
from services.knowledge.embed.cached import CachedQueries
from services.knowledge.extract.reader import Budget, DocumentReader, Reading, document_sandbox, scan_sandbox
from services.knowledge.jobs import KnowledgeJobs, SourceJobs, job_handlers
from services.knowledge.operations.fetching import Fetching
from services.knowledge.operations.indexing import Indexing
from services.knowledge.operations.searching import Searching
from services.knowledge.operations.syncing import Syncing
from services.knowledge.operations.taking import Taking
from services.knowledge.operations.upload import Uploads
from services.knowledge.servicer import KnowledgeServicer, SourceServicer
from services.knowledge.storage.budget import Computing
from services.knowledge.storage.chunks import Chunks
from services.knowledge.storage.entries import Documents, Entries
from services.knowledge.storage.searches import Searches
from services.knowledge.storage.sources import Sources
from services.knowledge.storage.vectors import VectorSupport
from suite.services import KNOWLEDGE as SERVICE
from suite.tables import QUOTAS

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[KnowledgeSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors = service.settings, service.database, service.cursors
    embedder = questions_embedder(settings)
    runtime.on_close("embedder", embedder.close)
    blobs = BlobStore.from_url(settings.blobs_url)
    documents = Documents(database, cursors)
    uploads = Uploads(blobs, documents, settings.document_bytes, pictures=settings.reads_scans)
    searching = Searching(Searches(database), CachedQueries(embedder), VectorSupport(database))
    stored = Entries(database, cursors)
    taking = Taking(database, stored, documents, SystemClock())
    knowledge = KnowledgeServicer(
        database, stored, documents, Chunks(database, cursors), blobs, uploads, taking, searching, SystemClock(),
        embedder.model,
    )  # fmt: skip
    is_forbidden = partial(forbidden_address, allow=settings.outbound_allow)
    sources = SourceServicer(database, Sources(database, cursors), taking, SystemClock(), is_forbidden)
    await service.serve(
        (add_KnowledgeServiceServicer_to_server, knowledge),
        (add_SourceServiceServicer_to_server, sources),
    )


async def work(runtime: Runtime[KnowledgeSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors = service.settings, service.database, service.cursors
    embedder = documents_embedder(settings)
    runtime.on_close("embedder", embedder.close)
    blobs = BlobStore.from_url(settings.blobs_url)
    chunks = Chunks(database, cursors)
    sandbox = document_sandbox()
    runtime.on_close("sandbox", sandbox.close)
    scans = Reading(scan_sandbox(), Budget.of_scans(settings)) if settings.reads_scans else None
    if scans is not None:
        runtime.on_close("scans", scans.sandbox.close)
    reader = DocumentReader(Reading(sandbox, Budget.of(settings)), scans)
    indexing = Indexing(blobs, chunks, embedder, VectorSupport(database), reader)
    stored, documents = Entries(database, cursors), Documents(database, cursors)
    jobs = KnowledgeJobs(
        database, stored, documents, chunks, blobs, indexing, SystemClock(), embedder.model, Computing(database),
        settings.index_cpu_seconds,
    )  # fmt: skip
    fetching = Fetching(OutboundClient(settings.outbound_allow), settings.document_bytes)
    runtime.on_close("fetching", fetching.close)
    sources = Sources(database, cursors)
    uploads = Uploads(blobs, documents, settings.document_bytes, pictures=settings.reads_scans)
    taking = Taking(database, stored, documents, SystemClock())
    syncing = Syncing(database, sources, stored, uploads, taking, fetching)
    service.work(job_handlers(jobs, SourceJobs(database, sources, syncing, SystemClock())))


if __name__ == "__main__":
    service_main(
        SERVICE.name, KnowledgeSettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS,
    )  # fmt: skip
