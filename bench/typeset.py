"""Typesets plain text as a PDF with real pages: chapter headings, running heads, page numbers, justified paragraphs.

    cd services/knowledge/samples && python -m bench.typeset alice-in-wonderland.txt alice-in-wonderland.pdf

Makes the sample document and the documents of bench/knowledge.py; the same text gives the same bytes.
"""

import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

_BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=10.5, leading=13.5, alignment=TA_JUSTIFY, spaceAfter=4)
_VERSE = ParagraphStyle("verse", parent=_BODY, leftIndent=28, alignment=0)
_CHAPTER = ParagraphStyle("chapter", parent=_BODY, fontSize=20, leading=26, alignment=TA_CENTER, spaceAfter=2)
_SUBTITLE = ParagraphStyle("subtitle", parent=_CHAPTER, fontSize=20, spaceAfter=14)
_TITLE = ParagraphStyle("title", parent=_CHAPTER, fontSize=26, leading=32, spaceBefore=120, spaceAfter=16)
_CHAPTER_LINE = re.compile(r"^CHAPTER [IVXLC]+$")
_STARS = re.compile(r"^[*\s]+$")


def typeset(title: str, author: str, chapters: list[tuple[str, str, list[str]]], target: Path) -> None:
    """`chapters` are (heading, subtitle, paragraphs); a paragraph with line breaks is set as verse."""
    story: list[Any] = [Paragraph(escape(title), _TITLE), Paragraph(escape(author), _SUBTITLE)]
    for heading, subtitle, paragraphs in chapters:
        story += [PageBreak(), Paragraph(escape(heading), _CHAPTER)]
        if subtitle:
            story.append(Paragraph(escape(subtitle), _SUBTITLE))
        for text in paragraphs:
            if "\n" in text:
                story += [Paragraph(escape(text).replace("\n", "<br/>"), _VERSE), Spacer(1, 4)]
            else:
                story.append(Paragraph(escape(text), _BODY))
    document = SimpleDocTemplate(
        str(target), pagesize=A5, title=title, author=author, invariant=1, pageCompression=1,
        leftMargin=18 * mm, rightMargin=18 * mm, topMargin=20 * mm, bottomMargin=18 * mm,
    )  # fmt: skip
    document.build(story, onLaterPages=lambda canvas, page: _furniture(canvas, page, title))


def _furniture(canvas: Any, document: Any, title: str) -> None:
    width, height = A5
    canvas.saveState()
    canvas.setFont("Times-Italic", 9)
    canvas.drawCentredString(width / 2, height - 13 * mm, title)
    canvas.setFont("Times-Roman", 9)
    canvas.drawCentredString(width / 2, 10 * mm, str(document.page))
    canvas.restoreState()


def chapters_of(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """The chapters of a plain text in the manner of the first electronic editions: CHAPTER lines, blank lines between
    paragraphs, verse indented."""
    heading, subtitle, paragraphs = "", "", list[str]()
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.split("\n") if line.strip()]
        if not lines or _STARS.match(block) or lines[0].strip() == "THE END":
            continue
        if _CHAPTER_LINE.match(lines[0].strip()):
            if heading:
                yield heading, subtitle, paragraphs
            heading, subtitle, paragraphs = "Chapter " + lines[0].split()[1], "", []
        elif heading and not paragraphs and not subtitle and len(lines) == 1:
            subtitle = _typography(lines[0].strip())
        elif heading:
            verse = len(lines) > 1 and all(line.startswith("    ") for line in lines)
            paragraphs.append(_typography(("\n" if verse else " ").join(line.strip() for line in lines)))
    if heading:
        yield heading, subtitle, paragraphs


def _typography(text: str) -> str:
    """Printers' quotes and dashes for the typewriter's."""
    text = re.sub(r"(?<=[A-Za-z])- (?=[A-Za-z])", "-", re.sub(r" {2,}", " ", text))
    return text.replace("--", "—").replace("`", "‘").replace("'", "’")


def main(source: str, target: str) -> None:
    chapters = list(chapters_of(Path(source).read_text("utf-8")))
    typeset("Alice’s Adventures in Wonderland", "Lewis Carroll", chapters, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:3])
