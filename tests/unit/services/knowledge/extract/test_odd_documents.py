"""Forms that real documents have and samples seldom: merged cells, boxes over sheets, spaced headings, lines that pages
seem to repeat, lists of forms, short texts of the Baltic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reportlab.pdfgen.canvas import Canvas

from services.knowledge.extract.merged import merged_marked, merged_rows_marked
from services.knowledge.extract.spacing import Spacing
from tests.unit.services.knowledge.extract.office_files import docx, paragraph, run, sheet_row, with_parts, xlsx
from tests.unit.services.knowledge.extract.pdf_files import pdf
from tests.unit.services.knowledge.extract.reading import blocks, lines


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text) if text else '<w:p/>'}</w:tc>"


def row(*cells: str) -> str:
    return f"<w:tr>{''.join(cells)}</w:tr>"


FIRST, NEXT = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"


def test_a_cell_of_word_that_reaches_over_rows_stands_in_each_of_them() -> None:
    table = (
        row(cell("Route"), cell("Day"), cell("Price"))
        + row(cell("North ferry", FIRST), cell("Monday"), cell("12"))
        + row(cell("", NEXT), cell("Tuesday"), cell("14"))
        + row(cell("South ferry"), cell("Monday"), cell("9"))
    )
    assert lines("a.docx", docx(f"<w:tbl>{table}</w:tbl>")) == [
        "Route · Day · Price", "North ferry · Monday · 12", "North ferry · Tuesday · 14", "South ferry · Monday · 9",
    ]  # fmt: skip


def test_a_merged_cell_is_found_by_its_column_behind_wide_cells() -> None:
    wide = '<w:gridSpan w:val="2"/>'
    table = (
        row(cell("Name", wide), cell("Town"), cell("Berth"))
        + row(cell("Ana", wide), cell("Velby", FIRST), cell("4"))
        + row(cell("Bo"), cell("Berg"), cell("", NEXT), cell("5"))
    )
    assert lines("a.docx", docx(f"<w:tbl>{table}</w:tbl>"))[-1] == "Bo · Berg · Velby · 5"


def test_merged_cells_of_a_worksheet_are_repeated_and_text_boxes_over_it_are_read() -> None:
    space = (
        'xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" '
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    )

    def box(text: str, hidden: int) -> str:
        return (
            f'<xdr:twoCellAnchor><xdr:sp><xdr:nvSpPr><xdr:cNvPr id="1" name="b" hidden="{hidden}"/></xdr:nvSpPr>'
            f"<xdr:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></xdr:txBody></xdr:sp></xdr:twoCellAnchor>"
        )

    rows = sheet_row(1, "Route", "Day") + sheet_row(2, "North", "Mon") + sheet_row(3, "", "Tue")
    rows += '<row r="4"><c r="B4" t="inlineStr"><is><t>Wed</t></is></c></row>'
    book = xlsx(("Ferries", f'<sheetData>{rows}</sheetData><mergeCells><mergeCell ref="A2:A4"/></mergeCells>'))
    drawing = f"<xdr:wsDr {space}>{box('Closed on Sundays', 0)}{box('a note to editors', 1)}</xdr:wsDr>"
    book = with_parts(book, {"xl/drawings/drawing1.xml": drawing, "xl/worksheets/_rels/sheet1.xml.rels": RELATIONS})
    text = lines("a.xlsx", book)
    assert {"North · Mon", "North · Tue", "North · Wed", "Closed on Sundays"} <= set(text)
    assert "a note to editors" not in text


RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="d" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/drawing" '
    'Target="../drawings/drawing1.xml"/></Relationships>'
)


@pytest.mark.parametrize("goes_on", [NEXT, '<w:vMerge w:val="continue"></w:vMerge><w:shd w:fill="auto"/>'])
def test_a_merge_inside_a_merged_cell_is_read_as_the_cell_above_it(goes_on: str) -> None:
    inner = f"<w:tbl>{row(cell('in', FIRST), cell('x'))}{row(cell('', goes_on), cell('y'))}</w:tbl>"
    table = (
        row(cell("Route"), cell("Day"))
        + row(cell("North", FIRST), cell("Mon"))
        + row(f"<w:tc><w:tcPr>{goes_on}</w:tcPr>{inner}<w:p/></w:tc>", cell("Tue"))
        + row(f"<w:tc><w:tcPr/>{inner}<w:p/></w:tc>", cell("Wed"))
    )
    assert lines("a.docx", docx(f"<w:tbl>{table}</w:tbl>"))[1:] == ["North · Mon", "North · Tue", "in x y · Wed"]


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("<w:checkBox><w:sizeAuto/><w:default w:val='0'/><w:checked/></w:checkBox>", "☒"),
        ('<w:checkBox><w:default w:val="1"/></w:checkBox>', "☒"),
        ('<w:checkBox><w:default w:val="1"/><w:checked w:val="0"/></w:checkBox>', "☐"),
        ("<w:checkBox><w:default w:val='0'/></w:checkBox>", "☐"),
        (
            '<w:ddList><w:result w:val="1"/><w:listEntry w:val="no"/><w:listEntry w:val="a &amp; b"/></w:ddList>',
            "a & b",
        ),
        ("<w:ddList><w:listEntry w:val='small'/><w:listEntry w:val='large'/></w:ddList>", "small"),
        ('<w:ddList><w:result w:val="7"/><w:listEntry w:val="small"/></w:ddList>', ""),
        ("<w:textInput/>", ""),
    ],
)
def test_an_older_form_of_word_says_what_was_chosen(form: str, read: str) -> None:
    body = (
        f'<w:p>{run("Parking:")}<w:r><w:rPr><w:b/></w:rPr><w:fldChar w:fldCharType="begin"><w:ffData>'
        f'<w:name w:val="F"/>{form}</w:ffData></w:fldChar></w:r><w:r><w:instrText> FORM </w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="end"/></w:r>{run(" please")}</w:p>'
    )
    assert lines("a.docx", docx(body)) == [" ".join(["Parking:" + read, "please"])]


@pytest.mark.parametrize("reference", ["A2:A4", "A2:B4"])
def test_of_merged_cells_of_a_worksheet_the_first_column_is_repeated(reference: str) -> None:
    """Also where the others hold what they held before, or are not written."""
    rows = sheet_row(1, "Route", "Day", "Fee") + sheet_row(2, "North", "Mon", 1) + sheet_row(3, "was", "Tue", 2)
    rows += '<row r="4"><c r="B4" t="inlineStr"><is><t>Wed</t></is></c><c r="C4"><v>3</v></c></row>'
    sheet = f'<sheetData>{rows}</sheetData><mergeCells><mergeCell ref="{reference}"/></mergeCells>'
    assert lines("a.xlsx", xlsx(("S", sheet)))[2:] == ["North · Mon · 1", "North · Tue · 2", "North · Wed · 3"]


@pytest.mark.parametrize("mark", [merged_marked, merged_rows_marked])
def test_what_merges_nothing_or_is_broken_stays_as_it_is(mark: Callable[[bytes], bytes]) -> None:
    for data in (b"", b"<w:tbl", b"<x><w:vMerge/></x>", b'<worksheet><mergeCell ref="A1:B1"/></worksheet>'):
        assert mark(data) == data


def test_hidden_styles_are_found_in_whatever_folder_they_lie() -> None:
    hides = (
        '<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:style w:type="character" w:styleId="Hid"><w:rPr><w:vanish/></w:rPr></w:style></w:styles>'
    )
    body = paragraph("shown words") + paragraph("secret words", '<w:rStyle w:val="Hid"/>')
    package = with_parts(docx(body), {"looks/styles.xml": hides}, [("styles", "../looks/styles.xml")])
    assert lines("a.docx", package) == ["shown words"]


@pytest.mark.parametrize(
    ("text", "space", "read"),
    [
        ("O P E N I N G  H O U R S", 0, "OPENING HOURS"),
        ("O P E N I N G   H O U R S", 0, "OPENING HOURS"),
        ("Opening Hours", 2, "Opening Hours"),
        ("Opening Hours", 3, "Opening Hours"),
        ("OPENING HOURS 2026", 9, "OPENING HOURS 2026"),
        ("I am a Plan B", 3, "I am a Plan B"),
        ("SUMMARY", 5, "SUMMARY"),
    ],
)
@pytest.mark.parametrize(("font", "size"), [("Helvetica-Bold", 22), ("Helvetica", 11)])
def test_a_line_whose_letters_are_set_apart_has_its_words(
    text: str, space: int, read: str, font: str, size: int
) -> None:
    def draw(page: Canvas) -> None:
        page.setFont(font, size)
        page.drawString(72, 760, text, charSpace=space * size / 18)
        page.setFont("Helvetica", 11)
        page.drawString(72, 700, "We open at eight in the morning and close at six.")

    assert lines("a.pdf", pdf(draw)) == [read, "We open at eight in the morning and close at six."]


def test_a_heading_of_single_letters_is_a_word() -> None:
    def draw(page: Canvas) -> None:
        page.setFont("Helvetica-Bold", 22)
        page.drawString(72, 760, "S U M M A R Y")
        page.setFont("Helvetica", 11)
        page.drawString(72, 700, "We open at eight in the morning and close at six.")

    first, _ = blocks("a.pdf", pdf(draw))
    assert (first.text, first.level > 0) == ("SUMMARY", True)


@pytest.mark.parametrize("content", [pdf(lambda page: page.drawString(72, 760, "S U M")), b"%PDF-1.4 no pages"])
def test_a_page_that_cannot_be_opened_again_stays_as_it_was_read(content: bytes) -> None:
    assert Spacing(content).lines(2, "S U M M A R Y").in_words("S U M M A R Y") == "S U M M A R Y"


@pytest.mark.parametrize("text", ["Plan A B or C: I do x y z", "I a m B C", "5 3 1 4 2 8", "W e 2"])
def test_words_of_one_letter_stay_words(text: str) -> None:
    def draw(page: Canvas) -> None:
        page.drawString(72, 760, "We open at eight in the morning and close at six.")
        page.drawString(72, 720, text)
        page.drawString(72, 680, "Parcels leave within two working days of the order.")

    assert text in lines("a.pdf", pdf(draw))


def test_columns_of_one_letter_stay_apart() -> None:
    def draw(page: Canvas) -> None:
        for row in range(4):
            for column in range(6):
                page.drawString(72 + 30 * column, 760 - 16 * row, "abcdef"[(row + column) % 6])

    assert "abcdef" not in "".join(lines("a.pdf", pdf(draw)))


def test_lines_that_differ_by_more_than_the_page_are_read_on_every_page() -> None:
    def draw(page: Canvas) -> None:
        for number in range(1, 5):
            page.drawString(72, 810, "Harbour Office, Velby")
            page.drawString(72, 796, f"Invoice No. {1000 + 7 * number}")
            page.drawString(280, 30, f"Page {number} of 4")
            for line in range(20):
                page.drawString(72, 740 - 14 * line, f"The words of line {line} on sheet {'abcd'[number - 1]}.")
            page.showPage()

    text = "\n".join(lines("a.pdf", pdf(draw)))
    assert [text.count(f"Invoice No. {1000 + 7 * number}") for number in range(1, 5)] == [1, 1, 1, 1]
    assert (text.count("Harbour Office"), text.count("Page ")) == (1, 1)


def test_a_choice_of_a_form_names_its_field() -> None:
    def draw(page: Canvas) -> None:
        page.drawString(72, 740, "Order form")
        page.acroForm.choice(name="f1", tooltip="Size", value="Large", x=72, y=700, options=["Small", "Large"])
        page.acroForm.listbox(name="f2", tooltip="Color", value="Red", x=72, y=600, options=["Red", "Blue"])

    assert {"Size: Large", "Color: Red"} <= set(lines("a.pdf", pdf(draw)))


@pytest.mark.parametrize(
    "text",
    [
        "Pood on suletud pühapäeval. Šokolaad maksab kümme.",
        "Šiauliai, ąžuolas, žvejyba, įėjimas nemokamas šeštadienį.",
        "Rīga – ķiršu tirgus atvērts šodien līdz pusčetriem.",
        "Kavinė dirba nuo 8 iki 18.\nŠeštadieniais uždaryta.",
    ],
)
def test_short_texts_of_the_baltic_are_read_in_their_encoding(text: str) -> None:
    assert " ".join(lines("a.txt", text.encode("cp1257"))) == text.replace("\n", " ")


def test_struck_words_of_markdown_lose_their_marks_alone() -> None:
    assert lines("a.md", "Ferries are ~~cheap~~ free.") == ["Ferries are cheap free."]
