"""Blocks from CSV: one block a row, each cell named by its column, so that a row found alone says what it means."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal

_DELIMITERS = ",;\t|"
# Characters of a cell.
_LONGEST_CELL = 1_000_000
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?\r?\n', re.IGNORECASE)
_NUMBER = re.compile(r"^[-+]?[$€£]?\s?\d[\d.,' ]*\s?[%$€£]?$")
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
    reader = csv.reader(source, delimiter=named.group(1) if named else _delimiter(text))
    try:
        rows = ([clean_paragraph(cell) for cell in row] for row in reader)
        yield from _blocks(row for row in rows if any(row))
    except csv.Error as error:
        raise Refusal("document_corrupt") from error


def _blocks(rows: Iterator[list[str]]) -> Iterator[Block]:
    titles: list[list[str]] = []
    header: list[str] | None = None
    for row in rows:
        if header is None and len(titles) < 5 and sum(map(bool, row)) == 1 and len(row) > 1:
            titles.append(row)  # a title above the table
        elif header is None:
            yield from (Block(_sentence([], title)) for title in titles)
            titles, header = [], row if _names_columns(row) else []
            if not header:
                yield Block(_sentence([], row))
            only = header
        else:
            only = []
            yield Block(_sentence(header, row))
    yield from (Block(_sentence([], title)) for title in titles)
    if header and only:
        yield Block(_sentence([], header))


def _delimiter(text: str) -> str:
    """The candidate that appears most evenly over the first lines, outside of quotes."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in text[:20_000].splitlines()[:20] if line.strip()]
    if not lines:
        return ","
    return max(_DELIMITERS, key=lambda mark: (min(line.count(mark) for line in lines), lines[0].count(mark)))


def _names_columns(cells: list[str]) -> bool:
    """A header has distinct cells that are words or years; its first may be empty, as pandas leaves it."""
    named = [cell for cell in cells if cell]
    if len(set(named)) != len(named) or not all(cells[1:]):
        return False
    return all(_YEAR.match(cell) or not _NUMBER.match(cell) for cell in named) and not all(map(_YEAR.match, named))


def _sentence(header: list[str], cells: list[str]) -> str:
    named = [
        f"{header[index]}: {cell}" if index < len(header) and header[index] else cell
        for index, cell in enumerate(cells)
        if cell
    ]
    return "; ".join(named) + "."
