"""Blocks from OpenDocument text: headings, paragraphs, lists, tables, frames and notes, in document order."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import ODT
from services.knowledge.extract.archive import judge_archive
from services.knowledge.extract.cleaning import clean_paragraph, raised
from services.knowledge.extract.elements import attribute, local, whole
from services.knowledge.extract.hidden import without_hidden
from services.knowledge.extract.numbering import in_form
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.rows import Cell, table_blocks

_SPACES = {"s": " ", "tab": " ", "line-break": " "}
# What is read at the end: a frame or a note inside of a paragraph would break it in two.
_APART = ("frame", "custom-shape", "note-body")
_FORMS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
# The name under which the levels of headings are kept; lists cannot have it.
_HEADINGS = " "
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
            trees = [
                ElementTree.fromstring(archive.read(name))  # noqa: S314 - judge_archive refuses entities
                for name in ("styles.xml", "content.xml")
                if name in archive.namelist()
            ]
            for tree in trees:
                _mark(tree)
            levels = _levels(trees)
            parts = [part for tree in trees for part in tree]
            for root in ("body", "master-styles"):
                for part in parts:
                    if local(part) == root:
                        yield from _blocks(part, _numbers(part, levels))
        except ElementTree.ParseError as error:
            raise Refusal("document_corrupt") from error


def _mark(tree: ElementTree.Element) -> None:
    """Raises digits that are no part of the number before them, and puts readings in brackets."""
    small = {
        attribute(style, "name")
        for style in tree.iter()
        if local(style) == "style" and any(attribute(one, "text-position").startswith("super") for one in style)
    }
    for node in tree.iter():
        if attribute(node, "style-name") in small:
            for inner in node.iter():
                inner.text = raised(inner.text or "")
            for inner in node.iterfind(".//*"):
                inner.tail = raised(inner.tail or "")
        elif local(node) == "ruby-text":
            node.text = f"({node.text or ''})"


def _levels(trees: Sequence[ElementTree.Element]) -> dict[str, dict[int, ElementTree.Element]]:
    """How each style of a list, and that of headings, writes the numbers of its levels."""
    return {
        _HEADINGS if local(style) == "outline-style" else attribute(style, "name"): {
            whole(attribute(level, "level"), 0): level for level in style if attribute(level, "num-format")
        }
        for tree in trees
        for style in tree.iter()
        if local(style) in ("list-style", "outline-style")
    }


def _numbers(
    root: ElementTree.Element, levels: Mapping[str, Mapping[int, ElementTree.Element]]
) -> dict[ElementTree.Element, str]:
    """The number of each numbered paragraph and heading."""
    numbers: dict[ElementTree.Element, str] = {}
    seen: dict[str, dict[int, int]] = {}  # what lists have counted, by their style and by their own name
    headings: dict[int, int] = {}
    waiting: list[tuple[ElementTree.Element, str, int, dict[int, int]]] = [(root, "", 0, {})]
    while waiting:
        node, style, depth, counts = waiting.pop()
        match local(node):
            case "list":
                style, depth = attribute(node, "style-name") or style, depth + 1
                if depth == 1:
                    before = style if attribute(node, "continue-numbering") == "true" else ""
                    counts = {}
                    if name := attribute(node, "continue-list") or before:
                        counts = seen.get(name, counts)
                    seen[style] = seen[attribute(node, "id")] = counts
            case "list-item":
                if len(node) and local(node[0]) in ("p", "h"):
                    numbers[node[0]] = _number(levels.get(style, {}), depth, counts, attribute(node, "start-value"))
            case "h" if not depth and attribute(node, "is-list-header") != "true":
                level = whole(attribute(node, "outline-level"), 1)
                numbers[node] = _number(levels.get(_HEADINGS, {}), level, headings, attribute(node, "start-value"))
            case "list-header":
                pass
            case _:
                style, depth, counts = "", 0, {}
        waiting += ((child, style, depth, counts) for child in reversed(node))
    return numbers


def _number(levels: Mapping[int, ElementTree.Element], depth: int, counts: dict[int, int], start: str) -> str:
    """Counts a paragraph; '' where its level has no numbers."""
    for deeper in [one for one in counts if one > depth]:
        del counts[deeper]
    if depth not in levels:
        return ""
    own = levels[depth]
    first = {level: whole(attribute(one, "start-value"), 1) for level, one in levels.items()}
    counts[depth] = whole(start, counts.get(depth, first[depth] - 1) + 1)
    shown = range(max(1, depth - whole(attribute(own, "display-levels"), 1) + 1), depth + 1)
    digits = ".".join(
        in_form(counts.get(level, first[level]), _FORMS.get(attribute(levels[level], "num-format"), ""))
        for level in shown
        if level in levels
    )
    return f"{attribute(own, 'num-prefix')}{digits}{attribute(own, 'num-suffix')} "


@dataclass(slots=True)
class _Text:
    """A paragraph's words, and what stands apart from them."""

    words: list[str] = field(default_factory=list)
    apart: list[ElementTree.Element] = field(default_factory=list)

    def read(self, node: ElementTree.Element) -> None:
        name = local(node)
        if name in _APART:
            self.apart.append(node)
        elif name != "note-citation":
            self.words.append(_SPACES.get(name, node.text or ""))
            for child in node:
                self.read(child)
        self.words.append(node.tail or "")


def _blocks(root: ElementTree.Element, numbers: Mapping[ElementTree.Element, str]) -> Iterator[Block]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        match local(node):
            case "p" | "h" as name:
                text = _Text()
                text.read(node)
                if words := clean_paragraph("".join(text.words)):
                    level = min(whole(attribute(node, "outline-level"), 1), 6) if name == "h" else 0
                    yield Block(clean_paragraph(numbers.get(node, "") + words), 0, level)
                waiting += reversed(text.apart)
            case "table":
                yield from table_blocks(_cells(node, numbers), 0)
            case _:
                waiting += reversed(node)


def _cells(table: ElementTree.Element, numbers: Mapping[ElementTree.Element, str]) -> Iterator[Cell]:
    for number, row in enumerate(node for node in _below(table, "table-row")):
        column = 0
        for cell in row:
            if local(cell) in ("table-cell", "covered-table-cell"):
                text = " ".join(block.text for child in cell for block in _blocks(child, numbers))
                rows = attribute(cell, "number-rows-spanned")
                repeated = attribute(cell, "number-columns-repeated")
                for _ in range(min(int(repeated), _MOST_REPEATED) if repeated.isdecimal() else 1):
                    if local(cell) == "table-cell":
                        yield Cell(number, column, text, int(rows) if rows.isdecimal() else 1)
                    column += 1


def _below(table: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Rows of this table, which may stand in groups; those of tables in its cells do not count."""
    waiting = list(table)
    while waiting:
        node = waiting.pop(0)
        if local(node) == name:
            yield node
        else:
            waiting[:0] = node
