"""Cells of Word and Excel that reach over several rows, repeated in each of them: a row found alone says what it
belongs to. xberg gives such a cell in its first row alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from services.knowledge.extract.edits import replaced, walked

# Bytes that repetition may add to a part.
_MOST_ADDED = 4 << 20
# Rows in which a cell of a worksheet is repeated.
_MOST_ROWS = 200
_MERGE = re.compile(rb"<(?:\w+:)?vMerge\b[^>]*?(?:/>|>\s*</(?:\w+:)?vMerge>)")
_INDENTED = re.compile(
    rb"""<((?:\w+:)?)gridBefore\b[^<>]*?val=["']([0-9]{1,2})["'][^<>]*>(?:(?!</\1trPr>).){0,500}</\1trPr>""", re.DOTALL
)
_RANGE = re.compile(rb"""<(?:\w+:)?mergeCell\b[^>]*?\bref=["']([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})["']""")
_RANGES = re.compile(rb"<((?:\w+:)?mergeCells)\b[^<>]*>.*?</\1>", re.DOTALL)
_CELL = re.compile(rb"<((?:\w+:)?c)\b([^<>]*?)(?:/>|>(.*?)</\1>)", re.DOTALL)
_ROW = re.compile(rb"""<((?:\w+:)?)row\b[^<>]*?\br=["']([0-9]{1,7})["'][^<>]*?(?<!/)>""")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3}[0-9]{1,7})["']""")
_LETTERS = bytes(range(ord("A"), ord("Z") + 1))
_FORMULA = re.compile(rb"<(?:\w+:)?f\b[^>]*?(?:/>|>.*?</(?:\w+:)?f>)", re.DOTALL)


@dataclass(slots=True)
class _Table:
    """Its open cells by column: where their content stands. `began` is where that of the cell being read does,
    `opened` where its properties do."""

    open: dict[int, bytes] = field(default_factory=dict)
    column: int = 0
    span: int = 1
    merge: str = ""
    opened: int = 0
    began: int = 0


def merged_repeated(data: bytes) -> bytes:
    """Also an empty cell for each column that a row of Word leaves free at its beginning. The same bytes where no cell
    goes on in the next row and no row is indented, or where they are no XML."""
    data = _INDENTED.sub(lambda row: row[0] + b"<%btc><%bp/></%btc>" % ((row[1],) * 3) * int(row[2]), data)
    if b"vMerge" not in data:
        return data
    tables: list[_Table] = []
    copies: list[tuple[int, int, bytes]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        said = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        if name == "tbl":
            tables.append(_Table())
        if not tables:
            return
        table = tables[-1]
        if name == "tr":
            table.column = 0
        elif name == "tc":
            table.span, table.merge = 1, ""
            table.opened = table.began = data.index(b">", parser.CurrentByteIndex) + 1
        elif name == "gridSpan" and said.get("val", "").isdecimal():
            table.span = max(1, min(int(said["val"]), 63))  # columns of a table in Word
        elif name == "vMerge":
            table.merge = said.get("val", "continue")

    def end(name: str) -> None:
        name, at = name.rpartition(":")[2], parser.CurrentByteIndex
        if name == "tbl" and tables:
            tables.pop()
        if not tables:
            return
        table = tables[-1]
        if name == "tcPr":
            table.began = data.index(b">", at) + 1
        elif name == "tc":
            content = data[table.began : at]
            if table.merge == "continue" and table.column in table.open:
                properties = _MERGE.sub(b"", data[table.opened : table.began])
                while copies and copies[-1][0] >= table.opened:  # in a table inside the cell that is replaced
                    copies.pop()
                copies.append((table.opened, at, properties + table.open[table.column]))
            elif table.merge == "restart" and b":tbl>" not in content:
                table.open[table.column] = content
            else:
                table.open.pop(table.column, None)
            table.column += table.span

    parser = expat.ParserCreate()
    if not walked(parser, data, start, end):
        return data
    if sum(len(content) for _, _, content in copies) > _MOST_ADDED:
        return data
    repeated = replaced(data, copies)
    # A tag was cut where an attribute's value holds its closing bracket: then the document stays as it was.
    return repeated if walked(expat.ParserCreate(), repeated) else data


def merged_rows_repeated(sheet: bytes) -> bytes:
    """A worksheet; the same bytes where no merged cell reaches over rows. A cell that the worksheet does not write is
    put first in its row: its reference says where it stands."""
    tops: dict[bytes, bytes] = {}
    for column, first, last in _RANGE.findall(sheet):
        for row in range(int(first) + 1, min(int(last), int(first) + _MOST_ROWS) + 1):
            tops[b"%b%d" % (column, row)] = column + first
    if not tops:
        return sheet
    contents = _contents(sheet, set(tops.values()))
    left = {name: contents[top] for name, top in tops.items() if top in contents}
    written = _CELL.sub(lambda cell: _made(cell[1], _reference(cell), left) or cell[0], sheet)
    by_row: dict[bytes, list[bytes]] = {}
    for name in left:
        by_row.setdefault(name.lstrip(_LETTERS), []).append(name)
    written = _ROW.sub(
        lambda row: row[0] + b"".join(_made(row[1] + b"c", name, left) for name in by_row.get(row[2], ())), written
    )
    written = _RANGES.sub(b"", written)  # xberg empties the cells of a range that is named
    return written if len(written) - len(sheet) <= _MOST_ADDED else sheet


def _contents(sheet: bytes, wanted: set[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
    """Attributes and content of the wanted cells, without their formulas."""
    return {
        _reference(cell): (_REFERENCE.sub(b"", cell[2]), _FORMULA.sub(b"", cell[3]))
        for cell in _CELL.finditer(sheet)
        if cell[3] and _reference(cell) in wanted
    }


def _reference(cell: re.Match[bytes]) -> bytes:
    found = _REFERENCE.search(cell[2])
    return found[1] if found else b""


def _made(element: bytes, name: bytes, left: dict[bytes, tuple[bytes, bytes]]) -> bytes:
    """The cell of that name, once."""
    if name not in left:
        return b""
    attributes, content = left.pop(name)
    return b'<%b r="%b"%b>%b</%b>' % (element, name, attributes, content, element)
