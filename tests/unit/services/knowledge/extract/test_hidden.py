"""What a document hides is not read. Each document holds `SHOWN`, and `HIDDEN` where a reader of it does not see it."""

from __future__ import annotations

import io
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from services.knowledge.domain.media import DOCX, EML, EPUB, HTML, MARKDOWN, ODT, PDF, PPTX, RTF, XLSX, MediaType
from tests.unit.services.knowledge.extract.office_files import (
    docx,
    epub,
    odt,
    paragraph,
    pptx,
    run,
    sheet_row,
    xlsx,
)
from tests.unit.services.knowledge.extract.reading import blocks_in

_SHOWN = paragraph("SHOWN words")


def read(content: bytes, media: MediaType) -> str:
    return "\n".join(block.text for block in blocks_in(content, media))


def word_style(kind: str, name: str, more: str) -> str:
    return f'<w:style w:type="{kind}" w:styleId="{name}"><w:name w:val="{name}"/>{more}</w:style>'


VALUED = '<w:vanish w:val="true"/>'
STYLED = '<w:rStyle w:val="Secret"/>'
HIDES = "<w:rPr><w:vanish/></w:rPr>"
WORD: dict[str, bytes] = {
    "a hidden run": docx(f"<w:p>{run('SHOWN ')}{run('HIDDEN', '<w:vanish/>')}</w:p>"),
    "a hidden run by value": docx(f"<w:p>{run('SHOWN ')}{run('HIDDEN', VALUED)}</w:p>"),
    "text hidden on the web": docx(_SHOWN + paragraph("HIDDEN", "<w:b/><w:webHidden/>")),
    "a moved paragraph's old place": docx(f"{_SHOWN}<w:p><w:moveFrom w:id='1'>{run('HIDDEN')}</w:moveFrom></w:p>"),
    "a deleted run": docx(f"{_SHOWN}<w:p><w:del w:id='1'><w:r><w:delText>HIDDEN</w:delText></w:r></w:del></w:p>"),
    "a deleted row": docx(
        f"{_SHOWN}<w:tbl><w:tr><w:trPr><w:del w:id='1'/></w:trPr><w:tc>{paragraph('HIDDEN')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{paragraph('kept')}</w:tc></w:tr></w:tbl>"
    ),
    "a deleted cell": docx(
        "<w:tbl>"
        f"<w:tr><w:tc>{_SHOWN}</w:tc><w:tc><w:tcPr><w:cellDel w:id='1'/></w:tcPr>{paragraph('HIDDEN')}</w:tc></w:tr>"
        f"<w:tr><w:tc><w:tcPr><w:tcW w:w='9'/><w:cellDel w:id='2'></w:cellDel></w:tcPr>{paragraph('HIDDEN')}</w:tc>"
        f"<w:tc>{paragraph('kept')}</w:tc></w:tr></w:tbl>"
    ),
    "a deleted row of some height": docx(
        f"{_SHOWN}<w:tbl><w:tr><w:trPr><w:trHeight w:val='9'/><w:del w:id='1' w:author='a'></w:del></w:trPr>"
        f"<w:tc>{paragraph('HIDDEN')}</w:tc></w:tr></w:tbl>"
    ),
    "a row of deleted cells": docx(
        f"{_SHOWN}<w:tbl><w:tr><w:tc><w:tcPr><w:cellDel w:id='1'/></w:tcPr>{paragraph('HIDDEN')}</w:tc></w:tr></w:tbl>"
    ),
    "a hidden row": docx(
        f"{_SHOWN}<w:tbl><w:tr><w:trPr><w:hidden/></w:trPr><w:tc>{paragraph('HIDDEN')}</w:tc></w:tr></w:tbl>"
    ),
    "a run of a hidden style": docx(
        f"<w:p>{run('SHOWN ')}{run('HIDDEN', STYLED)}</w:p>",
        word_style("character", "Secret", HIDES),
    ),
    "a paragraph of a style based on a hidden one": docx(
        _SHOWN + paragraph("HIDDEN", style="Below"),
        word_style("paragraph", "Secret", HIDES)
        + word_style("paragraph", "Below", '<w:basedOn w:val="Secret"/>')
        + word_style("paragraph", "Own", '<w:basedOn w:val="Secret"/><w:rPr><w:vanish w:val="0"/></w:rPr>'),
    ),
    "a comment": docx(
        f"<w:p>{run('SHOWN')}<w:r><w:commentReference w:id='0'/></w:r></w:p>",
        comments=f"<w:comment w:id='0' w:author='HIDDEN'>{paragraph('HIDDEN')}</w:comment>",
    ),
    "a part of a footnote": docx(
        f"<w:p>{run('body')}<w:r><w:footnoteReference w:id='2'/></w:r></w:p>",
        footnotes=f"<w:footnote w:id='2'><w:p>{run('SHOWN')}{run('HIDDEN', '<w:vanish/>')}</w:p></w:footnote>",
    ),
}


def data(*rows: str) -> str:
    return f"<sheetData>{''.join(rows)}</sheetData>"


WORKBOOKS: dict[str, bytes] = {
    "a row": xlsx(("A", data(sheet_row(1, "SHOWN", 1), sheet_row(2, "HIDDEN", 2, attributes='hidden="1"')))),
    "columns": xlsx(
        (
            "A",
            '<cols><col min="2" max="3" width="9" hidden="true"/></cols>'
            + data(sheet_row(1, "SHOWN", "HIDDEN", "HIDDEN", "end"), sheet_row(2, "a", "HIDDEN", 1, 2)),
        )
    ),
    "sheets": xlsx(
        ("A", data(sheet_row(1, "SHOWN"))), ("B", data(sheet_row(1, "HIDDEN"))), ("C", data(sheet_row(1, "HIDDEN"))),
        states=["visible", "hidden", "veryHidden"],
    ),
}  # fmt: skip
SLIDES: dict[str, bytes] = {
    "a slide and its notes": pptx("SHOWN", "HIDDEN", shows=["", "0"], notes=["", "HIDDEN"]),
    "a slide, said in a word": pptx("SHOWN", "HIDDEN", shows=["true", "false"]),
}


def odf_style(name: str, family: str, parent: str = "") -> str:
    properties = "" if parent else '<style:text-properties text:display="none"/>'
    return (
        f'<style:style style:name="{name}" style:family="{family}" style:parent-style-name="{parent}">{properties}'
        "</style:style>"
    )


TEXTS: dict[str, bytes] = {
    "a span": odt('<text:p>SHOWN<text:span text:style-name="T1">HIDDEN</text:span></text:p>', odf_style("T1", "text")),
    "a paragraph of a style based on a hidden one": odt(
        '<text:p>SHOWN</text:p><text:p text:style-name="P2">HIDDEN</text:p>',
        odf_style("P2", "paragraph", "Secret"),
        odf_style("Secret", "paragraph"),
    ),
    "a comment": odt(
        "<text:p>SHOWN<office:annotation><dc:creator>HIDDEN</dc:creator><text:p>HIDDEN</text:p></office:annotation>"
        "</text:p>"
    ),
    "tracked deletions": odt(
        "<text:tracked-changes><text:changed-region text:id='c'><text:deletion><text:p>HIDDEN</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes><text:p>SHOWN</text:p>"
    ),
    "a hidden field": odt("<text:p>SHOWN<text:hidden-text text:is-hidden='true'>HIDDEN</text:hidden-text></text:p>"),
    "a hidden paragraph": odt(
        "<text:p>SHOWN</text:p><text:p><text:hidden-paragraph text:is-hidden='true'/>HIDDEN</text:p>"
    ),
    "a section": odt(
        "<text:p>SHOWN</text:p><text:section text:name='s' text:display='none'><text:p>HIDDEN</text:p></text:section>"
    ),
}
PAGES: dict[str, str] = {
    "an attribute": "<p hidden>HIDDEN</p>",
    "a style": '<div style="Display : NONE"><p>HIDDEN</p></div>',
    "what is not for screen readers": '<p aria-hidden="true">HIDDEN</p>',
    "a template": "<template><p>HIDDEN</p></template>",
    "what stands in for scripts": "<noscript>HIDDEN</noscript>",
    "a closed dialog": "<dialog>HIDDEN</dialog>",
    "suggestions": "<datalist><option>HIDDEN</option></datalist>",
    "a comment": "<!-- HIDDEN -->",
    "a hidden input": '<input type="hidden" value="HIDDEN">',
}
SHEET = "/* .b {} */ .other, .secret { color: red; display:none } @media print { .shown { display: none } }"


def canvas(draw: Callable[[Canvas], None]) -> bytes:
    target = io.BytesIO()
    page = Canvas(target)
    draw(page)
    page.save()
    return target.getvalue()


def write_invisibly(page: Canvas, text: str) -> None:
    line = page.beginText(72, 600)
    line.setTextRenderMode(3)
    line.textOut(text)
    page.drawText(line)


def read_rightly(content: bytes, media: MediaType) -> None:
    text = read(content, media)
    assert "SHOWN" in text
    assert "HIDDEN" not in text


@pytest.mark.parametrize("what", WORD)
def test_what_word_hides_is_not_read(what: str) -> None:
    read_rightly(WORD[what], DOCX)


def test_what_word_says_is_not_hidden_is_read() -> None:
    styles = word_style("paragraph", "Secret", HIDES) + word_style(
        "paragraph", "Own", '<w:basedOn w:val="Secret"/><w:rPr><w:vanish w:val="0"/></w:rPr>'
    )
    body = paragraph("one", '<w:vanish w:val="false"/>') + paragraph("two", style="Own")
    assert read(docx(body, styles), DOCX) == "one\ntwo"


@pytest.mark.parametrize("what", WORKBOOKS)
def test_what_a_workbook_hides_is_not_read(what: str) -> None:
    read_rightly(WORKBOOKS[what], XLSX)


def test_a_sheet_that_is_called_hidden_is_read() -> None:
    assert "SHOWN" in read(xlsx(("Berths (hidden)", data(sheet_row(1, "SHOWN")))), XLSX)


def test_hidden_columns_leave_no_gap() -> None:
    assert "SHOWN · end\na · 2" in read(WORKBOOKS["columns"], XLSX)


@pytest.mark.parametrize("what", SLIDES)
def test_what_a_presentation_hides_is_not_read(what: str) -> None:
    read_rightly(SLIDES[what], PPTX)


def test_notes_of_slides_that_are_shown_are_read() -> None:
    assert "a note" in read(pptx("SHOWN", "HIDDEN", shows=["", "0"], notes=["a note", "HIDDEN"]), PPTX)


@pytest.mark.parametrize("what", TEXTS)
def test_what_an_open_document_hides_is_not_read(what: str) -> None:
    read_rightly(TEXTS[what], ODT)


@pytest.mark.parametrize("what", PAGES)
@pytest.mark.parametrize("media", [HTML, EPUB, MARKDOWN, EML], ids=lambda media: media.extension)
def test_what_a_page_hides_is_not_read(what: str, media: MediaType) -> None:
    body = f"<p>SHOWN</p>\n{PAGES[what]}\n"
    if media is EPUB:
        read_rightly(epub(body.replace("<p hidden>", '<p hidden="">').replace('EN">', 'EN"/>')), EPUB)
    elif media is EML:
        message = EmailMessage()
        message.set_content(body, subtype="html")
        read_rightly(message.as_bytes(), EML)
    else:
        read_rightly(body.encode(), media)


def test_what_a_style_sheet_hides_is_not_read() -> None:
    body = '<p class="shown">SHOWN</p><p class="secret">HIDDEN</p>'
    read_rightly(f"<style>{SHEET}</style>{body}".encode(), HTML)
    read_rightly(epub(body, style=SHEET), EPUB)


def test_what_a_page_search_may_open_is_read() -> None:
    assert read(b'<p hidden="until-found">SHOWN</p><dialog open>too</dialog>', HTML) == "SHOWN\ntoo"


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: HIDDEN\n---\n\nSHOWN\n", "---\r\ntitle: HIDDEN\r\n---\r\n\r\nSHOWN\r\n",
        '+++\ntitle = "HIDDEN"\n+++\nSHOWN\n', "SHOWN <!-- HIDDEN --> end\n\n<!--\nHIDDEN\n\nHIDDEN\n-->\n",
        'SHOWN <span style="display:none">HIDDEN</span>', "SHOWN\n\n[//]: # (HIDDEN)\n",
    ],
)  # fmt: skip
def test_what_markdown_keeps_for_its_editors_is_not_read(text: str) -> None:
    read_rightly(text.encode(), MARKDOWN)


def test_what_rtf_hides_is_not_read() -> None:
    source = rb"{\rtf1\ansi SHOWN {\v HIDDEN}\par {\deleted HIDDEN}one\v HIDDEN\v0  two{\*\annotation HIDDEN}\par}"
    read_rightly(source, RTF)
    assert "one two" in read(source, RTF)


def test_invisible_text_of_a_pdf_is_not_read() -> None:
    def draw(page: Canvas) -> None:
        page.drawString(72, 700, "SHOWN")
        write_invisibly(page, "HIDDEN")

    read_rightly(canvas(draw), PDF)


def test_the_text_layer_of_a_scan_is_read() -> None:
    from PIL import Image

    def draw(page: Canvas) -> None:
        page.drawImage(ImageReader(Image.new("L", (60, 80), 200)), 0, 0, 595, 842)
        write_invisibly(page, "what the picture says")

    assert read(canvas(draw), PDF) == "what the picture says"
