"""What happens to a document whose job is cancelled, dies or is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest

from echosenseix.jobs.v1 import jobs_pb2
from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.ids import new_id
from libs.paging import CursorCodec
from libs.runtime.service import JobsServicer
from libs.sandbox import Usage
from services.knowledge.embed.embedder import Vector
from services.knowledge.embed.local import LocalEmbedder
from services.knowledge.operations.enqueueing import RECONCILE, SWEEP
from services.knowledge.storage.budget import Computing
from services.knowledge.storage.chunks import Build, Chunks
from services.knowledge.storage.entries import Documents

from .conftest import SAMPLES, Service, as_org


@pytest.fixture
def book() -> bytes:
    return (SAMPLES / "americas.pdf").read_bytes()


class HeldEmbedder:
    """The real model for the first batch; the next one waits, so that a job is in the middle of its work."""

    def __init__(self, model: LocalEmbedder) -> None:
        self._real = model
        self.model = model.model
        self.held = asyncio.Event()
        self._batches = 0

    async def embed_question(self, question: str) -> Vector:
        return (await self.embed([question]))[0]

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        self._batches += 1
        if self._batches > 1:
            self.held.set()
            await asyncio.Event().wait()
        return await self._real.embed(texts)

    async def close(self) -> None:
        await self._real.close()


async def test_a_cancelled_job_stops_and_its_document_says_so(
    build_service: Callable[..., Awaitable[Service]], model: LocalEmbedder, org: str, book: bytes
) -> None:
    embedder = HeldEmbedder(model)
    service = await build_service(embedder)
    async with service.work():
        made = await service.upload(org, book, "americas.pdf")
        async with asyncio.timeout(120):
            await embedder.held.wait()
        with as_org(org):
            jobs = JobsServicer("knowledge", "knowledge", service.database, CursorCodec(b"c" * 32))
            await jobs.CancelJob(jobs_pb2.CancelJobRequest(id=made.job_id), None)
        assert (await service.until_job_ended(made.job_id))["state"] == "cancelled"
        await service.run_cron(RECONCILE)

    document = await service.document(org, made.document_id)
    entry = await service.entry(org, made.entry_id)
    assert (document.status, document.error_code) == (pb.DOCUMENT_STATUS_FAILED, "processing_cancelled")
    assert (entry.status, entry.error_code) == (pb.DOCUMENT_STATUS_FAILED, "processing_cancelled")
    assert await _chunks(service, made.entry_id) == 0
    assert (await service.events(org))[-2:] == ["document.failed", "entry.updated"]


async def test_a_document_whose_job_died_is_told_as_failed_once(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    service = await build_service()
    made = await service.upload(org, b"Words.", "a.txt")
    await service.database.system_fetch(
        "update job set state = 'failed', error_code = 'job_stalled', error_message = 'It stalled.', "
        "finished_at = clock_timestamp() where id = $1",
        made.job_id,
    )

    async with service.work():
        await service.run_cron(RECONCILE)
        await service.run_cron(RECONCILE)

    document = await service.document(org, made.document_id)
    assert (document.status, document.error_code) == (pb.DOCUMENT_STATUS_FAILED, "job_stalled")
    assert await service.events(org) == ["entry.created", "document.uploaded", "document.failed", "entry.updated"]


async def test_a_text_entry_whose_job_is_gone_is_told_as_failed(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    service = await build_service()
    made = await service.create(org, "A", "Words.")
    await service.database.system_fetch("delete from job where id = $1", made.job_id)

    async with service.work():
        await service.run_cron(RECONCILE)

    entry = await service.entry(org, made.entry.id)
    assert (entry.status, entry.error_code) == (pb.DOCUMENT_STATUS_FAILED, "processing_failed")


async def test_a_superseded_document_does_not_fail_its_entry(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    service = await build_service()
    first = await service.upload(org, b"Old words.", "a.txt")
    second = await service.upload(org, b"New words.", "b.txt", entry_id=first.entry_id)

    async with service.work():
        entry = await service.until_settled(org, first.entry_id)
        await service.until_job_ended(first.job_id)

    assert (entry.status, entry.document_id, entry.error_code) == (pb.DOCUMENT_STATUS_COMPLETED, second.document_id, "")
    old = await service.document(org, first.document_id)
    assert (old.status, old.error_code) == (pb.DOCUMENT_STATUS_FAILED, "superseded")


async def test_a_worker_that_comes_back_late_changes_nothing(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    """Rows that a lost attempt staged are never seen, and the next attempt clears them."""
    service = await build_service()
    made = await service.upload(org, b"Words that stay.", "a.txt")
    entry = await service.entries.get(org, made.entry_id)
    lost = Build(org, entry.id, entry.wanted_build, f"{entry.wanted_build}.try_lost")
    await _stage(service, lost)

    async with service.work():
        await service.until_settled(org, made.entry_id)
        hits = (await service.search(org, "words")).hits

    assert [hit.text for hit in hits] == ["Words that stay."]
    assert await _chunks(service, made.entry_id) == 1
    assert not await _stage(service, Build(org, entry.id, "bld_superseded", "bld_superseded.try_1"))


async def test_what_no_one_cleaned_up_is_swept(build_service: Callable[..., Awaitable[Service]], org: str) -> None:
    service = await build_service()
    async with service.work():
        made = await service.create(org, "A", "Words that stay.")
        entry = await service.until_settled(org, made.entry.id)
        stored = await service.entries.get(org, entry.id)
        await _stage(service, Build(org, entry.id, stored.wanted_build, "bld_orphan.try_1"))
        await service.database.system_fetch("update chunk set created_at = created_at - interval '2 days'")
        assert await _chunks(service, entry.id) == 2

        await service.run_cron(SWEEP)

        assert await _chunks(service, entry.id) == 1
        assert len((await service.search(org, "words")).hits) == 1


async def _stage(service: Service, build: Build) -> bool:
    from services.knowledge.domain.chunking import ChunkDraft
    from services.knowledge.storage.chunks import Chunks

    chunks = Chunks(service.database, CursorCodec(b"c" * 32))
    return await chunks.stage(build, "en", [ChunkDraft(0, "Words of a ghost.", "", 0, 4, False, 0, 17)], None)


async def _chunks(service: Service, entry_id: str) -> int:
    return int(await service.database.system_fetchval("select count(*) from chunk c where c.entry_id = $1", entry_id))


async def test_a_long_document_is_analyzed_before_its_swap(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    service = await build_service(_Flat())
    text = "\n\n".join(f"# Part {number}\n\nWords of part {number}." for number in range(600))
    made = await service.upload(org, text.encode(), "long.md")

    async with service.work():
        entry = await service.until_settled(org, made.entry_id)

    assert entry.chunk_count == 600
    assert await service.database.system_fetchval("select reltuples from pg_class where relname = 'chunk'") == 600


class _Flat:
    """An embedder without a model: every text is alike."""

    model = "flat"

    async def embed_question(self, question: str) -> Vector:
        return (await self.embed([question]))[0]

    async def embed(self, texts: Sequence[str], usage: Usage | None = None) -> list[Vector]:
        return [[1.0, *[0.0] * 383] for _ in texts]

    async def close(self) -> None:
        return None


_ATTEMPTS = "select array_agg(a.outcome) from job_attempt a where a.job_id = $1"


async def test_an_organization_that_spent_its_processor_time_waits_and_others_do_not(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    service = await build_service(cpu_seconds=100.0)
    other = new_id("org")
    async with service.database.transaction(org) as conn:
        await Computing(service.database).spend(conn, org, 100.0)
    async with service.work():
        waiting = await service.create(org, "Waiting", "These words wait.")
        done = await service.create(other, "Done", "These words do not.")
        await service.until_settled(other, done.entry.id)
        async with asyncio.timeout(120):
            while await service.database.system_fetchval(_ATTEMPTS, waiting.job_id) != ["snoozed"]:
                await asyncio.sleep(0.05)
    assert (await service.entry(org, waiting.entry.id)).status == pb.DOCUMENT_STATUS_PROCESSING


async def _note(asked: list[str], name: str, *_: object) -> dict[str, str]:
    asked.append(name)
    return {}


async def test_a_text_that_is_read_at_once_writes_no_progress_and_looks_for_no_vectors(
    service: Service, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for statements, name in ((Documents, "record_progress"), (Chunks, "vectors_of"), (Chunks, "drop_attempts")):
        monkeypatch.setattr(statements, name, partial(_note, asked, name))
    monkeypatch.setattr("services.knowledge.jobs.monotonic", lambda: 0.0)
    made = await service.upload(org, b"Parcels leave the warehouse within two working days.", "parcels.txt")
    assert (await service.until_settled(org, made.entry_id)).status == pb.DOCUMENT_STATUS_COMPLETED
    assert asked == []


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"The shop opens at nine. " * 200, "hours.txt", pb.DOCUMENT_STATUS_COMPLETED),
        (b"%PDF-1.4\n" + b"no object of a page " * 2000, "hours.pdf", pb.DOCUMENT_STATUS_FAILED),
    ],
)
async def test_what_a_document_took_of_the_processor_is_written_down(
    service: Service, org: str, content: bytes, name: str, status: pb.DocumentStatus.ValueType
) -> None:
    made = await service.upload(org, content, name)
    assert (await service.until_settled(org, made.entry_id)).status == status
    assert await Computing(service.database).spent_seconds(org) > 0
