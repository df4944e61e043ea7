"""The knowledge service on real stores: its servicer, its worker and the real model, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.blobs import BlobStore
from libs.bus import Bus
from libs.clock import SystemClock
from libs.config import ServiceSettings
from libs.http import OutboundClient, forbidden_address
from libs.ids import new_id
from libs.jobs import JobKind, Worker
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Principal
from libs.sandbox import Sandbox, Usage
from local.stores import Stores
from services.knowledge.embed.cached import CachedQueries
from services.knowledge.embed.embedder import Embedder, EmbedderUnavailable, Vector
from services.knowledge.embed.local import LocalEmbedder
from services.knowledge.extract.reader import Budget, DocumentReader, Reading, document_sandbox
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

SAMPLES = Path(__file__).resolve().parents[4] / "services" / "knowledge" / "samples"
PATIENCE = 120.0
LIMIT = 25 * 1024 * 1024
LOOPBACK = ("127.0.0.1:1-65535",)
SANDBOX = document_sandbox()


@contextmanager
def as_org(
    org: str, *, key: str = "", fingerprint: str = "", scopes: tuple[str, ...] = ("*",)
) -> Iterator[CallContext]:
    principal = Principal(
        org_id=org, user_id="usr_1", session_id="ses_1", role="owner", scopes=frozenset(scopes), issuer="gateway"
    )
    with serving(CallContext(idempotency_key=key, idempotency_fingerprint=fingerprint), principal) as call:
        yield call


@dataclass
class Service:
    """`servicer` answers calls; `work()` runs a worker while the block lasts."""

    database: Database
    settings: ServiceSettings
    blobs: BlobStore
    blob_folder: Path
    entries: Entries
    documents: Documents
    servicer: KnowledgeServicer
    jobs: KnowledgeJobs
    source_jobs: SourceJobs
    sources: SourceServicer
    bus: Bus

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        worker = Worker(self.settings, "knowledge", self.database, self.bus, job_handlers(self.jobs, self.source_jobs))
        running = asyncio.create_task(worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await running

    def with_embedder(self, embedder: Embedder) -> Service:
        """The same stores, asked by a process with another model."""
        return assemble(self.database, self.bus, self.blob_folder, embedder, Budget())

    async def run_cron(self, kind: JobKind) -> None:
        """What the schedule would do: one job of no organization."""
        async with self.database.system_transaction() as conn:
            job_id = await kind.enqueue(conn, "")
        assert (await self.until_job_ended(job_id))["state"] == "completed"

    async def upload(
        self, org: str, content: bytes, name: str, *, key: str = "", piece: int = 65536, **metadata: Any
    ) -> pb.UploadDocumentResponse:
        async def parts() -> AsyncIterator[pb.UploadDocumentRequest]:
            yield pb.UploadDocumentRequest(metadata=pb.UploadMetadata(file_name=name, **metadata))
            for start in range(0, len(content), piece):
                yield pb.UploadDocumentRequest(data=content[start : start + piece])

        with as_org(org, key=key, fingerprint="POST /upload"):
            return await self.servicer.UploadDocument(parts(), None)

    async def create(self, org: str, title: str, content: str, **fields: Any) -> pb.CreateEntryResponse:
        with as_org(org):
            entry = pb.Entry(title=title, content=content, **fields)
            return await self.servicer.CreateEntry(pb.CreateEntryRequest(entry=entry), None)

    async def update(self, org: str, entry_id: str, **fields: Any) -> pb.Entry:
        with as_org(org):
            request = pb.UpdateEntryRequest(entry=pb.Entry(id=entry_id, **fields))
            request.update_mask.paths.extend(fields)
            return (await self.servicer.UpdateEntry(request, None)).entry

    async def document(self, org: str, document_id: str) -> pb.Document:
        with as_org(org):
            return (await self.servicer.GetDocument(pb.GetDocumentRequest(id=document_id), None)).document

    async def entry(self, org: str, entry_id: str) -> pb.Entry:
        with as_org(org):
            return (await self.servicer.GetEntry(pb.GetEntryRequest(id=entry_id), None)).entry

    async def until_settled(self, org: str, entry_id: str) -> pb.Entry:
        """The entry once no build of it is under way."""
        async with asyncio.timeout(PATIENCE):
            while (entry := await self.entry(org, entry_id)).status == pb.DOCUMENT_STATUS_PROCESSING:
                await asyncio.sleep(0.05)
        return entry

    async def until_job_ended(self, job_id: str) -> Any:
        async with asyncio.timeout(PATIENCE):
            while (job := await self.job(job_id))["state"] in ("scheduled", "queued", "running"):
                await asyncio.sleep(0.05)
        return job

    async def search(
        self, org: str, query: str, mode: pb.SearchMode.ValueType = pb.SEARCH_MODE_HYBRID, **more: Any
    ) -> pb.SearchResponse:
        with as_org(org):
            return await self.servicer.Search(pb.SearchRequest(query=query, mode=mode, **more), None)

    async def context(self, org: str, query: str, **more: Any) -> pb.AnswerContextResponse:
        with as_org(org):
            return await self.servicer.AnswerContext(pb.AnswerContextRequest(query=query, **more), None)

    async def list_documents(self, org: str, **more: Any) -> pb.ListDocumentsResponse:
        with as_org(org):
            return await self.servicer.ListDocuments(pb.ListDocumentsRequest(**more), None)

    async def events(self, org: str) -> list[str]:
        """Topics in the outbox of the organization, oldest first."""
        rows = await self.database.system_fetch("select x.topic from outbox x where x.org_id = $1 order by x.id", org)
        return [row["topic"] for row in rows]

    async def job(self, job_id: str) -> Any:
        return await self.database.system_fetchrow(
            "select j.state, j.error_code, j.attempt, j.progress from job j where j.id = $1", job_id
        )


@pytest.fixture(scope="session")
def model() -> LocalEmbedder:
    return LocalEmbedder(2)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def build_service(
    service_database: Callable[..., Awaitable[Database]],
    stores: Stores,
    model: LocalEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Callable[..., Awaitable[Service]]]:
    buses: list[Bus] = []

    async def build(
        embedder: Embedder = model,
        limits: Budget | None = None,
        cpu_seconds: float = 1e9,
        scans: Sandbox | None = None,
    ) -> Service:
        database = await service_database("knowledge")
        bus = await Bus.connect(stores.nats_url, "test-knowledge")
        buses.append(bus)
        return assemble(
            database, bus, tmp_path_factory.mktemp("blobs"), embedder, limits or Budget(), cpu_seconds, scans
        )

    yield build
    for bus in buses:
        await bus.close()


def assemble(
    database: Database,
    bus: Bus,
    folder: Path,
    embedder: Embedder,
    limits: Budget,
    cpu_seconds: float = 1e9,
    scans: Sandbox | None = None,
) -> Service:
    cursors, blobs = CursorCodec(b"c" * 32), BlobStore.from_url(f"file://{folder}")
    stored, documents, chunks = Entries(database, cursors), Documents(database, cursors), Chunks(database, cursors)
    searching = Searching(Searches(database), CachedQueries(embedder), VectorSupport(database))
    reader = DocumentReader(Reading(SANDBOX, limits), Reading(scans, limits) if scans else None)
    indexing = Indexing(blobs, chunks, embedder, VectorSupport(database), reader)
    clock = SystemClock()
    uploads, taking = Uploads(blobs, documents, LIMIT), Taking(database, stored, documents, clock)
    sources = Sources(database, cursors)
    fetching = Fetching(OutboundClient(LOOPBACK), LIMIT)
    syncing = Syncing(database, sources, stored, uploads, taking, fetching)
    return Service(
        database=database,
        settings=replace(database.settings, worker_concurrency=4),
        blobs=blobs,
        blob_folder=folder,
        entries=stored,
        documents=documents,
        servicer=KnowledgeServicer(
            database,
            stored,
            documents,
            chunks,
            blobs,
            uploads,
            taking,
            searching,
            clock,
            embedder.model,
        ),
        jobs=KnowledgeJobs(
            database,
            stored,
            documents,
            chunks,
            blobs,
            indexing,
            clock,
            embedder.model,
            Computing(database),
            cpu_seconds,
        ),
        source_jobs=SourceJobs(database, sources, syncing, clock),
        sources=SourceServicer(database, sources, taking, clock, partial(forbidden_address, allow=LOOPBACK)),
        bus=bus,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(build_service: Callable[..., Awaitable[Service]]) -> AsyncIterator[Service]:
    """With a worker running."""
    built = await build_service()
    async with built.work():
        yield built


@pytest_asyncio.fixture(scope="session", loop_scope="session", autouse=True)
async def closed_sandbox() -> AsyncIterator[None]:
    yield
    await SANDBOX.close()


@pytest.fixture
def org() -> str:
    return new_id("org")


class Counting:
    """An embedder that remembers what it was asked; its vectors carry no meaning."""

    languages: frozenset[str] | None = None

    def __init__(self, model: str = "counting") -> None:
        self.model = model
        self.asked: list[str] = []
        self.down = False

    async def embed_question(self, question: str) -> Vector:
        return (await self.embed([question]))[0]

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        if self.down:
            raise EmbedderUnavailable
        self.asked += texts
        return [[1.0, *[0.0] * 383] for _ in texts]

    async def close(self) -> None:
        return None
