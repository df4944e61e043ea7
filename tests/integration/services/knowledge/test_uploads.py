"""From an upload to a searchable entry: what is refused at the door, what is promised after it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.errors import AppError, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import new_id

from .conftest import LIMIT, SAMPLES, Counting, Service, as_org
from .hostile import docx, docx_paragraph

STATEMENTS = ["entry.created", "document.uploaded", "document.processed", "entry.updated"]


async def test_an_upload_becomes_a_searchable_entry(service: Service, org: str) -> None:
    content = b"# Opening hours\n\nThe shop opens at nine and closes at six.\n"

    made = await service.upload(org, content, "C:\\shop\\hours.md", category="shop", tags=["a", "b", "a"])
    entry = await service.until_settled(org, made.entry_id)

    assert (entry.title, entry.category, list(entry.tags), entry.source) == ("hours", "shop", ["a", "b"], "hours.md")
    assert (entry.status, entry.chunk_count, entry.index_version) == (pb.DOCUMENT_STATUS_COMPLETED, 1, 1)
    assert (entry.media_type, entry.byte_size) == ("text/markdown", len(content))
    document = await service.document(org, made.document_id)
    assert (document.status, document.progress, document.chunk_count) == (pb.DOCUMENT_STATUS_COMPLETED, 100, 1)
    assert (document.job_id, document.sha256) == (made.job_id, hashlib.sha256(content).hexdigest())
    assert (await service.until_job_ended(made.job_id))["state"] == "completed"
    assert sorted(await service.events(org)) == sorted(STATEMENTS)
    answer = await service.search(org, "When does the store close?")
    assert [hit.heading for hit in answer.hits] == ["Opening hours"]
    with as_org(org):
        chunks = (await service.servicer.ListChunks(pb.ListChunksRequest(entry_id=entry.id), None)).chunks
    assert [(chunk.position, chunk.text) for chunk in chunks] == [(0, "The shop opens at nine and closes at six.")]


FORMATS: list[tuple[str, Callable[[], bytes]]] = [
    ("a.txt", lambda: "Der Übermut tut selten gut, says the proverb.".encode("utf-16")),
    (
        "a.html",
        lambda: b"<title>x</title><script>no()</script><p>The proverb says: <b>pride</b> comes before a fall.</p>",
    ),
    ("a.csv", lambda: b"word,meaning\nproverb,an old saying\npride,comes before a fall\n"),
    ("a.rtf", lambda: rb"{\rtf1\ansi The proverb says that {\b pride} comes before a fall.\par}"),
    ("a.docx", lambda: docx(docx_paragraph("The proverb says that pride comes before a fall."))),
    ("a.md", lambda: b"## Proverb\n\n* pride comes before a *fall*\n"),
]


@pytest.mark.parametrize(("name", "make"), FORMATS)
async def test_each_format_is_read(service: Service, org: str, name: str, make: Callable[[], bytes]) -> None:
    made = await service.upload(org, make(), name)

    entry = await service.until_settled(org, made.entry_id)

    assert entry.status == pb.DOCUMENT_STATUS_COMPLETED, entry.error_code
    answer = await service.search(org, "proverb", pb.SEARCH_MODE_KEYWORD)
    assert [hit.entry_id for hit in answer.hits][:1] == [entry.id]
    assert "no()" not in answer.hits[0].text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.pdf", b"", "empty_document"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "unsupported_media_type"),
        ("archive.zip", b"PK\x03\x04" + bytes(100), "unsupported_media_type"),
        ("old.doc", b"\xd0\xcf\x11\xe0" + bytes(600), "unsupported_media_type"),
        ("not.pdf", b"just words", "unsupported_media_type"),
        ("program.txt", b"\x7fELF" + bytes(range(256)), "unsupported_media_type"),
        ("nameless", b"just words", "unsupported_media_type"),
    ],
)
async def test_what_cannot_be_read_is_refused_at_the_door(
    service: Service, org: str, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.upload(org, content, name)

    assert refused.value.reason == reason
    if reason == "unsupported_media_type":
        assert refused.value.detail.endswith(
            "Upload one of: pdf, docx, xlsx, pptx, odt, epub, txt, md, html, csv, rtf, eml."
        )
    assert await service.events(org) == []


async def test_an_upload_above_the_limit_leaves_nothing(
    service: Service, org: str, blob_files: Callable[[], int]
) -> None:
    before = blob_files()

    with pytest.raises(InvalidArgument) as refused:
        await service.upload(org, b"x" * (LIMIT + 1), "big.txt", piece=1 << 20)

    assert refused.value.reason == "payload_too_large"
    assert blob_files() == before


async def test_the_metadata_comes_first_and_is_checked(service: Service, org: str) -> None:
    async def only_data() -> AsyncIterator[pb.UploadDocumentRequest]:
        yield pb.UploadDocumentRequest(data=b"words")

    with as_org(org), pytest.raises(InvalidArgument) as missing:
        await service.servicer.UploadDocument(only_data(), None)
    with pytest.raises(InvalidArgument) as invalid:
        await service.upload(org, b"words", "a.txt", title="x" * 201, tags=[""])
    with pytest.raises(NotFound) as unknown:
        await service.upload(org, b"words", "a.txt", entry_id=new_id("kbe"))

    assert missing.value.reason == "upload_metadata_missing"
    assert [found.pointer for found in invalid.value.violations] == ["#/title", "#/tags/0"]
    assert unknown.value.reason == "entry_not_found"


async def test_a_repeated_key_answers_the_first_upload(
    service: Service, org: str, blob_files: Callable[[], int]
) -> None:
    first = await service.upload(org, b"The same words.", "a.txt", key="k1")
    stored = blob_files()

    again = await service.upload(org, b"The same words.", "a.txt", key="k1")
    with pytest.raises(AppError) as other_bytes:
        await service.upload(org, b"Other words.", "a.txt", key="k1")
    with pytest.raises(AppError) as other_title:
        await service.upload(org, b"The same words.", "a.txt", key="k1", title="Other")

    assert again == first
    assert other_bytes.value.reason == other_title.value.reason == "idempotency_key_reused"
    assert blob_files() == stored


async def test_progress_is_seen_while_a_document_is_read(service: Service, org: str) -> None:
    made = await service.upload(org, (SAMPLES / "americas.pdf").read_bytes(), "americas.pdf")
    seen: list[tuple[int, int, int]] = []

    async with asyncio.timeout(240):
        while (document := await service.document(org, made.document_id)).status == pb.DOCUMENT_STATUS_PROCESSING:
            seen.append((document.progress, document.processed_pages, document.total_pages))
            await asyncio.sleep(0.05)

    assert document.status == pb.DOCUMENT_STATUS_COMPLETED
    assert seen == sorted(seen)
    assert len({percent for percent, _, _ in seen}) >= 3
    assert any(0 < pages < total == 51 for _, pages, total in seen)


async def test_a_new_document_takes_the_old_ones_place(
    service: Service, org: str, blob_files: Callable[[], int]
) -> None:
    first = await service.upload(org, b"Parcels take five days.", "shipping.txt")
    await service.until_settled(org, first.entry_id)
    stored = blob_files()

    second = await service.upload(org, b"Parcels take two days now.", "faster.txt", entry_id=first.entry_id)
    entry = await service.until_settled(org, first.entry_id)

    assert (second.entry_id, entry.document_id, entry.source) == (entry.id, second.document_id, "faster.txt")
    assert (entry.index_version, entry.chunk_count) == (2, 1)
    hits = (await service.search(org, "parcels")).hits
    assert [(hit.text, hit.index_version) for hit in hits] == [("Parcels take two days now.", 2)]
    assert b"".join(await _download(service, org, second.document_id)) == b"Parcels take two days now."
    with pytest.raises(FailedPrecondition) as replaced:
        await _download(service, org, first.document_id)
    assert replaced.value.reason == "document_replaced"
    async with asyncio.timeout(30):
        while blob_files() > stored:
            await asyncio.sleep(0.05)


async def test_a_bad_new_document_leaves_the_old_index(service: Service, org: str) -> None:
    first = await service.upload(org, b"Parcels take five days.", "shipping.txt")
    await service.until_settled(org, first.entry_id)

    second = await service.upload(org, b"%PDF-1.4 broken", "broken.pdf", entry_id=first.entry_id)
    entry = await service.until_settled(org, first.entry_id)

    assert (entry.status, entry.error_code) == (pb.DOCUMENT_STATUS_COMPLETED, "document_corrupt")
    assert (entry.document_id, entry.index_version) == (first.document_id, 1)
    assert (await service.document(org, second.document_id)).status == pb.DOCUMENT_STATUS_FAILED
    assert [hit.text for hit in (await service.search(org, "parcels")).hits] == ["Parcels take five days."]


async def test_searches_during_a_swap_see_one_whole_index(service: Service, org: str) -> None:
    """Every answer holds all passages of one version; never some of both, never none."""

    def text(version: str) -> bytes:
        return "\n\n".join(f"Paragraph {n} of version {version}. " + "padding words " * 150 for n in range(6)).encode()

    made = await service.upload(org, text("one"), "book.txt")
    await service.until_settled(org, made.entry_id)
    size = (await service.entry(org, made.entry_id)).chunk_count
    await service.upload(org, text("two"), "book.txt", entry_id=made.entry_id)
    seen: set[int] = set()

    async with asyncio.timeout(120):
        while 2 not in seen:
            hits = (await service.search(org, "padding words", pb.SEARCH_MODE_KEYWORD, max_results=50)).hits
            versions = {hit.index_version for hit in hits}
            assert len(versions) == 1
            assert len(hits) == size
            seen |= versions

    assert seen == {1, 2}


async def test_the_latest_upload_wins_and_the_others_end(service: Service, org: str) -> None:
    first = await service.upload(org, b"Version zero.", "a.txt")

    later = [
        await service.upload(org, f"Version {number}.".encode(), "a.txt", entry_id=first.entry_id)
        for number in range(1, 4)
    ]
    for made in (first, *later):
        await service.until_job_ended(made.job_id)

    assert [hit.text for hit in (await service.search(org, "version")).hits] == ["Version 3."]
    rows = await service.database.system_fetch(
        "select count(*) as n from chunk c where c.entry_id = $1", first.entry_id
    )
    assert rows[0]["n"] == 1


async def test_deleting_an_entry_removes_everything(service: Service, org: str, blob_files: Callable[[], int]) -> None:
    before = blob_files()
    made = await service.upload(org, b"Words to forget.", "a.txt")
    entry = await service.until_settled(org, made.entry_id)

    with as_org(org):
        await service.servicer.DeleteEntry(pb.DeleteEntryRequest(id=entry.id, expected_version=entry.version), None)

    with pytest.raises(NotFound):
        await service.document(org, made.document_id)
    assert list((await service.search(org, "forget")).hits) == []
    assert (await service.events(org))[-1] == "entry.deleted"
    async with asyncio.timeout(30):
        while blob_files() > before:
            await asyncio.sleep(0.05)


async def test_another_organization_sees_nothing(service: Service, org: str) -> None:
    made = await service.upload(org, b"Private words.", "a.txt")
    await service.until_settled(org, made.entry_id)
    stranger = new_id("org")

    for attempt in (
        service.document(stranger, made.document_id),
        service.entry(stranger, made.entry_id),
        _download(service, stranger, made.document_id),
        service.upload(stranger, b"x", "a.txt", entry_id=made.entry_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    for mode in (pb.SEARCH_MODE_KEYWORD, pb.SEARCH_MODE_VECTOR, pb.SEARCH_MODE_HYBRID):
        assert list((await service.search(stranger, "private words", mode)).hits) == []
        filtered = await service.search(
            stranger, "private words", mode, filters=pb.SearchFilters(entry_ids=[made.entry_id])
        )
        assert list(filtered.hits) == []


async def test_a_large_file_comes_back_as_it_was(service: Service, org: str) -> None:
    content = io.BytesIO(json.dumps(list(range(100_000))).encode()).getvalue()

    made = await service.upload(org, content, "numbers.txt", piece=50_001)

    assert b"".join(await _download(service, org, made.document_id)) == content
    with as_org(org):
        await service.servicer.DeleteEntry(pb.DeleteEntryRequest(id=made.entry_id), None)


async def _download(service: Service, org: str, document_id: str) -> list[bytes]:
    with as_org(org):
        parts = [
            part async for part in service.servicer.DownloadDocument(pb.DownloadDocumentRequest(id=document_id), None)
        ]
    assert parts[0].document.id == document_id
    return [part.data for part in parts[1:]]


@pytest.fixture
def blob_files(service: Service) -> Callable[[], int]:
    """Counts the objects in the store."""
    folder: Path = service.blob_folder
    return lambda: sum(1 for path in folder.rglob("*") if path.is_file())


async def test_documents_are_listed_by_entry_and_status(service: Service, org: str) -> None:
    first = await service.upload(org, b"Words of the first.", "first.txt")
    await service.until_settled(org, first.entry_id)
    second = await service.upload(org, b"Words of the second.", "second.txt", entry_id=first.entry_id)
    other = await service.upload(org, b"%PDF-1.4 broken", "other.pdf")
    for entry_id in (second.entry_id, other.entry_id):
        await service.until_settled(org, entry_id)

    everything = await service.list_documents(org)
    of_entry = await service.list_documents(org, entry_id=first.entry_id)
    failed = await service.list_documents(org, status=pb.DOCUMENT_STATUS_FAILED)

    assert [document.id for document in everything.documents] == [
        other.document_id, second.document_id, first.document_id,
    ]  # fmt: skip
    assert [document.file_name for document in of_entry.documents] == ["second.txt", "first.txt"]
    assert [document.id for document in failed.documents] == [other.document_id]
    assert not (await service.list_documents(new_id("org"))).documents


async def test_only_changed_passages_are_embedded_again(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    counting = Counting()
    service = await build_service(counting)
    parts = [f"# Part {number}\n\nThe words of part {number}." for number in range(40)]
    async with service.work():
        made = await service.upload(org, "\n\n".join(parts).encode(), "parts.md")
        await service.until_settled(org, made.entry_id)
        assert len(counting.asked) == 40
        parts[7] = "# Part 7\n\nOther words stand here."
        await service.upload(org, "\n\n".join(parts).encode(), "parts.md", entry_id=made.entry_id)
        entry = await service.until_settled(org, made.entry_id)

        assert (entry.index_version, entry.chunk_count) == (2, 40)
        assert counting.asked[40:] == ["Part 7\nOther words stand here."]
        found = await service.search(org, "words", pb.SEARCH_MODE_VECTOR, max_results=50)
        assert len(found.hits) == 40
