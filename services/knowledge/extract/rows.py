"""Rows of a table as blocks: titles above it, its header, and cells that reach over several rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph, join_cells

# Rows that a cell is repeated in. More: a hostile table takes longer.
_MOST_SPANNED = 200


class Cell(NamedTuple):
    """`rows` is how many it reaches over."""

    row: int
    column: int
    text: str
    rows: int = 1


def table_blocks(cells: Iterable[Cell], page: int) -> Iterator[Block]:
    """A row found alone says what it means: it repeats the cells that reach into it, and carries the header, which
    may have two rows. A row of one cell above the header is a title."""
    table: dict[int, dict[int, str]] = {}
    for cell in cells:
        for row in range(cell.row, cell.row + min(cell.rows, _MOST_SPANNED)):
            table.setdefault(row, {}).setdefault(cell.column, clean_paragraph(cell.text))
    filled = [{column: text for column, text in row.items() if text} for _, row in sorted(table.items())]
    # A column that no row fills beside another is one that the sheet hides, or that holds a title alone.
    columns = sorted({column for row in filled if len(row) > 1 for column in row})
    header, named = "", dict[int, str]()
    for number, texts in enumerate(filled):
        known = columns if texts.keys() <= set(columns) else sorted(texts)
        if text := join_cells([texts.get(column, "") for column in known]):
            yield Block(text, page, 0, header)
            is_title = len(texts) == 1 < len(columns)
            is_last = number == len(filled) - 1
            if not header and not is_title and not is_last:
                header, named = text, texts
            elif named.items() & texts.items() and not is_last:
                # Of a header of two rows the lower one repeats what reaches into it.
                header, named = f"{header}; {text}", {}
            else:
                named = {}
