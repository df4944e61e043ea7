"""Blocks from PDF by liteparse (pdfium): headings, paragraphs, lists, tables, form fields and notes, page by page.

Read in batches, so that memory does not grow with the number of pages. liteparse's own recognition of scanned text is
off: it fetches its models.
"""

from __future__ import annotations

import ctypes
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as raw
from liteparse import LayoutBlock, LiteParse, ParsedPage, ParseError, ParseResult, TextItem

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph, join_cells, join_lines, raised
from services.knowledge.extract.recognition import Recognizer
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.spacing import Lines, Spacing

OnPage = Callable[[int, int], None]

# Bytes in which a document may begin (ISO 32000-1, implementation note 13).
_JUNK_BYTES = 1024
# Pages of a PDF that are read.
_MOST_PAGES = 5_000
# Pages that are read at a time. It bounds memory.
_BATCH = 50
# Pages before a batch that are read with it, so that what every page repeats is known as such.
_CONTEXT = 3
# Characters of a heading in a PDF.
_LONGEST_HEADING = 160
# Resolution in which a scan is recognized, and dots of its longer side. More: more time and memory, few words.
_DOTS_PER_INCH, _MOST_DOTS = 150, 2_400
# Characters of a stamp, a number or a program's name on the picture of a page. A page with more has its text.
_STAMP_CHARACTERS = 100
_NUMBER = re.compile(r"[0-9]{1,9}")
# Numbers above the count of a document's pages that may still be numbers of pages: of what it is a part of.
_FIRST_PAGES = 50
# Letters of a heading that is set with spaces between them.
_LEAST_SPACED = 4
# Height of a raised digit, as a share of the digits before it.
_SMALL = 0.75
# Raised digits that every font of a reader has, and what other numbers are exponents of.
_RAISED_FORMS = ("1", "2", "3")
# Width of a raised digit, and mean width of a caret and digits, as a share of their size.
_RAISED_WIDTH, _POWER_WIDTH = 0.333, 0.5
_POWER_BASE = re.compile(r"(?<![0-9.,])10$")
# How much farther the lines of an even table may be from each other.
_EVEN = 1.15
_LABELLED = re.compile(r"^[ ]*(\S[^\n:]{0,40}:)[ ]{2,}(\S[^\n]{0,80})$", re.MULTILINE)
_TITLES = ("heading", "paragraph")
_NOTES = ("text", "freetext")
_SENTENCE_END = (".", "!", "?", ":", '"', "'", "”", "’", ")", "…")


def has_scans(content: bytes) -> bool:
    """Whether the text of a page is in a picture."""
    try:
        with pypdfium2.PdfDocument(_from_start(content)) as document:
            return len(document) <= _MOST_PAGES and any(map(_is_scan, document))
    except pypdfium2.PdfiumError:
        return False


def read_pdf(content: bytes, on_page: OnPage, recognizer: Recognizer | None = None) -> Iterator[Block]:
    """Blocks page by page, those of scans by the `recognizer`; calls `on_page(read, total)` after each batch and each
    scan. Raises Refusal."""
    content = _from_start(content)
    scans = _Scans(content, recognizer) if recognizer is not None else None
    content = _prepared(content)
    spacing = Spacing(content)
    read, total, ends_on = 0, 1, 0
    running = _RunningLines()
    held: Block | None = None
    body = 0.0
    while read < total:
        result = _parse(content, read + 1)
        if not any(page.page_num > read for page in result.pages):
            break
        total = result.total_pages
        if total > _MOST_PAGES:
            raise Refusal("document_too_many_pages")
        fresh = [page for page in result.pages if page.page_num > read]
        body = body or _body_size(fresh)
        for page in fresh:
            recognized = scans.blocks(page.page_num) if scans is not None else None
            if recognized is not None:
                on_page(page.page_num, total)
            lines = spacing.lines(page.page_num, page.text)
            for block in _page(page, lines, body, running, total) if recognized is None else recognized:
                joined = _join_over_page(held, block) if block.page == ends_on + 1 else None
                if joined is None and held is not None:
                    yield held
                held, ends_on = joined or block, block.page
        read += len(fresh)
        on_page(read, total)
    if held is not None:
        yield held


def _from_start(content: bytes) -> bytes:
    return content[max(0, content[:_JUNK_BYTES].find(b"%PDF-")) :]


class _Scans:
    """The pages of a document whose text is in a picture. Damaged and protected documents have none."""

    def __init__(self, content: bytes, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._document: pypdfium2.PdfDocument | None = None
        with suppress(pypdfium2.PdfiumError):
            self._document = pypdfium2.PdfDocument(content)

    def blocks(self, number: int) -> list[Block] | None:
        """None for a page that has its text."""
        if self._document is None:
            return None
        page = self._document[number - 1]
        if not _is_scan(page):
            return None
        scale = min(_DOTS_PER_INCH / 72, _MOST_DOTS / max(1, page.get_width(), page.get_height()))
        return self._recognizer.blocks(page.render(scale=scale).to_pil(), number)


def _is_scan(page: pypdfium2.PdfPage) -> bool:
    """A page without text that draws something, or a picture of the page with a stamp on it."""
    drawn = [one for one in page.get_objects() if not _is_text(one)]
    characters = page.get_textpage().count_chars() if drawn else 0
    return bool(drawn) and characters < (_STAMP_CHARACTERS if _is_pictured(page, drawn) else 1)


def _is_pictured(page: pypdfium2.PdfPage, objects: list[pypdfium2.PdfObject]) -> bool:
    """Whether pictures fill half of the page."""
    area = 0.0
    for one in objects:
        if one.type == raw.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = one.get_bounds()
            area += (right - left) * (top - bottom)
    return bool(2 * area > page.get_width() * page.get_height())


def _prepared(content: bytes) -> bytes:
    """The document without the text that it draws invisibly, and with each page turned so that its lines run from left
    to right. Damaged and protected documents stay as they are for the reader to refuse."""
    try:
        with pypdfium2.PdfDocument(content) as document:
            if len(document) > _MOST_PAGES or not sum(_prepare(page) for page in document):
                return content
            target = io.BytesIO()
            document.save(target)
            return target.getvalue()
    except pypdfium2.PdfiumError:
        return content


def _prepare(page: pypdfium2.PdfPage) -> int:
    """How much was changed."""
    turned = page.get_rotation() and all(map(_runs_right, filter(_is_text, page.get_objects())))
    if turned:
        page.set_rotation(0)
    removed = _invisible(page)
    places = {ctypes.addressof(one.raw.contents): n for n, one in enumerate(page.get_objects(max_depth=1))}
    written = []
    for mark, text in _marks(page):
        removed.append(mark)
        written += [(places[ctypes.addressof(mark.raw.contents)], _text_at(page, mark, text))] if text else []
    for place, one in reversed(written):
        raw.FPDFPage_InsertObjectAtIndex(page, one, place)
    for one in removed:
        page.remove_obj(one)
    if removed:
        page.gen_content()
    return bool(turned) + len(removed)


def _runs_right(text: pypdfium2.PdfObject) -> bool:
    matrix = text.get_matrix()
    return bool(matrix.a > abs(matrix.b))


def _marks(page: pypdfium2.PdfPage) -> Iterator[tuple[pypdfium2.PdfObject, str]]:
    """Small raised numbers, and what is written for each: the reader would make `121` of 12 and a raised 1. '' where
    it is left out."""
    texts = list(page.get_objects([raw.FPDF_PAGEOBJ_TEXT], max_depth=1))
    for before, one in pairwise(texts):
        _, bottom, right, top = before.get_bounds()
        left, low, _, high = one.get_bounds()
        is_raised = high - low < _SMALL * (top - bottom) and low > bottom + (top - bottom) / 4
        if is_raised and not _is_invisible(one) and abs(left - right) < (top - bottom) / 2:
            before.textpage = one.textpage = page.get_textpage()
            word, mark = before.extract().strip(), one.extract().strip()
            number = mark.replace("\u2212", "-")
            if not number.removeprefix("-").isdecimal() or not word[-1:].isalnum():
                continue
            if number in _RAISED_FORMS:
                yield one, raised(number)
            elif _POWER_BASE.search(word):
                yield one, f"^{number}"
            elif word[-1:].isdecimal():
                yield one, ""  # the mark of a note


def _text_at(page: pypdfium2.PdfPage, place: pypdfium2.PdfObject, text: str) -> Any:
    """A new object of text in the place of another. The page's own font may lack the characters."""
    made = raw.FPDFPageObj_NewTextObj(page.pdf, b"Helvetica", 1.0)
    letters = ctypes.create_string_buffer((text + "\0").encode("utf-16-le"))
    raw.FPDFText_SetText(made, ctypes.cast(letters, raw.FPDF_WIDESTRING))
    left, bottom, right, top = place.get_bounds()
    wide = (right - left) / (_RAISED_WIDTH if len(text) == 1 else _POWER_WIDTH * len(text))
    raw.FPDFPageObj_Transform(made, wide, 0, 0, top - bottom, left, bottom)
    return made


def _invisible(page: pypdfium2.PdfPage) -> list[pypdfium2.PdfObject]:
    """Except on scans: there it is what their picture says. A page is a scan when pictures fill half of it, or when it
    shows no text."""
    found = list(page.get_objects(max_depth=1))
    unseen = [one for one in found if _is_text(one) and _is_invisible(one)]
    shows = any(_is_text(one) and not _is_invisible(one) for one in page.get_objects())
    return unseen if shows and not _is_pictured(page, found) else []


def _is_text(one: pypdfium2.PdfObject) -> bool:
    return bool(one.type == raw.FPDF_PAGEOBJ_TEXT)


def _is_invisible(text: pypdfium2.PdfObject) -> bool:
    return bool(raw.FPDFTextObj_GetTextRenderMode(text.raw) == raw.FPDF_TEXTRENDERMODE_INVISIBLE)


def _parse(content: bytes, first: int) -> ParseResult:
    reader = LiteParse(
        ocr_enabled=False, quiet=True, num_workers=1, extract_blocks=True, extract_form_fields=True,
        extract_annotations=True, extract_links=False, continue_on_page_error=True, output_format="text",
        target_pages=f"{max(1, first - _CONTEXT)}-{first + _BATCH - 1}", max_pages=_MOST_PAGES,
    )  # fmt: skip
    try:
        return reader.parse(content)
    except ParseError as error:
        encrypted = "password" in str(error).lower()
        raise Refusal("document_encrypted" if encrypted else "document_corrupt") from error


def _body_size(pages: list[ParsedPage]) -> float:
    """The size of most letters."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for item in page.text_items:
            sizes[round(item.font_size or 0, 1)] += len(item.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _level(block: LayoutBlock, page: ParsedPage, body: float) -> int:
    """By the size of its letters: the reader's own levels change from one batch of pages to the next. A heading that
    the reader tells by other signs, such as weight, is of the third level."""
    text, box = block.text or "", block.bbox
    if box is None or len(text) > _LONGEST_HEADING or not any(map(str.isalpha, text)):
        return 0
    inside = (item.font_size or 0 for item in page.text_items if box.y - 1 <= item.y <= box.y + box.height)
    ratio = max(inside, default=0) / body if body else 1.0
    if ratio < 1.14:
        return 3 if block.kind == "heading" else 0
    return 1 if ratio >= 1.55 else 2 if ratio >= 1.28 else 3


def _page(page: ParsedPage, lines: Lines, body: float, running: _RunningLines, total: int) -> Iterator[Block]:
    text = lines.in_words(page.text)
    blocks = [
        _in_words(block, lines)
        for found in page.blocks or ()
        for block in _block(found, page, _level(found, page, body) if found.kind in _TITLES else 0)
    ]
    yield from running.new(text, page.page_num, blocks, total)
    yield from (block for block in blocks if block.text)
    yield from _labelled(text, page.page_num, " ".join(block.text for block in blocks))
    shown = "".join(page.text.split())
    for field in page.form_fields or ():
        value = clean_paragraph(field.value or "")
        button = field.checked is not None
        if field.checked is False and (field.type == "radio" or (field.control_count or 1) > 1):
            continue  # another button of its group is the answer
        # What a reader is told of the field says more than a value alone; its name may be a program's.
        said = clean_paragraph(field.alternate_name or "")
        known = f"{said}:{value}" if said else value
        if value and (button or not any("".join(one.split()) in shown for one in (known, known.replace(":", "", 1)))):
            yield Block(f"{said or clean_paragraph(field.name or '')}: {value}", page.page_num)
    for note in page.annotations or ():
        text = clean_paragraph(note.contents or "")
        if text and note.subtype in _NOTES and "".join(text.split()) not in shown:
            yield Block(text, page.page_num)


class _RunningLines:
    """Lines that the reader left out because it took them for running heads and feet. Each is read the first time: on
    the first page it is the title, and on a later one it may be the number of another invoice."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def new(self, shown: str, page: int, blocks: list[Block], total: int) -> Iterator[Block]:
        missing = Counter(shown.split())
        missing.subtract(word for block in blocks for word in block.text.split())
        for line in shown.splitlines():
            text, words = clean_paragraph(line), Counter(line.split())
            if any(map(str.isalpha, text)) and words <= missing and text[-1] not in "-\u00ad\ufffe":
                missing -= words
                if self._is_new(text, page, total):
                    yield Block(text, page)
        self._seen |= {_form(block.text) for block in blocks if len(block.text) <= _LONGEST_HEADING}

    def _is_new(self, text: str, page: int, total: int) -> bool:
        """Whether it differs from the same line of a page before by more than the number of the page. A number that
        counts with the pages is one as long as it is not far above their count."""
        numbers = [int(number) for number in _NUMBER.findall(text)]
        form = _NUMBER.sub("#", text)
        keys = {_form(text)} | {
            f"{form} {[*numbers[:place], f'page+{number - page}', *numbers[place + 1 :]]}"
            for place, number in enumerate(numbers)
            if number <= total + _FIRST_PAGES
        }
        is_new = self._seen.isdisjoint(keys)
        self._seen |= keys
        return is_new


def _form(text: str) -> str:
    return f"{_NUMBER.sub('#', text)} {[int(number) for number in _NUMBER.findall(text)]}"


def _labelled(shown: str, page: int, read: str) -> Iterator[Block]:
    """Lines of a label and its value that the reader took for two columns."""
    for label, value in _LABELLED.findall(shown):
        text = clean_paragraph(f"{label} {value}")
        if text not in read and text.replace(": ", ": · ") not in read:
            yield Block(text, page)


def _in_words(block: Block, lines: Lines) -> Block:
    """Of a heading with the same space between all its letters nothing tells where a word ends: it is one."""
    text = lines.in_words(block.text)
    letters = text.split()
    if block.level and len(letters) >= _LEAST_SPACED and all(len(letter) == 1 for letter in letters):
        text = "".join(letters)
    return replace(block, text=text, header=lines.in_words(block.header))


def _block(block: LayoutBlock, on: ParsedPage, level: int) -> Iterator[Block]:
    page = on.page_num
    if block.kind == "table":
        found = [[cell.text for cell in row] for row in block.rows or ()]
        above = [cell.text for cell in block.header or ()]
        if by_line := _rows_by_line(block, on, len(found) + bool(above)):
            found, above = by_line, []
        rows, header = [join_cells(row) for row in found], join_cells(above)
        # Without a header of its own the first row names the columns.
        named = header or (rows[0] if len(rows) > 1 else "")
        yield from (Block(row, page, 0, named if row != named else "") for row in ([header] if header else []) + rows)
    elif block.lines:
        yield Block(join_lines(block.lines), page)
    elif block.text:
        marker = f"{block.marker} " if block.kind == "list_item" and block.ordered and block.marker else ""
        yield Block(clean_paragraph(marker + block.text), page, level)


def _rows_by_line(block: LayoutBlock, page: ParsedPage, rows: int) -> list[list[str]]:
    """The rows of a table without rules whose lines the reader has joined: of lines that are equally far from each
    other, each with several cells, every one is a row. None for any other table."""
    box = block.bbox
    lines: list[list[TextItem]] = []
    for item in sorted(page.text_items, key=lambda one: one.y):
        if box is None or not (box.y - 1 <= item.y <= box.y + box.height and item.text.strip()):
            continue
        if lines and item.y - lines[-1][0].y < item.height / 2:
            lines[-1].append(item)
        else:
            lines.append([item])
    gaps = [below[0].y - line[0].y for line, below in pairwise(lines)]
    if len(lines) <= max(1, rows) or min(map(len, lines)) < 2 or max(gaps) > _EVEN * min(gaps):
        return []
    columns: list[float] = []  # where each ends
    for item in sorted(chain.from_iterable(lines), key=lambda one: one.x):
        if not columns or item.x > columns[-1]:
            columns.append(item.x + item.width)
        columns[-1] = max(columns[-1], item.x + item.width)
    return [
        [
            " ".join(item.text for item in sorted(line, key=lambda one: one.x) if left < item.x + item.width <= right)
            for left, right in pairwise([-math.inf, *columns])
        ]
        for line in lines
    ]


def _join_over_page(held: Block | None, block: Block) -> Block | None:
    """One paragraph where a page's last stops in mid-sentence and the next page goes on in lower case."""
    if held is None or held.level or block.level or held.header or block.header:
        return None
    if held.text.endswith(_SENTENCE_END) or not block.text[:1].islower():
        return None
    return Block(join_lines((held.text, block.text)), held.page)
