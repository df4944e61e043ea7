"""Cells of Word and Excel that reach over several rows: a mark in each cell that goes on, and what the mark stands for
once the table is read. A row found alone says what it belongs to. xberg gives such a cell in its first row alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from services.knowledge.extract.rows import Cell

# Private code points in a row, which no text has and none is read with.
_MARK = "\ue0d0\ue0d1\ue0d2"
# Rows in which a cell of a worksheet is repeated.
_MOST_ROWS = 200
_GOES_ON = re.compile(
    rb"""<((?:\w+:)?)vMerge\b(?![^<>]*["']restart["'])[^<>]*(?:/>|>\s*</\1vMerge>)((?:(?!</\1tcPr>).){0,500}</\1tcPr>)""",
    re.DOTALL,
)
_INDENTED = re.compile(
    rb"""<((?:\w+:)?)gridBefore\b[^<>]*?val=["']([0-9]{1,2})["'][^<>]*>(?:(?!</\1trPr>).){0,500}</\1trPr>""", re.DOTALL
)
_RANGE = re.compile(rb"""<(?:\w+:)?mergeCell\b[^>]*?\bref=["']([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})["']""")
_CELL = re.compile(rb"""<((?:\w+:)?)c\b[^<>]*?\br=["']([A-Z]{1,3}[0-9]{1,7})["'][^<>]*?(?:/>|>.*?</\1c>)""", re.DOTALL)
_ROW = re.compile(rb"""<((?:\w+:)?)row\b[^<>]*?\br=["']([0-9]{1,7})["'][^<>]*?(?<!/)>""")
_LETTERS = bytes(range(ord("A"), ord("Z") + 1))


def merged_marked(data: bytes) -> bytes:
    """A part of Word; also with an empty cell for each column that a row leaves free at its beginning. A marked cell no
    longer says that it goes on: the reader would empty it."""
    data = _INDENTED.sub(lambda row: row[0] + b"<%btc><%bp/></%btc>" % ((row[1],) * 3) * int(row[2]), data)
    paragraph = f"<@p><@r><@t>{_MARK}</@t></@r></@p>".encode()
    return _GOES_ON.sub(lambda cell: cell[2] + paragraph.replace(b"@", cell[1]), data)


def merged_rows_marked(sheet: bytes) -> bytes:
    """A worksheet. A cell that it does not write is put first in its row: its reference says where it stands."""
    left = {
        b"%b%d" % (column, row)
        for column, first, last in _RANGE.findall(sheet)
        for row in range(int(first) + 1, min(int(last), int(first) + _MOST_ROWS) + 1)
    }
    if not left:
        return sheet

    def marked(prefix: bytes, name: bytes) -> bytes:
        left.discard(name)
        return f'<@c r="{name.decode()}" t="str"><@v>{_MARK}</@v></@c>'.encode().replace(b"@", prefix)

    written = _CELL.sub(lambda cell: marked(cell[1], cell[2]) if cell[2] in left else cell[0], sheet)
    by_row: dict[bytes, list[bytes]] = {}
    for name in left:
        by_row.setdefault(name.lstrip(_LETTERS), []).append(name)
    return _ROW.sub(lambda row: row[0] + b"".join(marked(row[1], name) for name in by_row.get(row[2], ())), written)


def repeated(cells: Iterable[dict[str, Any]]) -> Iterator[Cell]:
    """The cells of a grid, row by row; one that goes on says what the one above it says."""
    above: dict[int, str] = {}
    for cell in cells:
        column, text = cell["col"], cell["content"]
        if text.startswith(_MARK):
            text = above.get(column, text)
        above[column] = text
        yield Cell(cell["row"], column, text, cell["row_span"])
