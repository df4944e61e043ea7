"""The knowledge service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from functools import partial
from pathlib import Path

from echosenseix.common.v1.common_pb2_grpc import add_StatusServiceServicer_to_server
from echosenseix.jobs.v1.jobs_pb2_grpc import add_JobsServiceServicer_to_server
from echosenseix.knowledge.v1.knowledge_pb2_grpc import add_KnowledgeServiceServicer_to_server
from libs.blobs import BlobStore
from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.clock import SystemClock
from libs.events import OutboxRelay
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobsServicer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.status import StatusServicer
from libs.runtime import Runtime, service_main
from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed import choose_embedder
from services.knowledge.embed.cached import CachedQueries
from services.knowledge.extract.process import ExtractionLimits
from services.knowledge.jobs import KnowledgeJobs
from services.knowledge.operations.indexing import Indexing
from services.knowledge.operations.searching import Searching
from services.knowledge.operations.upload import Uploads
from services.knowledge.servicer import KnowledgeServicer
from services.knowledge.storage.chunks import Chunks
from services.knowledge.storage.entries import Documents, Entries
from services.knowledge.storage.searches import Searches
from services.knowledge.storage.vectors import VectorSupport

SERVICE = "knowledge"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[KnowledgeSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    embedder = choose_embedder(settings, threads=1)
    runtime.on_close("embedder", embedder.close)
    blobs, cursors = BlobStore.from_url(settings.blobs_url), CursorCodec.from_base64(settings.cursor_key)
    documents = Documents(database)
    uploads = Uploads(blobs, documents, settings.document_bytes)
    searching = Searching(Searches(database), CachedQueries(embedder), VectorSupport(database))
    knowledge = KnowledgeServicer(
        database, Entries(database, cursors), documents, Chunks(database, cursors), blobs, uploads, searching,
        SystemClock(), embedder.model,
    )  # fmt: skip
    ping = partial(redis_ping, settings.redis_url)
    status = StatusServicer(settings, SERVICE, database=database, redis_ping=ping, bus=bus)
    await runtime.serve_rpc(
        [
            (add_KnowledgeServiceServicer_to_server, knowledge),
            (add_JobsServiceServicer_to_server, JobsServicer(SERVICE, database, cursors)),
            (add_StatusServiceServicer_to_server, status),
        ]
    )


async def work(runtime: Runtime[KnowledgeSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    embedder = choose_embedder(settings, threads=settings.embed_threads)
    runtime.on_close("embedder", embedder.close)
    blobs, cursors = BlobStore.from_url(settings.blobs_url), CursorCodec.from_base64(settings.cursor_key)
    chunks = Chunks(database, cursors)
    indexing = Indexing(blobs, chunks, embedder, VectorSupport(database), ExtractionLimits.of(settings))
    stored, documents = Entries(database, cursors), Documents(database)
    jobs = KnowledgeJobs(database, stored, documents, chunks, blobs, indexing, SystemClock(), embedder.model)
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, jobs.handlers()).run)


if __name__ == "__main__":
    service_main(SERVICE, KnowledgeSettings, serve=serve, work=work, migrations=MIGRATIONS)
