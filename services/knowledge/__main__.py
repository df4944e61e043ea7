"""The knowledge service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from __future__ import annotations

from pathlib import Path

from echosenseix.knowledge.v1.knowledge_pb2_grpc import add_KnowledgeServiceServicer_to_server
from libs.blobs import BlobStore
from libs.clock import SystemClock
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed import documents_embedder, questions_embedder
from services.knowledge.embed.cached import CachedQueries
from services.knowledge.extract.reader import Budget, DocumentReader, document_sandbox
from services.knowledge.jobs import KnowledgeJobs, job_handlers
from services.knowledge.operations.indexing import Indexing
from services.knowledge.operations.searching import Searching
from services.knowledge.operations.upload import Uploads
from services.knowledge.servicer import KnowledgeServicer
from services.knowledge.storage.budget import Computing
from services.knowledge.storage.chunks import Chunks
from services.knowledge.storage.entries import Documents, Entries
from services.knowledge.storage.searches import Searches
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
    uploads = Uploads(blobs, documents, settings.document_bytes)
    searching = Searching(Searches(database), CachedQueries(embedder), VectorSupport(database))
    knowledge = KnowledgeServicer(
        database, Entries(database, cursors), documents, Chunks(database, cursors), blobs, uploads, searching,
        SystemClock(), embedder.model,
    )  # fmt: skip
    await service.serve(
        (add_KnowledgeServiceServicer_to_server, knowledge),
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
    reader = DocumentReader(sandbox, Budget.of(settings))
    indexing = Indexing(blobs, chunks, embedder, VectorSupport(database), reader)
    stored, documents = Entries(database, cursors), Documents(database, cursors)
    jobs = KnowledgeJobs(
        database, stored, documents, chunks, blobs, indexing, SystemClock(), embedder.model, Computing(database),
        settings.index_cpu_seconds,
    )  # fmt: skip
    service.work(job_handlers(jobs))


if __name__ == "__main__":
    service_main(
        SERVICE.name, KnowledgeSettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS,
    )  # fmt: skip
