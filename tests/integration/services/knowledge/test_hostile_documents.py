"""Bombs, loops and lies end as a refusal with a stable reason, in time, and the parent's memory does not notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from services.knowledge.domain.media import HTML, recognise
from services.knowledge.extract.process import ExtractionLimits, Interrupted, extract, read_extracted
from services.knowledge.extract.refusal import SENTENCES, Refusal

from . import hostile
from .conftest import Service

BOMBS: list[tuple[Callable[[], bytes], str, tuple[str, ...]]] = [
    (hostile.docx_zip_bomb, "docx", ("document_expands_too_far",)),
    (hostile.docx_xml_bomb, "docx", ("document_expands_too_far",)),
    (hostile.docx_many_parts, "docx", ("document_expands_too_far",)),
    (hostile.docx_entity_bomb, "docx", ("document_unsafe",)),
    (hostile.docx_external_entity, "docx", ("document_unsafe",)),
    (hostile.docx_path_traversal, "docx", ("document_unsafe",)),
    (hostile.docx_deep_nesting, "docx", ("document_corrupt",)),
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


async def _ignore(read: int, total: int) -> None:
    return None


@pytest.mark.parametrize(("make", "extension", "reasons"), BOMBS)
async def test_a_hostile_document_is_refused_with_its_reason(
    make: Callable[[], bytes], extension: str, reasons: tuple[str, ...], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(make())
    media = recognise(f"a.{extension}", "", source.read_bytes()[:8192])
    began = time.monotonic()

    with pytest.raises(Refusal) as refused:
        await extract(source, media, tmp_path / "blocks", ExtractionLimits(), _ignore)

    assert refused.value.reason in reasons
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("make", "extension"),
    [
        (lambda: hostile.html_deep_nesting(5_000), "html"),
        (hostile.rtf_deep_groups, "rtf"),
        (hostile.pdf_text_bomb, "pdf"),
    ],
)
async def test_depth_and_length_alone_do_not_stop_the_reader(
    make: Callable[[], bytes], extension: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(make())
    media = recognise(f"a.{extension}", "", source.read_bytes()[:8192])

    await extract(source, media, tmp_path / "blocks", ExtractionLimits(), _ignore)

    assert any(word in block.text for block in read_extracted(tmp_path / "blocks") for word in ("deep", "bomb"))


async def test_each_limit_has_its_reason(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"Words that are read. " * 100_000)
    media = recognise("a.txt", "", source.read_bytes()[:8192])

    async def reason(limits: ExtractionLimits) -> str:
        with pytest.raises(Refusal) as refused:
            await extract(source, media, tmp_path / "blocks", limits, _ignore)
        return refused.value.reason

    assert await reason(ExtractionLimits(output_bytes=100_000)) == "document_text_too_long"
    assert await reason(ExtractionLimits(wall_seconds=0.01)) == "extraction_timeout"
    assert await reason(ExtractionLimits(memory_bytes=36 << 20)) in ("extraction_memory", "extraction_crashed")


async def test_computing_time_is_bounded(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(hostile.html_deep_nesting())

    limits = ExtractionLimits(cpu_seconds=1, wall_seconds=100)
    began = time.monotonic()

    with pytest.raises(Refusal) as refused:
        await extract(source, HTML, tmp_path / "blocks", limits, _ignore)

    assert refused.value.reason == "extraction_timeout"
    assert time.monotonic() - began < 60


async def test_an_unwanted_document_ends_its_reader(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(hostile.pdf_form_fan_out())
    media = recognise("a.pdf", "", source.read_bytes()[:8192])

    with pytest.raises(Interrupted):
        await extract(source, media, tmp_path / "blocks", ExtractionLimits(), _ignore, lambda: True)


async def test_the_reader_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment is made from nothing, whatever its parent knows."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    source = tmp_path / "source"
    source.write_bytes(hostile.pdf_form_fan_out())
    media = recognise("a.pdf", "", source.read_bytes()[:8192])
    seen: list[str] = []

    def look() -> bool:
        seen.extend(
            (folder / "environ").read_text()
            for folder in Path("/proc").iterdir()
            if folder.name.isdigit() and _is_child(folder, str(source))
        )
        return bool(seen)

    with pytest.raises((Interrupted, Refusal)):
        await extract(source, media, tmp_path / "blocks", ExtractionLimits(), _ignore, look)

    assert seen
    assert not any("DATABASE_URL" in environment for environment in seen)


def _is_child(folder: Path, word: str) -> bool:
    try:
        command = (folder / "cmdline").read_text()
    except OSError:
        return False
    return "services.knowledge.extract.child" in command and word in command


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
