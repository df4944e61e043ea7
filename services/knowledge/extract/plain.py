"""Blocks from plain text: paragraphs between blank lines, headings by shape, pages by form feeds."""

from __future__ import annotations

from collections.abc import Iterator

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.chunking import NUMBERED
from services.knowledge.extract.cleaning import join_lines

# Characters of a heading in plain text.
_LONGEST_HEADING = 80


def read_text(text: str) -> Iterator[Block]:
    """Paragraphs of a plain text; a form feed starts a new page."""
    page = 1 if "\f" in text else 0
    for lines in _paragraphs(text):
        page += bool(page) * lines[0].count("\f")
        paragraph = join_lines(lines)
        if paragraph:
            yield Block(paragraph, page, _level_by_shape(lines, paragraph))


def _lines(text: str) -> Iterator[str]:
    """One at a time, without their ends: a long document is never held twice."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end].rstrip("\r")
        start = end + 1


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Runs of lines that are not blank; a form feed opens a new one and stays at its beginning."""
    lines: list[str] = []
    marks = ""
    for line in _lines(text):
        marks += "\f" * line.count("\f")
        if lines and (marks or not line.strip()):
            yield lines
            lines = []
        if line.strip():
            lines.append(marks + line.replace("\f", ""))
            marks = ""
    if lines:
        yield lines


def _level_by_shape(lines: list[str], paragraph: str) -> int:
    """A heading in plain text: one short line without a full stop that is numbered, in capitals or centered. Scripts
    without case have no capitals."""
    if len(lines) > 1 or len(paragraph) > _LONGEST_HEADING or paragraph[-1] in ".,;:!?\"'" or paragraph[0] in "*-=":
        return 0
    if NUMBERED.match(paragraph):
        return 1
    letters = sum(map(str.isalpha, paragraph))
    if letters >= 3 and paragraph.upper() == paragraph != paragraph.lower():
        return 1
    first = lines[0].lstrip("\f")
    indent = len(first) - len(first.lstrip(" "))
    centered = indent >= 8 and abs(2 * indent + len(paragraph) - 72) <= 16
    return 1 if centered and paragraph[0].isupper() else 0
