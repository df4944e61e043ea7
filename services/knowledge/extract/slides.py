"""Blocks from PPTX by python-pptx: titles, paragraphs, tables, charts, diagrams and speaker notes, slide by slide."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import PPTX
from services.knowledge.extract.archive import judge_archive
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.hidden import without_hidden
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.rows import Cell, table_blocks

_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_DIAGRAM_DATA = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"
_PARAGRAPH = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"


def read_slides(content: bytes) -> Iterator[Block]:
    """A slide is a page. Raises Refusal. The archive is judged before it is unpacked."""
    judge_archive(content, PPTX)
    from pptx import Presentation  # 0.3 s and 20 MB that other documents do not pay

    try:
        deck = Presentation(io.BytesIO(without_hidden(content, PPTX)))
        for page, slide in enumerate(deck.slides, 1):
            yield from _slide(slide, page)
    except (KeyError, ValueError, AttributeError, SyntaxError) as error:
        raise Refusal("document_corrupt") from error


def _slide(slide: Any, page: int) -> Iterator[Block]:
    _unwrap(slide.element)
    title = slide.shapes.title
    yield from _shapes(slide.shapes, page, title.shape_id if title is not None else None)
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
        yield from _paragraphs(notes, page)


def _unwrap(slide: Any) -> None:
    """Shapes that newer programs write twice are taken in their first form; the library sees neither."""
    for both in list(slide.iter(f"{_ALTERNATIVES}AlternateContent")):
        chosen = both.find(f"{_ALTERNATIVES}Choice")
        for shape in [] if chosen is None else list(chosen):
            both.addprevious(shape)
        both.getparent().remove(both)


def _shapes(shapes: Any, page: int, title: int | None) -> Iterator[Block]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes, page, title)
        elif shape.shape_id == title:
            if text := clean_paragraph(shape.text_frame.text):
                yield Block(text, page, 1)
        elif shape.has_text_frame:
            yield from _paragraphs(shape.text_frame, page)
        elif getattr(shape, "has_table", False):
            yield from table_blocks(_cells(shape.table), page)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart, page)
        else:
            yield from _diagram(shape, page)


def _paragraphs(frame: Any, page: int) -> Iterator[Block]:
    for paragraph in frame.paragraphs:
        if text := clean_paragraph(paragraph.text):
            yield Block(text, page)


def _cells(table: Any) -> Iterator[Cell]:
    for row, cells in enumerate(table.rows):
        for column, cell in enumerate(cells.cells):
            if not cell.is_spanned:
                yield Cell(row, column, cell.text, cell.span_height if cell.is_merge_origin else 1)


def _chart(chart: Any, page: int) -> Iterator[Block]:
    """Its title, then its numbers as a table: a row for each category."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield from _paragraphs(chart.chart_title.text_frame, page)
    for plot in chart.plots:
        rows = [["", *map(str, plot.categories)]]
        with suppress(ValueError, TypeError):
            rows += [
                [one.name, *("" if value is None else f"{value:g}" for value in one.values)] for one in plot.series
            ]
        cells = (Cell(row, column, text) for column, texts in enumerate(rows) for row, text in enumerate(texts))
        yield from table_blocks(cells, page)


def _diagram(shape: Any, page: int) -> Iterator[Block]:
    for ids in shape.element.iter(_DIAGRAM):
        data = ElementTree.fromstring(shape.part.related_part(ids.get(_DIAGRAM_DATA)).blob)  # noqa: S314 - judged
        for paragraph in data.iter(_PARAGRAPH):
            if text := clean_paragraph("".join(paragraph.itertext())):
                yield Block(text, page)
