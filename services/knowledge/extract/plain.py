"""Blocks from plain text and Markdown: paragraphs between blank lines, headings by mark or by shape."""

import re
from collections.abc import Iterator

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.chunking import NUMBERED
from services.knowledge.extract.cleaning import clean_paragraph, join_lines, lines_of

_ATX = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_FENCE = re.compile(r"^(?:```|~~~)")
_RULE = re.compile(r"^(?:[-*_]\s*){3,}$")
_ITEM = re.compile(r"^(?:[-*+]|\d{1,3}[.)])\s+")
_LINK = re.compile(r"!?\[([^\]\n]{0,500})\]\([^)\n]{0,2000}\)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)([^\n*`]{1,500}?)(?<=\S)\1")
_LONGEST_HEADING = 80


def read_text(text: str) -> Iterator[Block]:
    """Paragraphs of a plain text; a form feed starts a new page."""
    page = 1 if "\f" in text else 0
    for lines in _paragraphs(text):
        page += bool(page) * lines[0].count("\f")
        paragraph = join_lines(lines)
        if paragraph:
            yield Block(paragraph, page, _level_by_shape(lines, paragraph))


def read_markdown(text: str) -> Iterator[Block]:
    """Headings, paragraphs, list items and code of a Markdown text, without its marks."""
    open_lines: list[str] = []
    fenced = False
    for line in lines_of(text):
        raw = line.strip()
        if _FENCE.match(raw):
            yield from _close(open_lines, code=fenced)
            fenced = not fenced
            continue
        if fenced:
            open_lines.append(raw)
            continue
        heading = _ATX.match(raw)
        if heading:
            yield from _close(open_lines)
            yield from _block(heading.group(2), level=len(heading.group(1)))
        elif open_lines and raw and len(open_lines) == 1 and not raw.strip("=-"):
            title, level = open_lines.pop(), 1 if raw[0] == "=" else 2
            yield from _block(title, level=level)
        elif not raw or _RULE.match(raw):
            yield from _close(open_lines)
        else:
            if _ITEM.match(raw):
                yield from _close(open_lines)
            open_lines.append(raw)
    yield from _close(open_lines, code=fenced)


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Runs of lines that are not blank; a form feed opens a new one and stays at its beginning."""
    lines: list[str] = []
    marks = ""
    for line in lines_of(text):
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
    """A heading in plain text: one short line without a full stop that is numbered, in capitals or centred."""
    if len(lines) > 1 or len(paragraph) > _LONGEST_HEADING or paragraph[-1] in ".,;:!?\"'" or paragraph[0] in "*-=":
        return 0
    if NUMBERED.match(paragraph):
        return 1
    letters = [character for character in paragraph if character.isalpha()]
    if len(letters) >= 3 and paragraph.upper() == paragraph:
        return 1
    first = lines[0].lstrip("\f")
    indent = len(first) - len(first.lstrip(" "))
    centred = indent >= 8 and abs(2 * indent + len(paragraph) - 72) <= 16
    return 1 if centred and paragraph[0].isupper() else 0


def _close(lines: list[str], *, code: bool = False) -> Iterator[Block]:
    text = "\n".join(lines) if code else " ".join(lines)
    lines.clear()
    yield from _block(text, code=code)


def _block(text: str, *, level: int = 0, code: bool = False) -> Iterator[Block]:
    if not code:
        text = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text))
    cleaned = clean_paragraph(text)
    if cleaned:
        yield Block(cleaned, 0, level)
