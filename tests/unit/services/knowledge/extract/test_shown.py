"""What looks hidden and is not is read. Each case holds `SHOWN`, and `HIDDEN` where a part of it is hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from services.knowledge.domain.media import DOCX, EPUB, HTML, MARKDOWN, PDF, XLSX
from tests.unit.services.knowledge.extract.office_files import docx, epub, paragraph, run, sheet_row, xlsx
from tests.unit.services.knowledge.extract.test_hidden import (
    HIDES,
    canvas,
    data,
    read,
    read_rightly,
    word_style,
    write_invisibly,
)

_BOTH = '<p class="a">SHOWN</p><p class="b">HIDDEN</p>'
PAGES: dict[str, str] = {
    "the back of a card": '<div style="backface-visibility: hidden">SHOWN</div>',
    "a variable": '<div style="--display: none">SHOWN</div>',
    "the back of a card, by a sheet": "<style>.a { -webkit-backface-visibility:hidden }</style><p class=a>SHOWN</p>",
    "content that is not laid out": f"<style>.b {{ content-visibility: hidden }}</style>{_BOTH}",
    "a sheet for printers": f"<style media=print>.a {{display:none}}</style><style>.b{{display:none}}</style>{_BOTH}",
    "a sheet for narrow screens": "<style media='(max-width: 9px)'>.a{display:none}</style><p class=a>SHOWN</p>",
    "a sheet for all": f"<style media='print, Screen'>.b {{display:none}}</style>{_BOTH}",
    "a sheet without scripts": "<noscript><style>.a { display: none }</style></noscript><p class=a>SHOWN</p>",
    "a sheet of another language": "<style type=text/less>.a { display: none }</style><p class=a>SHOWN</p>",
    "a sheet behind an import": f"<style>@import 'x.css'; .b {{ display:none }}</style>{_BOTH}",
    "a body that a script shows": "<style>html, body { display: none }</style><p>SHOWN</p>",
    "a body that its own style hides": "<body style='visibility: hidden'><p>SHOWN</p></body>",
    "the open tab": "<style>.t{display:none} .t.on{display:block}</style><p class='t on'>SHOWN<p class=t>HIDDEN",
    "the open tab, in view": "<style>.t{visibility:hidden}.on{visibility:visible}</style><p class='t on'>SHOWN",
    "a rule of the other property": f"<style>.b{{display:none}} .b{{visibility:visible}}</style>{_BOTH}",
    "an important rule": f"<style>.b {{ display: none !important }} .b {{ display: block }}</style>{_BOTH}",
    "an earlier rule that shows": f"<style>.b {{ display: block }} .b {{ display: none }}</style>{_BOTH}",
    "an element's own style": "<style>.t { display: none }</style><p class=t style='display: block'>SHOWN",
    "a question of an accordion": "<h3><button>SHOWN</button></h3><p><button>HIDDEN</button></p>",
    "a hidden button in a heading": "<h3>SHOWN<button hidden>HIDDEN</button></h3>",
    "a question in a list": "<dl><dt><button>SHOWN</button></dt><dd>answer</dd></dl>",
    "a question in details": "<details><summary><button>SHOWN</button></summary>answer</details>",
}
_TAKING = ("object", "select", "title", "script", "style", "textarea", "template", "iframe", "svg", "button", "dialog")


@pytest.mark.parametrize("what", PAGES)
def test_what_a_page_shows_is_read(what: str) -> None:
    read_rightly(PAGES[what].encode(), HTML)


@pytest.mark.parametrize("tag", ["title", "script src='a.js'", "a id='x>y'", "div", "textarea", "iframe src='/'", "i"])
def test_an_element_of_a_chapter_that_closes_itself_takes_nothing(tag: str) -> None:
    assert read(epub(f"<p>one</p><{tag}/><h2>SHOWN</h2><p>two<br/>three</p>"), EPUB) == "one\nSHOWN\ntwo\nthree"


@pytest.mark.parametrize("tag", _TAKING)
def test_an_open_tag_in_markdown_is_text_and_takes_nothing(tag: str) -> None:
    assert read(f"An Array<{tag}> has items.\n\nSHOWN\n".encode(), MARKDOWN) == f"An Array<{tag}> has items.\nSHOWN"
    # At the start of a line it begins a block.
    assert "SHOWN" in read(f"one\n\n<{tag}>\n\nSHOWN\n".encode(), MARKDOWN)


@pytest.mark.parametrize("tag", [tag for tag in _TAKING if tag != "title"])
def test_an_element_that_markdown_closes_is_hidden(tag: str) -> None:
    read_rightly(f"SHOWN <{tag} id='a'>HIDDEN</{tag}> end\n".encode(), MARKDOWN)
    read_rightly(f"<{tag}>\nHIDDEN\n</{tag}>\n\nSHOWN\n".encode(), MARKDOWN)


def test_hidden_blocks_of_markdown_may_hold_markdown() -> None:
    read_rightly(b"<nav>\n\n* HIDDEN\n\n</nav>\n\nSHOWN\n", MARKDOWN)


NOT_HIDDEN = '<w:vanish w:val="0"/>'
OWN_STYLE = f'<w:rStyle w:val="Secret"/>{NOT_HIDDEN}'
WORDS: dict[str, bytes] = {
    "a run that its paragraph's style hides": docx(
        '<w:p><w:pPr><w:pStyle w:val="Secret"/></w:pPr>'
        f"{run('HIDDEN')}{run('SHOWN', NOT_HIDDEN)}<w:hyperlink>{run('HIDDEN')}</w:hyperlink></w:p>",
        word_style("paragraph", "Secret", HIDES),
    ),
    "a run that its own style hides": docx(
        f"<w:p>{run('SHOWN', OWN_STYLE)}</w:p>",
        word_style("character", "Secret", HIDES),
    ),
    "the paragraph behind": docx(
        paragraph("HIDDEN", style="Secret") + paragraph("SHOWN"), word_style("paragraph", "Secret", HIDES)
    ),
    "a paragraph in a table behind": docx(
        paragraph("HIDDEN", style="Secret") + f"<w:tbl><w:tr><w:tc>{paragraph('SHOWN')}</w:tc></w:tr></w:tbl>",
        word_style("paragraph", "Secret", HIDES),
    ),
}


@pytest.mark.parametrize("what", WORDS)
def test_what_word_shows_is_read(what: str) -> None:
    read_rightly(WORDS[what], DOCX)


FIRST = '<cols><col min="1" max="1" hidden="1"/></cols>'
TITLED = data(sheet_row(1, "SHOWN", "", ""), sheet_row(2, "HIDDEN", "b", "c"))
FILTERED = data(
    sheet_row(1, "Item", "Price"), sheet_row(2, "SHOWN", 4, attributes='hidden="1"'), sheet_row(3, "Tea", 2),
    sheet_row(9, "HIDDEN", attributes='hidden="1"'),
)  # fmt: skip
FILTER = '<autoFilter ref="A1:B3"><filterColumn colId="0"><filters blank="1"/></filterColumn></autoFilter>'


def merged(area: str) -> str:
    return f'<mergeCells><mergeCell ref="{area}"/></mergeCells>'


BOOKS: dict[str, bytes] = {
    "a title merged over a hidden column": xlsx(("A", FIRST + TITLED + merged("A1:C1"))),
    "a title merged over a hidden row": xlsx(
        (
            "A",
            data(sheet_row(1, "SHOWN", "HIDDEN", attributes='hidden="1"'), sheet_row(2, "", "b")) + merged("A1:A2"),
        )
    ),
    "columns without a first": xlsx(
        ("A", '<cols><col max="1" hidden="1"/></cols>' + data(sheet_row(1, "HIDDEN", "SHOWN")))
    ),
    "rows and cells without numbers": xlsx(
        ("A", FIRST + "<sheetData><row><c><v>417</v></c><c t='inlineStr'><is><t>SHOWN</t></is></c></row></sheetData>")
    ),
    "rows that a filter hides": xlsx(("A", FILTERED + FILTER)),
    "rows that the filter of a table hides": xlsx(("A", FILTERED), table=FILTER),
}


@pytest.mark.parametrize("what", BOOKS)
def test_what_a_workbook_shows_is_read(what: str) -> None:
    read_rightly(BOOKS[what], XLSX)
    assert "417" not in read(BOOKS[what], XLSX)


def test_a_title_over_a_hidden_column_leaves_no_gap_below() -> None:
    assert read(BOOKS["a title merged over a hidden column"], XLSX) == "A\nSHOWN\nb · c"


@pytest.mark.parametrize(
    "book",
    [
        xlsx(("A", FIRST + TITLED.replace("SHOWN", "HIDDEN") + merged("A1:A2"))),
        xlsx(("A", FILTERED.replace("SHOWN", "HIDDEN") + '<autoFilter ref="A1:B3"/>')),
    ],
    ids=["merged within hidden columns", "a filter that filters nothing"],
)
def test_a_merge_or_a_filter_within_hidden_parts_is_not_read(book: bytes) -> None:
    assert "HIDDEN" not in read(book, XLSX)


def picture() -> ImageReader:
    return ImageReader(Image.new("L", (60, 80), 200))


def small_scan(page: Canvas) -> None:
    page.drawImage(picture(), 100, 500, 200, 100)
    write_invisibly(page, "SHOWN")


def scan_in_a_form(page: Canvas) -> None:
    page.beginForm("scan")
    page.drawImage(picture(), 0, 0, 595, 842)
    page.endForm()
    page.doForm("scan")
    write_invisibly(page, "SHOWN")


def text_in_a_form(page: Canvas) -> None:
    page.beginForm("text")
    page.drawString(72, 700, "SHOWN")
    page.endForm()
    page.doForm("text")
    write_invisibly(page, "HIDDEN")


@pytest.mark.parametrize("draw", [small_scan, scan_in_a_form, text_in_a_form], ids=lambda draw: draw.__name__)
def test_a_page_that_shows_no_text_is_read_as_a_scan(draw: Callable[[Canvas], None]) -> None:
    read_rightly(canvas(draw), PDF)
