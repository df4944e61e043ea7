"""Blocks from Markdown by markdown-it (CommonMark, tables, front matter) and from RTF by striprtf.

Comments and front matter are for editors, not for callers, and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin
from striprtf.striprtf import rtf_to_text

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph, join_cells
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.web import read_html

_MARKDOWN = MarkdownIt("commonmark").enable("table").use(front_matter_plugin)
_BREAKS = {"softbreak": " ", "hardbreak": " "}


def read_markdown(text: str) -> Iterator[Block]:
    """Headings, paragraphs, list items, table rows and code, without their marks."""
    level, header = 0, ""
    cells: list[str] = []
    for token in _MARKDOWN.parse(text):
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "table_open":
            header = ""
        elif token.type == "tr_open":
            cells = []
        elif token.type in ("th_open", "td_open"):
            cells.append("")
        elif token.type == "tr_close":
            row = join_cells(cells)
            yield from _block(row, header=header)
            header, cells = header or row, []
        elif token.type == "inline":
            spoken = _spoken(token.children or ())
            if cells:
                cells[-1] = spoken
            else:
                yield from _block(spoken, level)
        elif token.type in ("fence", "code_block"):
            yield from _block(token.content)
        elif token.type == "html_block":
            yield from read_html(token.content)


def read_rtf(content: bytes) -> Iterator[Block]:
    """Each RTF paragraph is a block. Raises Refusal(document_corrupt) when the groups do not close."""
    source = content.decode("latin-1")
    if not source.rstrip("\x00 \r\n\t").endswith("}"):
        raise Refusal("document_corrupt")
    text: str = rtf_to_text(source, errors="replace")  # type: ignore[no-untyped-call]
    # \u words are UTF-16 units: two of them make one character beyond the first plane.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    for line in joined.split("\n"):
        yield from _block(line)


def _spoken(tokens: Sequence[Token]) -> str:
    """The text of inline tokens: of links their words, of pictures their description, of HTML nothing."""
    return "".join(
        _BREAKS.get(token.type) or ("" if token.type == "html_inline" else token.content) for token in tokens
    )


def _block(text: str, level: int = 0, header: str = "") -> Iterator[Block]:
    cleaned = clean_paragraph(text)
    if cleaned:
        yield Block(cleaned, 0, level, header)
