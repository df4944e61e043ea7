"""Bombs, loops and lies end as a refusal with a stable reason, in time, and the parent's memory does not notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.sandbox import Usage
from services.knowledge.domain.media import recognize
from services.knowledge.extract.reader import Budget, DocumentReader, Reading, read_chunks
from services.knowledge.extract.refusal import SENTENCES, Refusal

from . import hostile
from .conftest import SANDBOX, Service

BOMBS: list[tuple[Callable[[], bytes], str, tuple[str, ...]]] = [
    (hostile.docx_zip_bomb, "docx", ("document_expands_too_far",)),
    (hostile.docx_xml_bomb, "docx", ("document_expands_too_far",)),
    (hostile.docx_many_parts, "docx", ("document_expands_too_far",)),
    (hostile.docx_entity_bomb, "docx", ("document_unsafe",)),
    (hostile.docx_external_entity, "docx", ("document_unsafe",)),
    (hostile.docx_path_traversal, "docx", ("document_unsafe",)),
    (hostile.docx_deep_nesting, "docx", ("document_corrupt", "extraction_crashed", "extraction_memory")),
    (hostile.docx_lying_sizes, "docx", ("document_corrupt",)),
    (hostile.docx_encrypted_flag, "docx", ("document_encrypted",)),
    (hostile.pdf_encrypted, "pdf", ("document_encrypted",)),
    (hostile.pdf_flate_bomb, "pdf", ("extraction_memory",)),
    (hostile.pdf_form_fan_out, "pdf", ("extraction_memory", "extraction_timeout")),
    (hostile.pdf_form_recursion, "pdf", ("extraction_memory", "extraction_crashed", "no_text_found")),
    (hostile.pdf_page_bomb, "pdf", ("no_text_found", "document_too_many_pages")),
    (hostile.pdf_page_loop, "pdf", ("document_too_many_pages", "document_corrupt", "no_text_found")),
    (hostile.pdf_scan, "pdf", ("no_text_found",)),
    (hostile.csv_one_cell, "csv", ("document_corrupt",)),
    (lambda: b"%PDF-1.7\n" + bytes(range(256)) * 40, "pdf", ("document_corrupt",)),
    (lambda: b"PK\x03\x04" + bytes(range(256)) * 40, "docx", ("document_corrupt",)),
    (lambda: b"{\\rtf1 never closed", "rtf", ("document_corrupt",)),
    (lambda: b"--- *** ---\n\n!!!", "txt", ("no_text_found",)),
]


async def _ignore(read: int, total: int, scanned: bool) -> None:
    return None


async def read(
    content: bytes, extension: str, folder: Path, budget: Budget | None = None, usage: Usage | None = None
) -> list[str]:
    """The texts of the document's chunks."""
    media = recognize(f"a.{extension}", "", content[:8192])
    (folder / "source").write_bytes(content)
    reader = DocumentReader(Reading(SANDBOX, budget or Budget()))
    with (folder / "source").open("rb") as source, (folder / "chunks").open("w+b") as target:
        await reader.read(source, media, target, _ignore, usage or Usage())
        target.seek(0)
        return [draft.text for batch in read_chunks(target) for draft in batch]


@pytest.mark.parametrize(("make", "extension", "reasons"), BOMBS)
async def test_a_hostile_document_is_refused_with_its_reason(
    make: Callable[[], bytes], extension: str, reasons: tuple[str, ...], tmp_path: Path
) -> None:
    content, usage = make(), Usage()

    with pytest.raises(Refusal) as refused:
        await read(content, extension, tmp_path, usage=usage)

    assert refused.value.reason in reasons
    assert usage.cpu_seconds < 30


@pytest.mark.parametrize(
    ("make", "extension"),
    [(lambda: hostile.html_deep_nesting(5_000), "html"), (hostile.rtf_deep_groups, "rtf")],
)
async def test_depth_alone_does_not_stop_the_reader(make: Callable[[], bytes], extension: str, tmp_path: Path) -> None:
    assert any("deep" in text for text in await read(make(), extension, tmp_path))


async def test_each_limit_has_its_reason(tmp_path: Path) -> None:
    content = b"Words that are read. " * 100_000

    async def reason(budget: Budget) -> str:
        with pytest.raises(Refusal) as refused:
            await read(content, "txt", tmp_path, budget)
        return refused.value.reason

    assert await reason(Budget(characters=100_000)) == "document_text_too_long"
    assert await reason(Budget(chunks=10)) == "document_text_too_long"
    assert await reason(Budget(wall_seconds=0.01)) == "extraction_timeout"
    assert await reason(Budget(memory_mb=4)) in ("extraction_memory", "extraction_crashed")


async def test_computing_time_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        await read(hostile.html_deep_nesting(), "html", tmp_path, Budget(cpu_seconds=1, wall_seconds=100))
    assert refused.value.reason == "extraction_timeout"


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (hostile.docx_zip_bomb, "a.docx", "document_expands_too_far"),
        (hostile.docx_entity_bomb, "b.docx", "document_unsafe"),
        (hostile.pdf_flate_bomb, "c.pdf", "extraction_memory"),
        (hostile.pdf_encrypted, "d.pdf", "document_encrypted"),
    ],
)
async def test_the_job_fails_once_with_the_reason(
    service: Service, org: str, make: Callable[[], bytes], name: str, reason: str
) -> None:
    content = await asyncio.to_thread(make)
    before = _resident_mib()

    made = await service.upload(org, content, name)
    entry = await service.until_settled(org, made.entry_id)

    assert _resident_mib() - before < 100
    assert (entry.status, entry.error_code) == (pb.DOCUMENT_STATUS_FAILED, reason)
    assert entry.error_message == SENTENCES[reason]
    document = await service.document(org, made.document_id)
    assert (document.status, document.error_code) == (pb.DOCUMENT_STATUS_FAILED, reason)
    job = await service.until_job_ended(made.job_id)
    assert (job["state"], job["error_code"], job["attempt"]) == ("failed", reason, 1)
    assert await service.events(org) == ["entry.created", "document.uploaded", "document.failed", "entry.updated"]


def _resident_mib() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024
