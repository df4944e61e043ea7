"""What a person sees keeps its place: numbers of lists and clauses, columns of prices, marks of notes, readings."""

from __future__ import annotations

import io

import pytest
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

from tests.unit.services.knowledge.extract.office_files import archive, docx, odt, paragraph, run, sheet_row, xlsx
from tests.unit.services.knowledge.extract.pdf_files import pdf
from tests.unit.services.knowledge.extract.reading import blocks, lines


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<ol start=3><li>third<li>fourth<ol><li>inner</ol><li value=9>ninth</ol><ul><li>point</ul>",
         ["3. third", "4. fourth", "1. inner", "9. ninth", "point"]),
        ("<table><tr><td>Route<td>Mon<td>Tue<tr><td rowspan=2>South<td>1<td>2<tr><td>3<td>4</table>",
         ["Route · Mon · Tue", "South · 1 · 2", "South · 3 · 4"]),
        ("<table><tr><td>Menu<td><h2>Fees</h2><p>Adults pay 12.</table>", ["Menu", "Fees", "Adults pay 12."]),
        ("<p>12<sup>1</sup> euro for 3 m<sup>2</sup>, the 4<sup>th</sup>", ["12¹ euro for 3 m², the 4th"]),
        ('<p>12<sup><a href="#n">1</a></sup> euro<sup id="b">[<b>2</b>]</sup></p>', ["12¹ euro[²]"]),
        ("<p><ruby>東<rt>とう</rt>京<rt>きょう</rt></ruby>へ行く", ["東京(とうきょう)へ行く"]),
        ("<p>東京<rt><b>とうきょう</b></rt>へ</p><p>next", ["東京へ(とうきょう)", "next"]),
        ("<p><ruby>東京<rp>（</rp><rt>とうきょう</rt><rp>）</rp></ruby>へ", ["東京(とうきょう)へ"]),
    ],
)  # fmt: skip
def test_pages_keep_numbers_columns_and_words(page: str, expected: list[str]) -> None:
    assert lines("a.html", page) == expected


@pytest.mark.parametrize(
    "row",
    [
        '<div style="display:flex"><span>Adults</span><b>12</b></div>',
        '<span style="display:inline-grid"><span>Adults</span>12</span>',
        "<style>.row { display: flex } .row b { color: red }</style><div class=row>Adults<b>12</b></div>",
        '<style>span { display: block !important }</style><span>Adults</span><span style="display:inline">12</span>',
        '<span style="display:table-cell">Adults</span><span style="display:table-cell">12</span>',
        '<i style="float:left">Adults</i><i>12</i>',
        "<label>Adults</label><input><label>12</label>",
        "Adults<select><option>1<option>2</select>12",
        "Adults<button>+</button>12",
        "Adults<svg><path/></svg>12",
        'Adults<img src="a.png" alt="">12',
        "<table><tr><th>Age<tr><td><p>Adults</p>12</table>",
    ],
)
def test_words_that_a_page_shows_apart_are_not_joined(row: str) -> None:
    assert lines("a.html", row)[-1] == "Adults 12"


@pytest.mark.parametrize(
    "page",
    [
        "<span>ferry</span><span>boat</span>", "ferry<wbr>boat", "<b>f</b>erry<a href=x>boat</a>",
        '<span style="display:inline-block">ferry</span><span style="display:inline-block">boat</span>',
        '<style>span { display: block } span { display: inline }</style><span>ferry</span>boat',
        'ferry<span hidden>x</span>boat', '<i style="float:none">ferry</i>boat',
    ],
)  # fmt: skip
def test_words_that_a_page_shows_as_one_stay_one(page: str) -> None:
    assert lines("a.html", page) == ["ferryboat"]


@pytest.mark.parametrize(
    "page", ["Fees<legend>2026</legend>", "Fees<menu><li>2026</menu>", "Fees<center>2026</center>"]
)
def test_a_block_of_a_page_is_no_part_of_its_line(page: str) -> None:
    assert lines("a.html", page) == ["Fees", "2026"]


def test_a_header_of_two_rows_stands_above_every_row_and_a_named_row_above_none() -> None:
    fees = "<tr><th rowspan=2>Zone<th colspan=2>Price<tr><th>adult<th>child<tr><td>North<td>12<td>6"
    assert blocks("a.html", f"<table>{fees}</table>")[-1].header == "Zone · Price; Zone · adult · child"
    days = "<table><tr><th>Mon<td>9-17<tr><th>Tue<td>9-12</table>"
    assert [block.header for block in blocks("a.html", days)] == ["", ""]
    rows = sheet_row(1, "Zone", "Price") + sheet_row(2, "", "adult", "child") + sheet_row(3, "North", 12, 6)
    merges = '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/></mergeCells>'
    book = xlsx(("Fees", f"<sheetData>{rows}{sheet_row(4, 'South', 9, 4)}</sheetData>{merges}"))
    assert blocks("a.xlsx", book)[-1].header == "Zone · Price; Zone · adult · child"


def test_a_header_does_not_grow_with_its_table() -> None:
    rows = "".join(f"<tr><th>Zone {number}<th>Price" for number in range(500))
    assert len(blocks("a.html", f"<table>{rows}<tr><td>North<td>12</table>")[-1].header) < 60


LEVELS = (
    '<w:abstractNum w:abstractNumId="7">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:pStyle w:val="Clause"/>'
    '<w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
    '<w:lvl w:ilvl="2"><w:start w:val="3"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%3)"/></w:lvl>'
    '<w:lvl w:ilvl="3"><w:start w:val="1"/><w:numFmt w:val="upperRoman"/><w:lvlText w:val="%4)"/></w:lvl>'
    '<w:lvl w:ilvl="4"><w:start w:val="1"/><w:numFmt w:val="bullet"/><w:lvlText w:val="•"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="7"/>'
    '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="10"/></w:lvlOverride></w:num>'
)
CLAUSE = (
    '<w:style w:type="paragraph" w:styleId="Clause"><w:name w:val="Clause"/>'
    '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr>'
    '</w:pPr></w:style><w:style w:type="paragraph" w:styleId="Own"><w:basedOn w:val="Clause"/></w:style>'
)


def item(text: str, level: int, number: int = 1) -> str:
    listed = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{listed}</w:pPr>{run(text)}</w:p>"


def test_clauses_and_items_of_word_have_their_numbers() -> None:
    body = (
        paragraph("Scope", style="Clause") + item("Delivery", 1) + item("Returns", 1) + item("by post", 2)
        + item("by hand", 2) + item("deep", 3) + item("point", 4) + paragraph("between")
        + paragraph("Fees", style="Own") + item("Late fee", 1) + item("Annex", 0, 2) + item("Last", 0, 2)
        + item("no number", 0, 0)
    )  # fmt: skip
    assert lines("a.docx", docx(body, CLAUSE, numbering=LEVELS)) == [
        "1. Scope", "1.1 Delivery", "1.2 Returns", "(c) by post", "(d) by hand", "I) deep", "point", "between",
        "2. Fees", "2.1 Late fee", "10. Annex", "11. Last", "no number",
    ]  # fmt: skip


LISTS = (
    '<text:list-style style:name="N"><text:list-level-style-number text:level="1" style:num-format="1" '
    'style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")" '
    'text:display-levels="2"/></text:list-style><text:list-style style:name="B"><text:list-level-style-bullet '
    'text:level="1" text:bullet-char="x"/></text:list-style><text:list-style style:name="R">'
    '<text:list-level-style-number text:level="1" style:num-format="I" style:num-prefix="(" style:num-suffix=")" '
    'text:start-value="4"/></text:list-style>'
)
OUTLINE = (
    '<text:outline-style style:name="Outline"><text:outline-level-style text:level="1" style:num-format="1" '
    'style:num-prefix="§ "/><text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/>'
    '<text:outline-level-style text:level="3" style:num-format=""/></text:outline-style>'
)


def listed(style: str, *items: str, more: str = "") -> str:
    """A list of OpenDocument; an item that is no XML is one paragraph."""
    inner = "".join(
        f"<text:list-item>{text if '<' in text else f'<text:p>{text}</text:p>'}</text:list-item>" for text in items
    )
    return f'<text:list text:style-name="{style}" {more}>{inner}</text:list>'


def headed(level: int, text: str, more: str = "") -> str:
    return f'<text:h text:outline-level="{level}" {more}>{text}</text:h>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (listed("N", "one", "<text:p>two</text:p><text:p>more</text:p>", "three"),
         ["1. one", "2. two", "more", "3. three"]),
        (listed("N", "one", f"<text:p>two</text:p>{listed('N', 'a', 'b')}", "three"),
         ["1. one", "2. two", "2.a) a", "2.b) b", "3. three"]),
        (listed("N", "one") + "<text:p>x</text:p>" + listed("N", "two", more='text:continue-numbering="true"'),
         ["1. one", "x", "2. two"]),
        (listed("N", "one", more='xml:id="l1"') + listed("B", "x") + listed("N", "two", more='text:continue-list="l1"'),
         ["1. one", "x", "2. two"]),
        (listed("N", "one") + listed("N", "again"), ["1. one", "1. again"]),
        (listed("R", "four", "five"), ["(IV) four", "(V) five"]),
        ('<text:list text:style-name="N"><text:list-header><text:p>title</text:p></text:list-header><text:list-item '
         'text:start-value="9"><text:p>nine</text:p></text:list-item></text:list>', ["title", "9. nine"]),
        (headed(1, "Fees") + headed(2, "Adults") + headed(3, "x") + headed(1, "Note", 'text:is-list-header="true"')
         + headed(1, "Rules") + headed(2, "Dogs"), ["§ 1 Fees", "1.1 Adults", "x", "Note", "§ 2 Rules", "2.1 Dogs"]),
        ("<table:table><table:table-row><table:table-cell>" + listed("N", "one", "two") + "</table:table-cell>"
         "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>",
         ["1. one 2. two · b"]),
        (listed("none", "plain"), ["plain"]),
    ],
)  # fmt: skip
def test_lists_and_headings_of_open_document_have_their_numbers(body: str, expected: list[str]) -> None:
    assert lines("a.odt", odt(body, automatic=LISTS, styles=OUTLINE)) == expected


def test_a_row_of_word_that_begins_further_right_keeps_its_columns() -> None:
    def cell(text: str) -> str:
        return f"<w:tc>{paragraph(text)}</w:tc>"

    indented = f'<w:trPr><w:gridBefore w:val="1"/></w:trPr>{cell("11")}{cell("14")}'
    table = f"<w:tr>{cell('Route')}{cell('Mon')}{cell('Tue')}</w:tr><w:tr>{indented}</w:tr>"
    assert [block.text for block in blocks("a.docx", docx(f"<w:tbl>{table}</w:tbl>"))] == [
        "Route · Mon · Tue",
        " · 11 · 14",
    ]


def test_raised_digits_and_readings_of_word_join_no_number_and_cut_no_word() -> None:
    small = '<w:vertAlign w:val="superscript"/>'
    ruby = (
        "<w:r><w:ruby><w:rt><w:r><w:t>とう</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>東</w:t></w:r></w:rubyBase></w:ruby></w:r>"
        "<w:r><w:ruby><w:rt><w:r><w:t>きょう</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>京</w:t></w:r></w:rubyBase></w:ruby></w:r>"
    )
    body = f"<w:p>{run('Fee 12')}{run('1', small)}{run(' for 3 m')}{run('2', small)}</w:p><w:p>{ruby}</w:p>"
    assert lines("a.docx", docx(body)) == ["Fee 12¹ for 3 m²", "東京(とうきょう)"]


def sign(text: str, reading: str) -> str:
    return f"<w:r><w:ruby><w:rt>{run(reading)}</w:rt><w:rubyBase>{run(text)}</w:rubyBase></w:ruby></w:r>"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (run("行く") + sign("東京", "とうきょう"), "行く東京(とうきょう)"),
        (sign("東", "とう") + sign("京", "きょう") + run("へ"), "東京(とうきょう)へ"),
        (sign("東", "とう") + run("と") + sign("京", "きょう"), "東(とう)と京(きょう)"),
        (f'<w:hyperlink w:anchor="a">{sign("東", "とう")}</w:hyperlink>{run("&amp;")}', "東(とう)&"),
        (f"<w:moveFrom>{sign('東', 'とう')}</w:moveFrom>{run('京')}", "京"),
    ],
)
def test_a_reading_of_word_stands_behind_its_word(words: str, expected: str) -> None:
    assert lines("a.docx", docx(f"<w:p>{words}</w:p><w:p>{run('end')}</w:p>")) == [expected, "end"]


def mathematics(*elements: str) -> str:
    """Elements of a formula; one that is no XML is a run of it."""
    namespace = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    return f'<m:oMath xmlns:m="{namespace}">{"".join(map(symbols, elements))}</m:oMath>'


def symbols(text: str) -> str:
    return text if text.startswith("<") else f"<m:r><m:t>{text}</m:t></m:r>"


def part(name: str, **parts: str) -> str:
    inner = "".join(f"<m:{part}>{symbols(text)}</m:{part}>" for part, text in parts.items())
    return f"<m:{name}>{inner}</m:{name}>"


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (mathematics("A=π", part("sSup", e="r", sup="2")), "A=πr²"),
        (mathematics(part("f", num="a+b", den="12")), "(a+b)/12"),
        (mathematics(part("rad", deg="", e=part("f", num="x", den="y"))), "√(x/y)"),
        (mathematics(part("sSup", e=part("d", e="a+b"), sup="n-1")), "(a+b)^(n-1)"),
        (mathematics(part("sSub", e="CO", sub="2"), "&lt;5"), "CO2<5"),
        (mathematics(part("nary", naryPr='<m:chr m:val="∑"/>', e="x")), "∑x"),
        (f"<m:oMathPara xmlns:m='http://schemas.openxmlformats.org/officeDocument/2006/math'>{mathematics('a=b')}"
         "</m:oMathPara>", "a=b"),
        (mathematics("a", "<w:del><m:r><m:t>b</m:t></m:r></w:del>"), "a"),
    ],
)  # fmt: skip
def test_a_formula_of_word_stands_in_its_sentence(formula: str, expected: str) -> None:
    sentence = f"<w:p>{run('It is ')}{formula}{run(' today.')}</w:p>"
    table = f"<w:tbl><w:tr><w:tc>{sentence}</w:tc><w:tc>{paragraph('b')}</w:tc></w:tr></w:tbl>"
    assert lines("a.docx", docx(sentence + table)) == [f"It is {expected} today.", f"It is {expected} today. · b"]


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="#,##0.00"/><numFmt numFmtId="165" formatCode="0.##"/>'
    '<numFmt numFmtId="166" formatCode="0 &quot;days&quot;"/></numFmts><cellXfs>'
    + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 2, 164, 165, 166))
    + "</cellXfs>"
)


@pytest.mark.parametrize(
    ("style", "number", "shown"),
    [(0, "12.5", "12.5"), (1, "12.5", "12.50"), (2, "1234.5", "1234.50"), (2, "3.14159", "3.14159"),
     (3, "12.5", "12.5"), (4, "2.5", "3 days"), (1, "-3", "-3.00")],
)  # fmt: skip
def test_a_price_has_the_decimals_that_the_sheet_shows(style: int, number: str, shown: str) -> None:
    cell = f'<c r="B1" s="{style}"><v>{number}</v></c>'
    assert lines("a.xlsx", xlsx(("A", f"<sheetData>{sheet_row(1, 'fee', cell)}</sheetData>"), styles=STYLES)) == [
        "A", f"fee · {shown}",
    ]  # fmt: skip


def test_a_line_break_of_a_slide_parts_two_words() -> None:
    deck, target = Presentation(), io.BytesIO()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Fees\v2026", "one\vtwo"
    deck.save(target)
    assert lines("a.pptx", target.getvalue()) == ["Fees 2026", "one two"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (rb"{\rtf1\trowd\cellx1\cellx2 Route\cell Mon\cell Tue\cell\row\trowd North\cell\cell 14\cell\row after\par}",
         [("Route · Mon · Tue", ""), ("North ·  · 14", "Route · Mon · Tue"), ("after", "")]),
        (rb"{\rtf1{\pntext\f0 3.\tab}Third\par left\column right\par}",
         [("3. Third", ""), ("left", ""), ("right", "")]),
    ],
)  # fmt: skip
def test_rtf_keeps_columns_and_numbers(source: bytes, expected: list[tuple[str, str]]) -> None:
    assert [(block.text, block.header) for block in blocks("a.rtf", source)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Adults pay 12.[^1]\n\n[^1]: Children pay 6.\n", ["Adults pay 12.", "1. Children pay 6."]),
        ("7. seven\n\n   more\n\n8. eight\n", ["7. seven", "more", "8. eight"]),
        ("Deposit\n: Two rents.\n", ["Deposit", "Two rents."]),
        ("7. seven\n8. eight\n", ["7. seven", "8. eight"]),
    ],
)
def test_notes_terms_and_lists_of_markdown_are_read(text: str, expected: list[str]) -> None:
    assert lines("a.md", text) == expected


def test_a_cell_that_excel_keeps_as_text_is_its_text() -> None:
    assert lines("a.csv", 'zip,town\n="01067",Velby\n="09130",Berg\n') == [
        "zip: 01067; town: Velby.", "zip: 09130; town: Berg.",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["L’œuvre coûte 12 €, la sœur aussi", "Une œuvre à 12 €"])
def test_latin_9_is_told_by_its_letters(text: str) -> None:
    latin = text.replace("’", "'")
    assert lines("a.txt", latin.encode("iso8859-15")) == [latin]


def test_a_book_without_one_of_its_chapters_is_read() -> None:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="a.xhtml"/>'
        '<item id="b" href="b.xhtml"/></manifest><spine><itemref idref="b"/>'
        '<itemref idref="c"/><itemref idref="a"/></spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'
    parts = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "book.opf": package}
    assert lines("a.epub", archive({**parts, "a.xhtml": "<html><body><p>words</p></body></html>"})) == ["words"]


def test_rows_of_a_table_without_rules_are_not_joined() -> None:
    rows = [
        ("Route", "Monday", "Tuesday"),
        ("North ferry", "", "14.00"),
        ("South ferry", "9.00", "9.00"),
        ("East ferry", "12.00", ""),
    ]

    def draw(page: Canvas) -> None:
        for y, row in enumerate(rows):
            for x, text in enumerate(row):
                page.drawString(76 + 130 * x, 706 - 18 * y, text)

    assert lines("a.pdf", pdf(draw)) == [
        "Route · Monday · Tuesday", "North ferry ·  · 14.00", "South ferry · 9.00 · 9.00", "East ferry · 12.00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "mark", "expected"),
    [("Fee 12", "1", "Fee 12¹ per day"), ("Fee 12", "7", "Fee 12 per day"), ("Area 40 m", "2", "Area 40 m² per day"),
     ("It is 10", "2", "It is 10² per day"), ("Some 3 x 10", "8", "Some 3 x 10^8 per day"),
     ("Only 10", "-3", "Only 10^-3 per day"), ("Fee 110", "4", "Fee 110 per day"),
     ("On the 4", "th", "On the 4th per day")],
)  # fmt: skip
def test_a_raised_number_of_a_pdf_is_no_digit_of_the_number_before_it(first: str, mark: str, expected: str) -> None:
    def draw(page: Canvas) -> None:
        page.setFont("Helvetica", 12)
        page.drawString(72, 760, first)
        right = 72 + page.stringWidth(first)
        page.setFont("Helvetica", 6)
        page.drawString(right + 1, 765, mark)
        page.setFont("Helvetica", 12)
        page.drawString(right + 8, 760, "per day")

    assert lines("a.pdf", pdf(draw)) == [expected]
