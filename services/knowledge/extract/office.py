"""Blocks from DOCX and XLSX by xberg's document nodes; recognition of images is off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import xberg

from libs.errors import InvalidArgument
from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import HEAD_BYTES, XLSX, MediaType, recognize
from services.knowledge.extract.archive import judge_archive
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.elements import tree
from services.knowledge.extract.hidden import without_hidden
from services.knowledge.extract.merged import repeated
from services.knowledge.extract.packages import drawings, linked_parts
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.rows import table_blocks

Reader = Callable[[bytes, MediaType], Iterator[Block]]

_NOTE_MARK = re.compile(r"\[\^[\w-]{1,20}\]")
_PARAGRAPH = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"
_ENCRYPTED = ("password", "encrypted")
# Cells of a table. The library's own limit of 100,000 is a price list of 12,500 rows. The sandbox bounds what a
# document costs.
_MOST_CELLS = 1_000_000
_CONFIG = xberg.ExtractionConfig(
    use_cache=False, disable_ocr=True, enable_quality_processing=False, include_document_structure=True,
    max_archive_depth=0, concurrency=xberg.ConcurrencyConfig(max_threads=1),
    security_limits=xberg.SecurityLimits(max_table_cells=_MOST_CELLS),
)  # fmt: skip


def read_office(content: bytes, media: MediaType, read: Reader | None = None) -> Iterator[Block]:
    """`read` reads the documents that a DOCX takes in whole. Raises Refusal. The archive is judged before it is
    unpacked."""
    judge_archive(content, media)
    shown = without_hidden(content, media)
    yield from _blocks(asyncio.run(_extract(shown, media)))
    for drawing in drawings(shown) if media is XLSX else ():
        yield from _boxes(drawing)
    for name, part in linked_parts(content, media):
        if read is not None:
            with suppress(InvalidArgument, Refusal):
                yield from read(part, recognize(name, "", part[:HEAD_BYTES]))


async def _extract(content: bytes, media: MediaType) -> list[Any]:
    source = xberg.ExtractInput(kind="bytes", bytes=content, mime_type=media.name, filename=f"a.{media.extension}")
    try:
        result = await xberg.extract(source, _CONFIG)
    except (xberg.XbergError, RuntimeError) as error:
        raise Refusal(_reason(str(error))) from error
    if not result.results:
        raise Refusal(_reason(str(result.errors)))
    document = result.results[0].document
    return list(document.nodes) if document is not None else []


def _reason(message: str) -> str:
    return "document_encrypted" if any(word in message.lower() for word in _ENCRYPTED) else "document_corrupt"


def _blocks(nodes: list[Any]) -> Iterator[Block]:
    """Headers, footers and notes come where the reader puts them."""
    for node in nodes:
        content, page = json.loads(str(node.content)), node.page or 0
        kind = content["node_type"]
        if kind == "table":
            yield from table_blocks(repeated(content["grid"]["cells"]), page)
        elif "text" in content:
            yield from _block(content["text"], page, content.get("level", 0) if kind == "heading" else 0)


def _boxes(drawing: bytes) -> Iterator[Block]:
    """Text boxes that float over a worksheet."""
    for paragraph in tree(drawing).iter(_PARAGRAPH):
        yield from _block("".join(paragraph.itertext()), 0)


def _block(text: str, page: int, level: int = 0) -> Iterator[Block]:
    cleaned = clean_paragraph(_NOTE_MARK.sub("", text))
    if cleaned:
        yield Block(cleaned, page, min(level, 6))
