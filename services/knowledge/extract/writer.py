"""Blocks from OpenDocument text: headings, paragraphs, lists, tables, frames and notes, in document order."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import ODT
from services.knowledge.extract.archive import judge_archive
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.hidden import without_hidden
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.rows import Cell, table_blocks

_SPACES = {"s": " ", "tab": " ", "line-break": " "}
# What is read at the end: a frame or a note inside of a paragraph would break it in two.
_APART = ("frame", "custom-shape", "note-body")
# Cells that one element may stand for. More: a hostile table takes longer.
_MOST_REPEATED = 100


def read_open_document(content: bytes) -> Iterator[Block]:
    """The text, then headers and footers. Raises Refusal. The archive is judged before it is unpacked."""
    judge_archive(content, ODT)
    with zipfile.ZipFile(io.BytesIO(without_hidden(content, ODT))) as archive:
        manifest = "META-INF/manifest.xml"
        if manifest in archive.namelist() and b"encryption-data" in archive.read(manifest):
            raise Refusal("document_encrypted")
        try:
            for name, root in (("content.xml", "body"), ("styles.xml", "master-styles")):
                tree = ElementTree.fromstring(archive.read(name)) if name in archive.namelist() else None  # noqa: S314
                for part in () if tree is None else tree:
                    if _local(part) == root:
                        yield from _blocks(part)
        except ElementTree.ParseError as error:
            raise Refusal("document_corrupt") from error


def _local(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _said(node: ElementTree.Element, name: str) -> str:
    return next((value for key, value in node.attrib.items() if key.rpartition("}")[2] == name), "")


@dataclass(slots=True)
class _Text:
    """A paragraph's words, and what stands apart from them."""

    words: list[str] = field(default_factory=list)
    apart: list[ElementTree.Element] = field(default_factory=list)

    def read(self, node: ElementTree.Element) -> None:
        name = _local(node)
        if name in _APART:
            self.apart.append(node)
        elif name != "note-citation":
            self.words.append(_SPACES.get(name, node.text or ""))
            for child in node:
                self.read(child)
        self.words.append(node.tail or "")


def _blocks(root: ElementTree.Element) -> Iterator[Block]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        match _local(node):
            case "p" | "h" as name:
                text = _Text()
                text.read(node)
                if words := clean_paragraph("".join(text.words)):
                    level = _said(node, "outline-level") or "1"
                    yield Block(words, 0, min(int(level) if level.isdecimal() else 1, 6) if name == "h" else 0)
                waiting += reversed(text.apart)
            case "table":
                yield from table_blocks(_cells(node), 0)
            case _:
                waiting += reversed(node)


def _cells(table: ElementTree.Element) -> Iterator[Cell]:
    for number, row in enumerate(node for node in _below(table, "table-row")):
        column = 0
        for cell in row:
            if _local(cell) in ("table-cell", "covered-table-cell"):
                text = " ".join(block.text for child in cell for block in _blocks(child))
                rows = _said(cell, "number-rows-spanned")
                repeated = _said(cell, "number-columns-repeated")
                for _ in range(min(int(repeated), _MOST_REPEATED) if repeated.isdecimal() else 1):
                    if _local(cell) == "table-cell":
                        yield Cell(number, column, text, int(rows) if rows.isdecimal() else 1)
                    column += 1


def _below(table: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Rows of this table, which may stand in groups; those of tables in its cells do not count."""
    waiting = list(table)
    while waiting:
        node = waiting.pop(0)
        if _local(node) == name:
            yield node
        else:
            waiting[:0] = node
