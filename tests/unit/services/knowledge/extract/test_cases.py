"""Documents as customers upload them: what must be found in each, and what must not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.document import read_document
from services.knowledge.extract.refusal import Refusal
from tests.unit.services.knowledge.extract import reading

SAMPLES = Path(__file__).parent / "samples"

# file, patterns that the text has, words that it has not
READ: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("d01-tracked-changes.docx", ("sixty crowns", "Bicycles travel free on Sundays"), ("forty crowns",)),
    ("d03-text-box.docx", ("Captain of the dredger Otter",), ()),
    ("d06-equal-neighbours.docx", (r"15\W+15\W+22",), ()),
    ("d09-strict.docx", ("quarantine flag",), ()),
    ("p01-filled-form.pdf", ("Saltmarsh Heron", r"17\.25"), ()),
    ("p02-rotated-page.pdf", ("night watch begins at ten", "rings thrice in fog"), ()),
    ("p03-landscape-table.pdf", (r"Ostmar\W+9\.5 m\W+4\W+310",), ()),
    ("p04-owner-password.pdf", ("vault code changes on Fridays",), ()),
    ("p09-ligatures.pdf", ("office files conflict", "daffodil"), ()),
    ("p10-hyphenated.pdf", ("international register of all moorings",), ()),
    ("h01-latin1-declared.html", ("€45", "“half price”", "Größe"), ()),
    ("h04-x-sjis.html", ("①港町㈱の受付は二階です", "髙橋"), ()),
    ("h05-webforms.html", ("tannery shop opens at half past seven",), ("AAAA",)),
    ("h06-xml-declaration.xhtml", ("Склад закрыт по пятницам",), ()),
    ("h08-utf16.html", ("Fähre täglich außer Montag",), ()),
    ("c01-excel-unicode.csv", ("Größe: groß", "Preis: 12,50"), ()),
    ("c03-mac-line-ends.csv", ("tool: awl", "shelf: south"), ()),
    ("c04-unnamed-index.csv", ("berth: north quay", "price: 40"), ()),
    ("c06-semicolon-latin1-newline.csv", ("Beschreibung: gelb, rund und groß", "für Anker; verzinkt"), ()),
    ("c08-comma-in-quotes.csv", ("Name, first: Aldous, Finn", "Town; district: Velby; east"), ()),
    ("r01-cp1251-and-unicode.rtf", ("Причал открыт", "café", "🍂"), ()),
    ("r02-font-charset.rtf", ("смена по средам",), ()),
    ("m02-html-comment.md", ("Boats leave at noon",), ("quokka",)),
    ("m04-nested-fence.md", ("mackerel rule",), ()),
    ("t01-short-cp1252.txt", ("Öffnungszeiten: Mo–Fr 9–17 Uhr", "12 €"), ()),
    ("t02-sjis.txt", ("港の事務所は毎週火曜日に休みます",), ()),
    ("t07-euckr.txt", ("항구 사무실은 화요일에 쉽니다",), ()),
    ("t08-latin1-names.txt", ("Señor Núñez", "niño"), ()),
    ("t11-chinese-lines.txt", ("顾客可以在三十天内申请退款", "客服中心"), ()),
    ("parts.docx", ("Crane · nested left nested right", "Content control text", "inline control", "linked words",
                    "second bullet", r"x · x\n", "Soft break", "Footer words"), ()),
    ("parts.xlsx", ("Crane · 12.5 · 2024-05-01", "1000000"), ("HIDDENSHEET",)),
    ("parts.pptx", ("Slide title", "Bullet two", "Speaker note about tides", r"a\W+1"), ("Hidden slide",)),
    ("notes.odt", ("ODT heading", "odt footnote", "odt item", "c1 · c1 · c2"), (r"[^1]",)),
    ("parts.epub", ("Chapter One", "It began.", "It ended.", "1 · 1"), ()),
    ("parts.eml", ("Ünicode subject", "Jo <jo@x.example>", "HTML body words"), ()),
]  # fmt: skip
REFUSED = [("p05-user-password.pdf", "document_encrypted"), ("p06-scan.pdf", "")]


def blocks(name: str) -> list[Block]:
    return reading.blocks(name, (SAMPLES / name).read_bytes())


@pytest.mark.parametrize(("name", "has", "lacks"), READ, ids=[name for name, _, _ in READ])
def test_what_a_reader_sees_is_found(name: str, has: tuple[str, ...], lacks: tuple[str, ...]) -> None:
    text = "\n".join(block.text for block in blocks(name)) + "\n"
    assert [pattern for pattern in has if not re.search(pattern, text)] == []
    assert [word for word in lacks if word in text] == []


@pytest.mark.parametrize(("name", "reason"), REFUSED)
def test_what_cannot_be_read_says_why(name: str, reason: str) -> None:
    if not reason:
        assert blocks(name) == []
        return
    with pytest.raises(Refusal) as refused:
        blocks(name)
    assert refused.value.reason == reason


def test_headings_and_pages_of_office_documents_are_kept() -> None:
    found = [(block.text, block.page, block.level) for block in blocks("parts.docx") if block.level]
    assert found == [("Harbour book", 1, 1), ("Fees", 1, 1), ("Second page", 2, 2)]
    assert {block.page for block in blocks("parts.pptx")} == {1, 2}
    assert [block.text for block in blocks("parts.epub") if block.level] == ["Chapter One", "Chapter Two"]


def test_code_in_a_longer_fence_is_no_heading() -> None:
    assert [block.text for block in blocks("m04-nested-fence.md") if block.level] == ["Guide"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a" * 4_000_000, "document_without_words"), ("word " * 2_000_000, "document_text_too_long")],
)
def test_a_text_beyond_its_budget_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    with (tmp_path / "a.txt").open("rb") as file, pytest.raises(Refusal) as refused:
        list(read_document(os.dup(file.fileno()), "text/plain", 8_000_000, 10_000))
    assert refused.value.reason == reason


def test_an_endless_run_inside_a_text_is_cut_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Some words before. " * 3_000 + "x" * 20_000 + " and after.")
    with (tmp_path / "a.txt").open("rb") as file:
        batches = list(read_document(os.dup(file.fileno()), "text/plain", 8_000_000, 10_000))
    text = " ".join(draft[1] for kind, *values in batches if kind == "chunks" for draft in values[0])
    assert text.count("x") == 20_000
    assert text.endswith("and after.")
