"""Which rows and cells of a worksheet are hidden.

A row that a filter hides is not: a filter is how a person last looked at the list, and callers ask about the whole
list. A merged cell is shown as long as one of its rows and one of its columns is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from services.knowledge.extract.edits import walked

_OFF = frozenset(("0", "false", "off", "none"))
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})(?::\$?([A-Z]{1,3})\$?([0-9]{1,7}))?")
# Columns of the widest worksheet.
_MOST_COLUMNS = 16_384


def is_on(attributes: Mapping[str, str], name: str = "val", default: str = "1") -> bool:
    """A value of the schema's type for switches."""
    return attributes.get(name, default).lower() not in _OFF


@dataclass(frozen=True, slots=True)
class _Area:
    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Sheet:
    """Numbers of hidden rows and columns, and the cells (row, column) that are shown in spite of theirs. `hides` is
    asked for each element in the order of the part."""

    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)
    shown: set[tuple[int, int]] = field(default_factory=set)
    rows_with_shown: set[int] = field(default_factory=set)
    row: int = 0
    column: int = 0

    def move(self, name: str, attributes: Mapping[str, str]) -> None:
        """To a row or a cell; where it does not say which it is, it follows the one before."""
        if name == "row":
            self.row, self.column = _number(attributes.get("r"), self.row + 1), 0
        elif name == "c":
            self.column = _first_column(attributes.get("r", "")) or self.column + 1

    def hides(self, name: str, attributes: Mapping[str, str]) -> bool:
        self.move(name, attributes)
        if name == "row":
            return self.row in self.rows and self.row not in self.rows_with_shown
        hidden = name == "c" and (self.row in self.rows or self.column in self.columns)
        return hidden and (self.row, self.column) not in self.shown


def look(sheet: bytes, tables: Iterable[bytes]) -> Sheet:
    """What the worksheet hides; `tables` are its tables, which have filters of their own. Nothing, where a part is no
    XML."""
    found, filtered, merged = Sheet(), list[_Area](), list[_Area]()
    filtering: list[_Area] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        found.move(name, attributes)
        if name == "row" and is_on(attributes, "hidden", "0"):
            found.rows.add(found.row)
        elif name == "col" and is_on(attributes, "hidden", "0"):
            first = _number(attributes.get("min"), 1)
            found.columns.update(range(first, min(_number(attributes.get("max"), first), _MOST_COLUMNS) + 1))
        elif name == "mergeCell":
            merged.extend(_areas(attributes))
        elif name == "autoFilter":
            filtering[:] = _areas(attributes)
        elif name == "filterColumn":
            filtered.extend(filtering)
            filtering.clear()

    for data in (sheet, *tables):
        walked(expat.ParserCreate(), data, start)
    found.rows = {row for row in found.rows if not any(area.top <= row <= area.bottom for area in filtered)}
    found.shown = {(area.top, area.left) for area in merged if _is_shown(found, area)}
    found.rows_with_shown = {row for row, _ in found.shown}
    found.row = found.column = 0
    return found


def _is_shown(sheet: Sheet, area: _Area) -> bool:
    """Whether a merged cell has a row and a column that are shown."""
    goes_down = any(row not in sheet.rows for row in range(area.top, area.bottom + 1))
    return goes_down and any(column not in sheet.columns for column in range(area.left, area.right + 1))


def _areas(attributes: Mapping[str, str]) -> list[_Area]:
    """The one that `ref` names, such as A1:D4, or none."""
    match = _RANGE.fullmatch(attributes.get("ref", ""))
    if not match:
        return []
    left, top, right, bottom = match.groups()
    return [_Area(int(top), _first_column(left), int(bottom or top), _first_column(right or left))]


def _first_column(reference: str) -> int:
    """The number of a cell's column: 1 of A7, 28 of AB7."""
    number = 0
    for letter in reference.rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 8 else default
