"""Blocks from CSV: one block a row, each cell named by its column, so that a row found alone says what it means."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal

_DELIMITERS = ",;\t|"
# Characters of a cell.
_LONGEST_CELL = 1_000_000
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\r?\n', re.IGNORECASE)
# A number, a date, a time or a telephone number.
_NUMBER = re.compile(r"^[-+(]?[$€£]?\s?\d[\d.,' ():-]*\s?[%$€£]?$")
# Rows by which a table is judged.
_LOOKED_AT = 20
# A quote in a quoted cell as databases write it; programs for sheets double it, and end a cell with a backslash as any.
_ESCAPED = re.compile(r'(?<!\\)\\"(?![",;\t|\s]|$)')
# What keeps Excel from reading a text as a number.
_KEPT_TEXT = re.compile(r'="(.*)"')
_YEAR = re.compile(r"^(?:1[5-9]|20)\d\d$")


def read_csv(text: str) -> Iterator[Block]:
    """Raises Refusal(document_corrupt) when the text is no table that can be read."""
    csv.field_size_limit(_LONGEST_CELL)
    text = text.replace("\x00", "")
    named = _SEPARATOR_LINE.match(text)
    if named:
        text = text[named.end() :]
    # One kind of line end outside of quotes: Excel for Mac writes CR alone.
    source = io.StringIO(text if "\n" in text else text.replace("\r", "\n"), newline="")
    delimiter, escape = named.group(1) if named else _delimiter(text), "\\" if _ESCAPED.search(text) else None
    reader = csv.reader(source, delimiter=delimiter, escapechar=escape)
    try:
        yield from _blocks([clean_paragraph(_KEPT_TEXT.sub(r"\1", cell)) for cell in row] for row in reader)
    except csv.Error as error:
        raise Refusal("document_corrupt") from error


def _blocks(rows: Iterator[list[str]]) -> Iterator[Block]:
    first = list(islice(rows, _LOOKED_AT))
    titles = _rows_above(first)
    yield from (Block(_sentence([], row)) for row in first[:titles] if any(row))
    first = [row for row in first[titles:] if any(row)]
    header = first.pop(0) if len(first) > 1 and _names_columns(*first[:2]) else []
    for row in chain(first, rows):
        if any(row):
            yield Block(_sentence(header, row))


def _rows_above(first: list[list[str]]) -> int:
    """How many rows are titles above the table: those of one cell, and those above an empty row that fill fewer cells
    than the row below it."""
    filled = [sum(map(bool, row)) for row in first]
    widest = max(map(len, first), default=0)
    titles = 0
    for number, count in enumerate(filled[:-1]):
        if count == 0 and max(filled[:number], default=0) < filled[number + 1]:
            titles = number + 1
    while widest > 1 and titles < len(first) - 1 and filled[titles] < 2:
        titles += 1
    return titles


def _delimiter(text: str) -> str:
    """The candidate that stands equally often in most of the first lines, outside of quotes."""
    unquoted = re.sub(r'"[^"]*"', "", text[:20_000])
    lines = [line for line in unquoted.splitlines()[:_LOOKED_AT] if line.strip()]

    def evenness(mark: str) -> tuple[int, int]:
        counts = Counter(line.count(mark) for line in lines if mark in line)
        return max(((having, count) for count, having in counts.items()), default=(0, 0))

    return max(_DELIMITERS, key=evenness)


def _names_columns(cells: list[str], below: list[str]) -> bool:
    """Whether a row is a header: most of its cells are filled, by words or years; and they differ, or a number stands
    below. pandas leaves the name of its index empty."""
    named = [cell for cell in cells if cell]
    if 2 * len(named) < len(cells) or not all(_YEAR.match(cell) or not _NUMBER.match(cell) for cell in named):
        return False
    if all(map(_YEAR.match, named)) and cells[0]:
        return False
    return len(set(named)) == len(named) or any(map(_NUMBER.match, below))


def _sentence(header: list[str], cells: list[str]) -> str:
    named = [
        f"{header[index]}: {cell}" if index < len(header) and header[index] else cell
        for index, cell in enumerate(cells)
        if cell
    ]
    return "; ".join(named) + "."
