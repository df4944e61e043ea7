"""Odd forms of office documents: what a person sees stands in the text once, and in its place."""

from __future__ import annotations

import io
import zipfile

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE

from services.knowledge.extract.numbers import _text
from tests.unit.services.knowledge.extract.office_files import (
    docx,
    odt,
    paragraph,
    renamed,
    run,
    shape,
    sheet_row,
    text_box,
    with_parts,
    xlsx,
)
from tests.unit.services.knowledge.extract.reading import blocks, lines


def cell(content: str) -> str:
    return f"<w:tc>{content}</w:tc>"


TABLE = f"<w:tbl><w:tr>{cell(paragraph('left'))}{cell(paragraph('right'))}</w:tr></w:tbl>"
GROUP = f"<w:drawing>{shape(paragraph('one'))}{shape(paragraph('two') + paragraph('three'))}</w:drawing>"
WORD: list[tuple[str, list[str]]] = [
    (f"<w:p><w:r>{text_box(paragraph('in the box') + paragraph('below'))}</w:r>{run('anchor')}</w:p>",
     ["anchor", "in the box", "below"]),
    (f"<w:p><w:r>{GROUP}</w:r></w:p>", ["one", "two", "three"]),
    (f"<w:p><w:r>{text_box(TABLE)}</w:r></w:p>{paragraph('after')}", ["left · right", "after"]),
    (f"<w:tbl><w:tr><w:tc><w:p><w:r>{text_box(paragraph('boxed'))}</w:r>{run('cell')}</w:p></w:tc>"
     f"{cell(paragraph('next'))}</w:tr></w:tbl>", ["cell boxed · next"]),
    (f"<w:p><w:r>{text_box(paragraph('hidden', '<w:vanish/>') + paragraph('shown'))}</w:r></w:p>", ["shown"]),
    ("<w:p><w:r><w:t>one</w:t><w:cr/><w:t>two</w:t></w:r></w:p>", ["one two"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), WORD)
def test_boxes_and_cells_of_word_are_read_once_and_in_place(body: str, expected: list[str]) -> None:
    assert lines("a.docx", docx(body)) == expected


def test_a_main_part_of_another_name_is_found() -> None:
    assert lines("a.docx", renamed(docx(paragraph("words")), "word/document.xml", "word/document2.xml")) == ["words"]
    book = xlsx(("One", f"<sheetData>{sheet_row(1, 'words')}</sheetData>"))
    assert lines("a.xlsx", renamed(book, "xl/workbook.xml", "xl/workbook2.xml")) == ["One", "words"]


@pytest.mark.parametrize("main", ["doc/main.xml", "word/my-doc.xml"])
def test_a_main_part_of_another_name_hides_what_it_hides(main: str) -> None:
    hidden = "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>HIDDEN</w:t></w:r></w:p>"
    assert lines("a.docx", renamed(docx(paragraph("words") + hidden), "word/document.xml", main)) == ["words"]


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ('0"%"', b"15", "15%"),
        (r"0\%", b"15", "15%"),
        ('0" of 100%"', b"12", "12 of 100%"),
        ("0.0%", b"0.155", "15.5%"),
        ('#,##0,"K"', b"1234567", ""),
        ('$#,##0,,"M"', b"1234567890", ""),
        ('"EUR "0.00', b"1-2", ""),
        ("[$CHF] 0.00", b"1.25", "CHF 1.25"),
        ("General", b"0.30000000000000004", "0.3"),
        ("General", b"-2.9999999999999996", "-3"),
        ("General", b"12.5", ""),
        ("General", b"1234567890123456", ""),
        ("", b"46000.756944444445", ""),  # a format that is known by its number, such as that of a date
    ],
)
def test_a_format_never_makes_another_number(code: str, number: bytes, shown: str) -> None:
    """Empty: the number stays as it is written."""
    assert _text(number, code) == shown


def test_a_part_in_utf16_is_read() -> None:
    document = docx(paragraph("words"))
    wide = with_parts(document, {"word/document.xml": part(document).encode("utf-16")})
    assert lines("a.docx", wide) == ["words"]


def part(document: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return '<?xml version="1.0" encoding="UTF-16"?>' + archive.read("word/document.xml").decode()


MHT = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
    "Content-Type: text/html; charset=utf-8\r\n\r\n<p>taken in</p>\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.html", "<p>taken in</p>"), ("a.mht", MHT), ("a.docx", docx(paragraph("taken in"))), ("a.txt", "taken in")],
)
def test_a_document_that_word_takes_in_is_read(name: str, content: str | bytes) -> None:
    whole = with_parts(docx(paragraph("own")), {f"word/{name}": content}, [("aFChunk", name)])
    assert lines("a.docx", whole) == ["own", "taken in"]


def test_a_document_does_not_take_in_itself() -> None:
    inner = with_parts(docx(paragraph("inner")), {"word/b.txt": "deepest"}, [("aFChunk", "b.txt")])
    whole = with_parts(docx(paragraph("own")), {"word/a.docx": inner}, [("aFChunk", "/word/a.docx")])
    assert lines("a.docx", whole) == ["own", "inner"]


STYLES = (
    '<numFmts><numFmt numFmtId="170" formatCode="#,##0.00\\ &quot;€&quot;"/><numFmt numFmtId="171" formatCode="00000"/>'
    '<numFmt numFmtId="172" formatCode="[$$-409]#,##0.00"/><numFmt numFmtId="173" formatCode="#,##0.0"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="9"/><xf numFmtId="10"/><xf numFmtId="170"/><xf numFmtId="171"/>'
    '<xf numFmtId="172"/><xf numFmtId="173"/></cellXfs>'
)


@pytest.mark.parametrize(
    ("style", "number", "shown"),
    [(0, "0.15", "0.15"), (1, "0.15", "15%"), (2, "0.155", "15.50%"), (3, "1234.5", "1234.50 €"), (4, "1067", "01067"),
     (5, "-12", "-$12.00"), (6, "12.5", "12.5")],
)  # fmt: skip
def test_a_number_of_a_sheet_is_read_as_it_is_shown(style: int, number: str, shown: str) -> None:
    sheet = f'<sheetData>{sheet_row(1, f"""<c r="A1" s="{style}"><v>{number}</v></c>""", "unit")}</sheetData>'
    assert lines("a.xlsx", xlsx(("One", sheet), styles=STYLES)) == ["One", f"{shown} · unit"]


@pytest.mark.parametrize("formula", ["<f>B1*2</f>", '<f t="shared" si="0"/>', "<f>B1>2</f>"])
def test_a_computed_number_is_read_as_it_is_shown_too(formula: str) -> None:
    cells = [f'<c r="A1" s="1">{formula}<v>0.15</v></c>', f'<c r="B1">{formula}<v>23.788099999999996</v></c>']
    sheet = f"<sheetData>{sheet_row(1, *cells)}</sheetData>"
    assert lines("a.xlsx", xlsx(("One", sheet), styles=STYLES)) == ["One", "15% · 23.7881"]


def test_a_long_price_list_is_read() -> None:
    """More cells than the library reads by itself."""
    rows = "".join(sheet_row(number, "awl", *range(7)) for number in range(1, 12_600))
    assert len(lines("a.xlsx", xlsx(("One", f"<sheetData>{rows}</sheetData>")))) == 12_600


def test_a_title_above_a_sheets_table_is_not_its_header() -> None:
    rows = sheet_row(1, "Prices") + sheet_row(3, "Tool", "Mon", "Tue") + sheet_row(4, "Awl", 7, 7)
    found = blocks("a.xlsx", xlsx(("One", f"<sheetData>{rows}</sheetData>")))
    assert [(block.text, block.header) for block in found[1:]] == [
        ("Prices", ""), ("Tool · Mon · Tue", ""), ("Awl · 7 · 7", "Tool · Mon · Tue"),
    ]  # fmt: skip


def slides() -> bytes:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text, first.placeholders[1].text = "Tides", "High at noon\nLow at six"
    first.notes_slide.notes_text_frame.text = "Say it slowly"
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(3, 2, 0, 0, 9, 9).table
    for place, text in {(0, 0): "Zone", (0, 1): "Fee", (1, 0): "North", (1, 1): "15", (2, 1): "15"}.items():
        table.cell(*place).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    group = second.shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "In a group"
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["North", "South"]
    data.add_series("Sales", (19.2, 21))  # type: ignore[no-untyped-call]
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 9, 9, data)
    order = deck.slides._sldIdLst
    order.insert(0, order[-1])
    target = io.BytesIO()
    deck.save(target)
    return target.getvalue()


def test_slides_are_read_in_their_order_with_tables_groups_charts_and_notes() -> None:
    assert [(block.text, block.page, block.level) for block in blocks("a.pptx", slides())] == [
        ("Zone · Fee", 1, 0), ("North · 15", 1, 0), ("North · 15", 1, 0), ("In a group", 1, 0), (" · Sales", 1, 0),
        ("North · 19.2", 1, 0), ("South · 21", 1, 0), ("Tides", 2, 1), ("High at noon", 2, 0), ("Low at six", 2, 0),
        ("Say it slowly", 2, 0),
    ]  # fmt: skip


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def odt_cell(text: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


NESTED = f"<table:table-cell><table:table>{row(odt_cell('inner'))}</table:table></table:table-cell>"
OPEN: list[tuple[str, list[str]]] = [
    ("<text:p>one<text:s text:c='3'/>two<text:tab/>three<text:line-break/>four</text:p>", ["one two three four"]),
    ("<text:p>body<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>note</text:p>"
     "</text:note-body></text:note> goes on</text:p>", ["body goes on", "note"]),
    ("<text:p>anchor<draw:frame xmlns:draw='d'><draw:text-box><text:p>framed</text:p></draw:text-box></draw:frame>"
     "</text:p>", ["anchor", "framed"]),
    ("<text:numbered-paragraph><text:p>numbered</text:p></text:numbered-paragraph>", ["numbered"]),
    (f"<table:table>{row(odt_cell('a'), odt_cell('b'), odt_cell('c'))}"
     + row(odt_cell("wide", "table:number-columns-spanned='2'"), "<table:covered-table-cell/>", odt_cell("end"))
     + row(odt_cell("same", "table:number-columns-repeated='3'")) + "</table:table>",
     ["a · b · c", "wide ·  · end", "same · same · same"]),
    (f"<table:table>{row(odt_cell('outer'), NESTED)}</table:table>", ["outer · inner"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), OPEN)
def test_open_document_text_is_read(body: str, expected: list[str]) -> None:
    assert lines("a.odt", odt(body)) == expected


def test_raised_digits_and_readings_of_open_document_join_no_number() -> None:
    small = (
        '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
        '<style:style style:name="T2"><style:text-properties style:text-position="sub 58%"/></style:style>'
    )
    body = (
        '<text:p>12<text:span text:style-name="T1">3<text:span>4</text:span>5</text:span>6 '
        'H<text:span text:style-name="T2">2</text:span>O</text:p>'
        "<text:p><text:ruby><text:ruby-base>東京</text:ruby-base><text:ruby-text>とうきょう</text:ruby-text></text:ruby></text:p>"
    )
    assert lines("a.odt", odt(body, automatic=small)) == ["12³⁴⁵6 H2O", "東京(とうきょう)"]
