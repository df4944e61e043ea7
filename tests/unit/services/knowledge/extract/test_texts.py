"""Text, Markdown, HTML, CSV and RTF as blocks."""

from __future__ import annotations

import pytest

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph, join_lines
from services.knowledge.extract.encoding import decode
from services.knowledge.extract.markup import read_markdown, read_rtf
from services.knowledge.extract.plain import read_text
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.tables import read_csv
from services.knowledge.extract.web import read_html


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\x00b\u200bc\ufeff", "abc"),
        ("ﬁne  ﬂoor\n\tend ", "fine floor end"),
        ("lone \ud800 half", "lone half"),
        ("a\u00a0b\u2028c", "a b c"),
    ],
)
def test_what_no_one_sees_is_taken_out(raw: str, clean: str) -> None:
    assert clean_paragraph(raw) == clean


def test_lines_join_with_their_hyphens() -> None:
    assert join_lines(["a waistcoat-", "pocket and", "two- or", "three-"]) == "a waistcoat-pocket and two- or three-"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Größe"), ("utf-8-sig", "Größe"), ("utf-16", "Größe"), ("utf-32", "Größe"),
        ("utf-16-le", "plain words in two bytes each"), ("windows-1252", "Die Größe der Straße wächst für alle"),
        ("windows-1251", "Съешь же ещё этих мягких французских булок, да выпей чаю"),
        ("shift_jis", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"),
    ],
)  # fmt: skip
def test_encodings_are_told_from_the_bytes(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_page_says_its_own_encoding() -> None:
    page = '<meta charset="iso-8859-2"><p>zażółć gęślą jaźń</p>'
    assert decode(page.encode("iso-8859-2"), html=True) == page
    assert decode(b'<meta charset="no-such-thing">\xff', html=True).startswith("<meta")


def test_plain_text_has_paragraphs_headings_and_pages() -> None:
    text = "CHAPTER ONE\n\nIt began\nhere.\n\fThe end is\nnear.\n\nSHOUTING IN A SENTENCE, REALLY.\n"

    assert list(read_text(text)) == [
        Block("CHAPTER ONE", 1, 1), Block("It began here.", 1), Block("The end is near.", 2),
        Block("SHOUTING IN A SENTENCE, REALLY.", 2),
    ]  # fmt: skip
    assert list(read_text("one line")) == [Block("one line")]


def test_markdown_loses_its_marks() -> None:
    text = (
        "Title\n=====\n\nSome **bold** [link](http://x)\nwrapped.\n- one `code`\n- two\n\n---\n```sh\nls  -l\n```\n"
        "### Third ###\n![picture](x.png) after"
    )

    assert [(block.text, block.level) for block in read_markdown(text)] == [
        ("Title", 1), ("Some bold link wrapped.", 0), ("one code", 0), ("two", 0), ("ls -l", 0), ("Third", 3),
        ("picture after", 0),
    ]  # fmt: skip


def test_html_keeps_what_is_seen() -> None:
    text = (
        "<html><head><title>T</title><style>p{}</style></head><body><nav>menu</nav><h2>Head</h2>"
        "<p>One <b>two</b><br>three</p><script>x()</script><ul><li>item</li></ul>"
        "<table><tr><th>a</th><td>b</td></tr></table>tail &amp; end"
    )

    assert [(block.text, block.level) for block in read_html(text)] == [
        ("T", 1), ("Head", 2), ("One two", 0), ("three", 0), ("item", 0), ("a · b", 0), ("tail & end", 0),
    ]  # fmt: skip
    assert list(read_html("")) == []


def test_a_row_says_what_its_cells_are() -> None:
    assert [block.text for block in read_csv('name;age\nAda;36\n"Grace; H.";\n\n')] == [
        "name: Ada; age: 36.", "name: Grace; H..",
    ]  # fmt: skip
    assert [block.text for block in read_csv("1,2\n3,4")] == ["1; 2.", "3; 4."]
    assert [block.text for block in read_csv("only,header\n")] == ["only; header."]


def test_rtf_is_read_and_broken_rtf_refused() -> None:
    assert [block.text for block in read_rtf(rb"{\rtf1\ansi First\par Second \'e9t\'e9}")] == ["First", "Second été"]
    with pytest.raises(Refusal):
        list(read_rtf(rb"{\rtf1 open"))
