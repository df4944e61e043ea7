"""Blocks from PDF: lines by pdfium, then headings by letter height and paragraphs by the space between lines.

Two passes: a few pages teach what ordinary lines look like and which lines every page repeats, then all pages are read
one at a time, so memory does not grow with the number of pages.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import join_lines
from services.knowledge.extract.refusal import Refusal

OnPage = Callable[[int, int], None]

_MOST_PAGES = 5_000
_SAMPLED_PAGES = 24
_LONGEST_HEADING = 160
_SENTENCE_END = (".", "!", "?", ":", '"', "'", "”", "’", ")", "…")
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"^(?:page\s*)?[-–—·\s]*(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of)\s*\d{1,4})?[-–—·\s]*$", re.I)
_LINE_END_HYPHENS = ("\ufffe", "\x02", "\u00ad")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page; heights and positions in points, from the bottom left."""

    text: str
    height: float
    left: float
    top: float


@dataclass(frozen=True, slots=True)
class _Style:
    """What the sampled pages taught: letter height and leading of the body, and the lines that repeat."""

    body_height: float
    leading: float
    repeated: frozenset[str]

    def level(self, line: _Line) -> int:
        ratio = line.height / self.body_height if self.body_height else 1.0
        if ratio < 1.14 or len(line.text) > _LONGEST_HEADING or not any(map(str.isalpha, line.text)):
            return 0
        return 1 if ratio >= 1.55 else 2 if ratio >= 1.28 else 3


def read_pdf(path: Path, on_page: OnPage) -> Iterator[Block]:
    """Blocks page by page; calls `on_page(read, total)` after each. Raises Refusal."""
    document = _open(path)
    try:
        total = len(document)
        if total > _MOST_PAGES:
            raise Refusal("document_too_many_pages")
        on_page(0, total)
        style = _learn(document, total)
        held: Block | None = None
        ends_on = 0
        for number in range(total):
            for block in _paragraphs(_body(_lines(document, number), style), style, number + 1):
                joined = _join_over_page(held, block) if block.page == ends_on + 1 else None
                if joined is None and held is not None:
                    yield held
                held, ends_on = joined or block, block.page
            on_page(number + 1, total)
        if held is not None:
            yield held
    finally:
        document.close()


def _open(path: Path) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        encrypted = code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
        raise Refusal("document_encrypted" if encrypted else "document_corrupt") from error


def _learn(document: pypdfium2.PdfDocument, total: int) -> _Style:
    step = max(1, total // _SAMPLED_PAGES)
    heights: Counter[float] = Counter()
    gaps: Counter[float] = Counter()
    edges: Counter[str] = Counter()
    sampled = 0
    for number in range(0, total, step):
        lines = _lines(document, number)
        if not lines:
            continue
        sampled += 1
        for line in lines:
            heights[round(line.height, 1)] += len(line.text)
        for above, below in pairwise(lines):
            gaps[round(2 * (above.top - below.top)) / 2] += 1
        edges.update({_edge_key(line) for line in _edges(lines)})
    body = heights.most_common(1)[0][0] if heights else 0.0
    leading = max((gap for gap, _ in gaps.most_common(3) if gap > 0), default=0)
    likely = gaps.most_common(1)[0][0] if gaps else 0
    repeated = frozenset(key for key, count in edges.items() if sampled >= 4 and count > sampled // 2)
    return _Style(body, float(likely if likely > 0 else leading), repeated)


def _lines(document: pypdfium2.PdfDocument, number: int) -> list[_Line]:
    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        return []
    try:
        text = text_page.get_text_range()
        lines: list[_Line] = []
        offset = 0
        for raw in text.split("\r\n"):
            stripped = raw.strip()
            if stripped:
                first = offset + _units(raw[: len(raw) - len(raw.lstrip())])
                lines.append(_line(text_page, first, stripped))
            offset += _units(raw) + 2
        return lines
    except pypdfium2.PdfiumError:
        return []
    finally:
        text_page.close()
        page.close()


def _units(text: str) -> int:
    """Characters as pdfium counts them: UTF-16 units."""
    return len(text) + sum(1 for character in text if character > "\uffff") if not text.isascii() else len(text)


def _line(text_page: pypdfium2.PdfTextPage, index: int, text: str) -> _Line:
    box = pdfium.FS_RECTF()
    if pdfium.FPDFText_GetLooseCharBox(text_page.raw, index, ctypes.byref(box)):
        return _Line(text, abs(box.top - box.bottom), box.left, box.top)
    return _Line(text, 0.0, 0.0, 0.0)


def _edges(lines: list[_Line]) -> list[_Line]:
    """The topmost and the bottommost line of a page, with what stands beside them: where running lines are."""
    if not lines:
        return []
    top, bottom = max(line.top for line in lines), min(line.top for line in lines)
    return [line for line in lines if top - line.top < 2.0 or line.top - bottom < 2.0]


def _edge_key(line: _Line) -> str:
    return f"{round(line.top)} {_DIGITS.sub('#', line.text.lower())}"


def _body(lines: list[_Line], style: _Style) -> list[_Line]:
    """A page's lines without its running heads, feet and page numbers."""
    running = [line for line in _edges(lines) if _edge_key(line) in style.repeated or _PAGE_NUMBER.match(line.text)]
    return [line for line in lines if line not in running]


def _paragraphs(lines: list[_Line], style: _Style, page: int) -> Iterator[Block]:
    open_lines: list[_Line] = []
    for line in lines:
        if open_lines and _starts_paragraph(open_lines[-1], line, open_lines, style):
            yield from _block(open_lines, style, page)
            open_lines = []
        open_lines.append(line)
    yield from _block(open_lines, style, page)


def _starts_paragraph(above: _Line, line: _Line, so_far: list[_Line], style: _Style) -> bool:
    if style.level(above) != style.level(line):
        return True
    gap = above.top - line.top
    if style.level(line):
        return gap > 1.9 * line.height
    if style.leading and (gap > 1.18 * style.leading or gap < -0.5 * style.leading):
        return True
    indented = 4.0 < line.left - min(other.left for other in so_far) < 60.0
    return indented and above.text.endswith(_SENTENCE_END)


def _block(lines: list[_Line], style: _Style, page: int) -> Iterator[Block]:
    if not lines:
        return
    parts: list[str] = []
    for line in lines:
        text = line.text
        if parts and parts[-1].endswith(_LINE_END_HYPHENS):
            parts[-1] = parts[-1][:-1] + text
        else:
            parts.append(text)
    text = join_lines(parts)
    if text:
        yield Block(text, page, style.level(lines[0]))


def _join_over_page(held: Block | None, block: Block) -> Block | None:
    """One paragraph where a page's last stops in mid-sentence and the next page goes on in lower case."""
    if held is None or held.level or block.level:
        return None
    if held.text.endswith(_SENTENCE_END) or not block.text[:1].islower():
        return None
    return Block(f"{held.text} {block.text}", held.page)
