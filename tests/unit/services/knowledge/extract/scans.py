"""Scans: pages that are drawn, as a scanner would give them. Run by `make test-ocr`.

Needs requirements/ocr.txt, which is too large for the development environment; hence no test_ in its name.
"""

from __future__ import annotations

import ctypes
import io
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import pypdfium2
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFont

from libs.sandbox import Usage
from services.knowledge.config import KnowledgeSettings
from services.knowledge.domain.chunking import ChunkDraft
from services.knowledge.domain.media import HEAD_BYTES, recognize
from services.knowledge.extract.reader import (
    Budget,
    DocumentReader,
    Read,
    Reading,
    document_sandbox,
    read_chunks,
    scan_sandbox,
)
from services.knowledge.extract.refusal import Refusal

SETTINGS = KnowledgeSettings()
# A4 at 150 dots per inch.
SIZE = (1240, 1754)
LEFT = "The harbour office sells tickets for every boat. A child below six travels free of charge. Dogs pay half."
RIGHT = "Bicycles stand on the lower deck. The keeper opens the gate at half past seven. Smoking is not allowed."


class Reader:
    def __init__(self, reader: DocumentReader) -> None:
        self._reader = reader
        self.pages: list[tuple[int, int, bool]] = []
        self.usage = Usage()

    async def read(self, name: str, content: bytes) -> tuple[Read, list[ChunkDraft]]:
        async def on_pages(read: int, total: int, scanned: bool) -> None:
            self.pages.append((read, total, scanned))

        media = recognize(name, "", content[:HEAD_BYTES], pictures=True)
        with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
            source.write(content)
            source.flush()
            source.seek(0)
            read = await self._reader.read(source, media, target, on_pages, self.usage)
            target.seek(0)
            return read, [draft for batch in read_chunks(target) for draft in batch]


@pytest_asyncio.fixture(loop_scope="session")
async def reader() -> AsyncIterator[Reader]:
    texts, scans = document_sandbox(), scan_sandbox()
    try:
        yield Reader(DocumentReader(Reading(texts, Budget.of(SETTINGS)), Reading(scans, Budget.of_scans(SETTINGS))))
    finally:
        await texts.close()
        await scans.close()


def page(*texts: tuple[int, int, int, str]) -> Image.Image:
    """A white page with texts, each at x, y and in a size."""
    picture = Image.new("RGB", SIZE, "white")
    for x, y, size, text in texts:
        ImageDraw.Draw(picture).text((x, y), text, "black", ImageFont.load_default(size))
    return picture


def lines(x: int, y: int, text: str, characters: int = 34) -> list[tuple[int, int, int, str]]:
    """A column of `text`."""
    found: list[tuple[int, int, int, str]] = []
    line = ""
    for word in [*text.split(), ""]:
        if not word or len(line) + len(word) > characters:
            found.append((x, y + 32 * len(found), 24, line.strip()))
            line = ""
        line += f"{word} "
    return found


HOUSE_RULES = page((100, 100, 52, "House Rules"), *lines(100, 240, "The ferry leaves at noon. " + LEFT, 60))


def as_file(form: str, *pages: Image.Image) -> bytes:
    target = io.BytesIO()
    more: dict[str, Any] = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
    pages[0].save(target, form, resolution=150, **more)
    return target.getvalue()


def typed(document: pypdfium2.PdfDocument, sheet: pypdfium2.PdfPage, text: str) -> None:
    """Writes `text` on a page as a program would."""
    raw = pypdfium2.raw
    written = raw.FPDFPageObj_CreateTextObj(document.raw, raw.FPDFText_LoadStandardFont(document.raw, b"Helvetica"), 12)
    wide = ctypes.create_string_buffer(f"{text}\0".encode("utf-16-le"))
    raw.FPDFText_SetText(written, ctypes.cast(wide, raw.FPDF_WIDESTRING))
    raw.FPDFPageObj_Transform(written, 1, 0, 0, 1, 72, 700)
    raw.FPDFPage_InsertObject(sheet.raw, written)
    sheet.gen_content()


def saved(document: pypdfium2.PdfDocument) -> bytes:
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def mixed() -> bytes:
    """A page with its text between two scans."""
    scan = pypdfium2.PdfDocument(as_file("PDF", page(*lines(100, 200, LEFT, 60)), page(*lines(100, 200, RIGHT, 60))))
    made = pypdfium2.PdfDocument.new()
    made.import_pages(scan, [0])
    typed(made, made.new_page(595, 842), "Typed words stand between the scans.")
    made.import_pages(scan, [1])
    return saved(made)


async def test_a_scanned_pdf_is_read_page_by_page(reader: Reader) -> None:
    read, chunks = await reader.read(
        "scan.pdf", as_file("PDF", HOUSE_RULES, page((100, 60, 52, "On Board"), *lines(100, 200, RIGHT, 60)))
    )

    assert (read.pages, read.scanned, read.language) == (2, True, "en")
    assert (chunks[0].heading, chunks[0].page) == ("House Rules", 1)
    assert "A child below six travels free of charge" in chunks[0].text
    assert "The keeper opens the gate at half past seven" in chunks[-1].text
    assert chunks[-1].page == 2
    assert reader.pages[:2] == [(1, 2, True), (2, 2, True)]


async def test_pages_with_text_and_scanned_pages_are_read_in_their_order(reader: Reader) -> None:
    _, chunks = await reader.read("mixed.pdf", mixed())
    text = " ".join(chunk.text for chunk in chunks)
    places = [text.index(part) for part in ("Dogs pay half", "Typed words stand", "Bicycles stand")]
    assert places == sorted(places)


@pytest.mark.parametrize(("name", "form"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.tiff", "TIFF")])
async def test_a_picture_is_a_page(reader: Reader, name: str, form: str) -> None:
    read, chunks = await reader.read(name, as_file(form, HOUSE_RULES))
    assert (read.pages, read.scanned) == (1, True)
    assert "The ferry leaves at noon" in chunks[0].text


async def test_each_picture_of_a_tiff_is_a_page(reader: Reader) -> None:
    second = page((100, 60, 52, "On Board"), *lines(100, 200, RIGHT, 60))
    read, chunks = await reader.read("a.tiff", as_file("TIFF", HOUSE_RULES, second))
    assert read.pages == 2
    assert [chunk.page for chunk in chunks] == [1, 2]


async def test_columns_are_read_one_after_the_other_and_rows_of_a_table_across(reader: Reader) -> None:
    columns = page((100, 100, 40, "News"), *lines(100, 200, LEFT), *lines(680, 200, RIGHT))
    _, (chunk,) = await reader.read("a.png", as_file("PNG", columns))
    assert "Dogs pay half" in chunk.text.partition("Bicycles stand")[0]

    table = [
        (x, 200 + 50 * row, 24, text)
        for row, cells in enumerate([("Item", "Price"), ("Rope", "12 crowns"), ("Lamp", "30 crowns")])
        for x, text in zip((100, 700), cells, strict=True)
    ]
    _, (chunk,) = await reader.read("b.png", as_file("PNG", page(*table)))
    assert "Rope · 12 crowns" in chunk.text


async def test_a_scan_with_a_stamp_of_text_is_a_scan(reader: Reader) -> None:
    scan = pypdfium2.PdfDocument(as_file("PDF", HOUSE_RULES))
    typed(scan, scan[0], "Page 1")

    read, chunks = await reader.read("a.pdf", saved(scan))

    assert read.scanned
    assert "The ferry leaves at noon" in chunks[0].text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("blank.pdf", as_file("PDF", page()), "no_text_found"),
        ("cut.png", as_file("PNG", HOUSE_RULES)[:-2_000], "document_corrupt"),
        ("large.png", as_file("PNG", Image.new("1", (9_000, 9_000))), "document_expands_too_far"),
    ],
)
async def test_what_cannot_be_recognized_says_why(reader: Reader, name: str, content: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        await reader.read(name, content)
    assert refused.value.reason == reason


async def test_a_page_stays_within_the_limits_of_its_process(reader: Reader) -> None:
    await reader.read("scan.pdf", as_file("PDF", HOUSE_RULES))
    assert 0 < reader.usage.peak_rss_mb < 600


async def test_without_recognition_a_scan_says_what_is_missing() -> None:
    sandbox = document_sandbox()
    try:
        with pytest.raises(Refusal) as refused:
            await Reader(DocumentReader(Reading(sandbox, Budget.of(SETTINGS)))).read(
                "a.pdf", as_file("PDF", HOUSE_RULES)
            )
    finally:
        await sandbox.close()
    assert refused.value.reason == "no_text_found"
    assert "`ocr`" in refused.value.sentence
