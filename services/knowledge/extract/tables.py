"""Blocks from CSV: one block a row, each cell named by its column, so that a row found alone says what it means."""

import csv
import io
from collections.abc import Iterator

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal

_DELIMITERS = ",;\t|"
_LONGEST_CELL = 1_000_000


def read_csv(text: str) -> Iterator[Block]:
    """Raises Refusal(document_corrupt) when the text is no table that can be read."""
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text.replace("\x00", "")), delimiter=_delimiter(text))
    try:
        header: list[str] | None = None
        for row in reader:
            cells = [clean_paragraph(cell) for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = cells if _names_columns(cells) else []
                if header:
                    continue
            yield Block(_sentence(header, cells))
        if header:
            yield from _only_header(header, reader.line_num)
    except csv.Error as error:
        raise Refusal("document_corrupt") from error


def _delimiter(text: str) -> str:
    """The candidate that appears most evenly over the first lines."""
    lines = [line for line in text[:20_000].splitlines()[:20] if line.strip()]
    if not lines:
        return ","
    return max(_DELIMITERS, key=lambda mark: (min(line.count(mark) for line in lines), lines[0].count(mark)))


def _names_columns(cells: list[str]) -> bool:
    """A header row has distinct, non-empty cells that are no numbers."""
    return len(set(cells)) == len(cells) and all(cell and not _is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip("$€£ ").isdigit()


def _sentence(header: list[str], cells: list[str]) -> str:
    named = [f"{header[index]}: {cell}" if index < len(header) else cell for index, cell in enumerate(cells) if cell]
    return "; ".join(named) + "."


def _only_header(header: list[str], rows: int) -> Iterator[Block]:
    if rows == 1:
        yield Block("; ".join(header) + ".")
