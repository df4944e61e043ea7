"""Typesets Markdown (headings and paragraphs) as a PDF with real pages: chapters, running heads, page numbers.

    python -m bench.typeset SOURCE.md TARGET.pdf

Makes the sample document and the documents of bench/knowledge; the same text gives the same bytes.
"""

import sys
from html import escape
from pathlib import Path
from typing import Any

from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

_BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=10.5, leading=13.5, alignment=TA_JUSTIFY, spaceAfter=5)
_CHAPTER = ParagraphStyle("chapter", parent=_BODY, fontSize=20, leading=26, alignment=0, spaceAfter=10)
_SECTION = ParagraphStyle("section", parent=_BODY, fontSize=14, leading=18, alignment=0, spaceBefore=8, spaceAfter=4)
_TITLE = ParagraphStyle("title", parent=_CHAPTER, fontSize=26, leading=32, spaceBefore=120, spaceAfter=16)


def typeset(title: str, author: str, markdown: str, target: Path) -> None:
    """Each `# ` heading begins a page, `## ` a section, every other paragraph is set justified."""
    story: list[Any] = [Paragraph(escape(title), _TITLE), Paragraph(escape(author), _SECTION)]
    for block in markdown.split("\n\n"):
        text = " ".join(block.split())
        if text.startswith("# "):
            story += [PageBreak(), Paragraph(escape(text[2:]), _CHAPTER)]
        elif text.startswith("## "):
            story.append(Paragraph(escape(text[3:]), _SECTION))
        elif text and not text.startswith("<!--"):
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


def main(source: str, target: str) -> None:
    markdown = Path(source).read_text("utf-8")
    typeset("The World Factbook: the Americas", "Central Intelligence Agency, 2015", markdown, Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:3])
