"""From lines with their places on a page to blocks: columns, rows, paragraphs and headings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph, join_cells, join_lines

# Characters of most lines of a column of prose. Shorter ones are cells, which are read row by row.
_COLUMN_CHARACTERS = 25
# Lines of a column.
_COLUMN_LINES = 3
# Characters of a heading.
_LONGEST_HEADING = 120


@dataclass(frozen=True, slots=True)
class Line:
    """Its text and box; y grows downward."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


def blocks_of_lines(lines: Sequence[Line], page: int) -> list[Block]:
    """Blocks in reading order."""
    if not lines:
        return []
    usual = median(line.height for line in lines)
    return [block for column in _columns(list(lines)) for block in _column(column, usual, page)]


def _columns(lines: list[Line]) -> Iterator[list[Line]]:
    """Parts of the page that are read one after the other: what stands above, beside and below a gutter."""
    for gutter in _gutters(lines):
        beside = [line for line in lines if line.right <= gutter or line.left >= gutter]
        crossing = [line for line in lines if line.left < gutter < line.right]
        top, bottom = min(line.top for line in beside), max(line.bottom for line in beside)
        if any(top < (line.top + line.bottom) / 2 < bottom for line in crossing):
            beside, crossing = _longest_run(lines, gutter)
            top = min((line.top for line in beside), default=0.0)
        left = [line for line in beside if line.right <= gutter]
        right = [line for line in beside if line.left >= gutter]
        if not (_is_prose(left) and _is_prose(right)):
            continue
        yield from _columns([line for line in crossing if line.top < top])
        yield from _columns(left)
        yield from _columns(right)
        yield from _columns([line for line in crossing if line.top >= top])
        return
    if lines:
        yield lines


def _longest_run(lines: list[Line], gutter: float) -> tuple[list[Line], list[Line]]:
    """The most lines in a row that leave the gutter free, and all others."""
    runs: list[list[Line]] = [[]]
    for line in sorted(lines, key=lambda one: one.top):
        if line.left < gutter < line.right:
            runs.append([])
        else:
            runs[-1].append(line)
    best = max(runs, key=len)
    return best, [line for line in lines if line not in best]


def _gutters(lines: list[Line]) -> Iterator[float]:
    """Places between a line's end and the beginning of one beside it, the usual ones first."""
    starts = sorted({round(line.left) for line in lines})
    width = max((line.right for line in lines), default=0.0)
    for start in starts:
        gutter = start - 1.0
        if width * 0.25 < gutter < width * 0.8:
            yield gutter


def _is_prose(lines: list[Line]) -> bool:
    return len(lines) >= _COLUMN_LINES and median(len(line.text) for line in lines) >= _COLUMN_CHARACTERS


def _column(lines: list[Line], usual: float, page: int) -> Iterator[Block]:
    held: list[Line] = []
    for row in _rows(lines):
        if len(row) > 1:
            yield from _paragraph(held, usual, page)
            held = []
            yield Block(join_cells([cell.text for cell in row]), page)
            continue
        if held and not _goes_on(held[-1], row[0], usual):
            yield from _paragraph(held, usual, page)
            held = []
        held += row
    yield from _paragraph(held, usual, page)


def _rows(lines: list[Line]) -> list[list[Line]]:
    """Lines beside each other stand in one row, from left to right; parts of one line are one."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: one.top + one.bottom):
        last = rows[-1] if rows else []
        if last and (line.top + line.bottom) / 2 < max(one.bottom for one in last) - last[0].height / 4:
            last.append(line)
        else:
            rows.append([line])
    return [_joined(sorted(row, key=lambda one: one.left)) for row in rows]


def _joined(row: list[Line]) -> list[Line]:
    parts = row[:1]
    for line in row[1:]:
        last = parts[-1]
        if line.left - last.right < last.height:
            text = f"{last.text} {line.text}"
            parts[-1] = Line(text, last.left, min(last.top, line.top), line.right, max(last.bottom, line.bottom))
        else:
            parts.append(line)
    return parts


def _goes_on(above: Line, line: Line, usual: float) -> bool:
    """Whether a line is of the paragraph above it: near, of its size, and no new item of a list."""
    return line.top - above.bottom < 0.8 * usual and 0.75 < line.height / max(1.0, above.height) < 1.33


def _paragraph(lines: list[Line], usual: float, page: int) -> Iterator[Block]:
    text = join_lines(line.text for line in lines)
    if not text:
        return
    ratio = median(line.height for line in lines) / usual
    level = 0 if ratio < 1.4 or len(text) > _LONGEST_HEADING else 1 if ratio >= 1.8 else 2
    yield Block(clean_paragraph(text), page, level)
