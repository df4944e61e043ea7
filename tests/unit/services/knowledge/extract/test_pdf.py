"""PDF as blocks: headings by size, paragraphs by space, running lines left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from bench.typeset import typeset
from services.knowledge.extract.pdf import read_pdf
from tests.unit.services.knowledge.extract.pdf_files import pdf as drawn
from tests.unit.services.knowledge.extract.reading import lines

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


def pdf(*texts: tuple[float, float, str], turned: int = 0) -> bytes:
    def draw(page: Canvas) -> None:
        page.setPageRotation(turned)
        for x, y, text in texts:
            page.drawString(x, y, text)

    return drawn(draw)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_lines_of_a_turned_page_are_read_in_their_order(degrees: int) -> None:
    page = pdf((100, 500, "the night watch begins at ten"), (100, 480, "and rings thrice in fog"), turned=degrees)
    assert lines("a.pdf", page) == ["the night watch begins at ten and rings thrice in fog"]


def test_the_first_page_says_nothing_twice() -> None:
    columns = [(72, 760 - 14 * n, f"left{n} of a line that fills its column") for n in range(9)]
    columns += [(330, 760 - 14 * n, f"right{n} of a line that fills its column") for n in range(9)]
    text = " ".join(lines("a.pdf", pdf(*columns)))
    assert [text.count(f"{side}{n} ") for side in ("left", "right") for n in range(9)] == [1] * 18
    assert text.index("left8") < text.index("right0")


def test_a_label_and_its_value_stand_together() -> None:
    pairs = [("Name:", "Ana"), ("Phone:", "555-0101"), ("Hours:", "9-17")]
    places = [(x, 760 - 16 * n, pair[side]) for n, pair in enumerate(pairs) for side, x in ((0, 72), (1, 300))]
    assert {"Name: Ana", "Phone: 555-0101", "Hours: 9-17"} <= set(lines("a.pdf", pdf(*places)))


def test_bytes_before_a_pdf_are_passed_over() -> None:
    assert lines("a.pdf", b"\n\njunk\n" + pdf((72, 700, "words of a page"))) == ["words of a page"]
