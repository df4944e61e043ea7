"""Blocks from DOCX, XLSX, PPTX and ODT by xberg's document nodes; recognition of images is off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import xberg

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import MediaType
from services.knowledge.extract.archive import judge_archive
from services.knowledge.extract.cleaning import clean_paragraph, join_cells
from services.knowledge.extract.hidden import without_hidden
from services.knowledge.extract.refusal import Refusal

_NOTE_MARK = re.compile(r"\[\^[\w-]{1,20}\]")
_ENCRYPTED = ("password", "encrypted")
_CONFIG = xberg.ExtractionConfig(
    use_cache=False, disable_ocr=True, enable_quality_processing=False, include_document_structure=True,
    max_archive_depth=0, concurrency=xberg.ConcurrencyConfig(max_threads=1),
)  # fmt: skip


def read_office(content: bytes, media: MediaType) -> Iterator[Block]:
    """Raises Refusal. The archive is judged before it is unpacked."""
    judge_archive(content, media)
    return _blocks(asyncio.run(_extract(without_hidden(content, media), media)))


async def _extract(content: bytes, media: MediaType) -> list[Any]:
    source = xberg.ExtractInput(kind="bytes", bytes=content, mime_type=media.name, filename=f"a.{media.extension}")
    try:
        result = await xberg.extract(source, _CONFIG)
    except xberg.XbergError as error:
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
            yield from _rows(content["grid"], page)
        elif kind == "metadata_block":
            yield from _block("; ".join(f"{entry['key']}: {entry['value']}" for entry in content["entries"]), page)
        elif "text" in content:
            yield from _block(content["text"], page, content.get("level", 0) if kind == "heading" else 0)


def _block(text: str, page: int, level: int = 0) -> Iterator[Block]:
    cleaned = clean_paragraph(_NOTE_MARK.sub("", text))
    if cleaned:
        yield Block(cleaned, page, min(level, 6))


def _rows(grid: dict[str, Any], page: int) -> Iterator[Block]:
    table: dict[int, dict[int, str]] = {}
    for cell in grid["cells"]:
        table.setdefault(cell["row"], {})[cell["col"]] = cell["content"]
    filled = [{column: text for column, text in cells.items() if text.strip()} for cells in table.values()]
    # A column that no row fills beside another is one that the sheet hides, or that holds a title alone.
    columns = sorted({column for cells in filled if len(cells) > 1 for column in cells})
    known = frozenset(columns)
    rows = [
        join_cells([cells.get(column, "") for column in (columns if cells.keys() <= known else cells)])
        for cells in filled
    ]
    header = rows[0] if len(rows) > 1 else ""
    for number, row in enumerate(rows):
        if row:
            yield Block(row, page, 0, header if number else "")
