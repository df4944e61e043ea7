"""PDF as blocks: headings by size, paragraphs by space, running lines left out."""

from __future__ import annotations

from pathlib import Path

from bench.typeset import typeset
from services.knowledge.extract.portable import read_pdf


def test_pages_headings_and_paragraphs_are_found(tmp_path: Path) -> None:
    long = "A sentence that goes on and on over many lines of the page and never quite ends. " * 6
    chapters = "\n\n".join(
        f"# Chapter {name}\n\n## Part\n\n{long}\n\nShort one." for name in ("One", "Two", "Three", "Four")
    )
    typeset("The Title", "Somebody", chapters, tmp_path / "book.pdf")
    seen: list[tuple[int, int]] = []

    blocks = list(read_pdf(tmp_path / "book.pdf", lambda read, total: seen.append((read, total))))

    assert seen == [(read, 5) for read in range(6)]
    assert [(block.text, block.page, block.level) for block in blocks if block.level and block.page > 1][:4] == [
        ("Chapter One", 2, 1), ("Part", 2, 2), ("Chapter Two", 3, 1), ("Part", 3, 2),
    ]  # fmt: skip
    assert [block.text for block in blocks if not block.level][:2] == [long.strip(), "Short one."]
    assert not any("The Title" in block.text for block in blocks if block.page > 1)


def test_a_paragraph_that_crosses_a_page_is_one(tmp_path: Path) -> None:
    words = " ".join(["word"] * 900)
    typeset("The Title", "Somebody", f"# Chapter\n\nBegin {words} end.", tmp_path / "book.pdf")

    paragraphs = [block for block in read_pdf(tmp_path / "book.pdf", lambda *_: None) if not block.level]

    assert [(block.text.split()[0], block.text.split()[-1], block.page) for block in paragraphs] == [
        ("Begin", "end.", 2)
    ]
