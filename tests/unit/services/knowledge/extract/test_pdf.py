"""PDF as blocks: headings by size, paragraphs by space, running lines left out."""

from __future__ import annotations

from pathlib import Path

from bench.typeset import typeset
from services.knowledge.extract.pdf import read_pdf

SAMPLE = Path(__file__).resolve().parents[5] / "services" / "knowledge" / "samples" / "americas.pdf"


def test_pages_headings_and_paragraphs_are_found() -> None:
    seen: list[tuple[int, int]] = []

    blocks = list(read_pdf(SAMPLE.read_bytes(), lambda read, total: seen.append((read, total))))

    assert seen == [(50, 51), (51, 51)]
    headings = [(block.text, block.page) for block in blocks if block.level]
    assert headings[:5] == [
        ("The World Factbook: the Americas", 1), ("Central Intelligence Agency, 2015", 1), ("Argentina", 2),
        ("Background", 2), ("Economy", 2),
    ]  # fmt: skip
    assert not any("The World Factbook" in block.text for block in blocks if block.page > 1)


def test_the_title_stays_although_every_page_repeats_it(tmp_path: Path) -> None:
    typeset("The Title", "Someone", "\n\n".join(f"# Chapter {name}\n\nText." for name in "ABCD"), tmp_path / "a.pdf")

    blocks = list(read_pdf((tmp_path / "a.pdf").read_bytes(), lambda *_: None))

    assert [block.page for block in blocks if "The Title" in block.text] == [1]


def test_a_paragraph_that_crosses_a_page_is_one(tmp_path: Path) -> None:
    words = " ".join(["word"] * 900)
    typeset("The Title", "Someone", f"# Chapter\n\nBegin {words} end.", tmp_path / "book.pdf")

    paragraphs = [block for block in read_pdf((tmp_path / "book.pdf").read_bytes(), lambda *_: None) if not block.level]

    found = [(block.text.split()[0], block.text.split()[-1], block.page) for block in paragraphs]
    assert found[-1] == ("Begin", "end.", 2)


def test_every_batch_of_pages_has_the_same_levels_and_no_running_heads(tmp_path: Path) -> None:
    text = SAMPLE.with_suffix(".md").read_text("utf-8").split("\n# ", 1)[1]
    typeset("The Title", "Someone", "\n\n".join([f"# {text}"] * 2), tmp_path / "a.pdf")

    blocks = list(read_pdf((tmp_path / "a.pdf").read_bytes(), lambda *_: None))

    levels = {(block.text, block.level) for block in blocks if block.text in ("Argentina", "Venezuela", "Background")}
    assert levels == {("Argentina", 1), ("Venezuela", 1), ("Background", 2)}
    assert [block.page for block in blocks if "The Title" in block.text] == [1]
