"""Blocks from Markdown by markdown-it (CommonMark, tables, front matter) and from RTF by striprtf.

Comments, front matter and hidden text are for editors, not for callers, and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin
from striprtf.striprtf import rtf_to_text

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.web import read_html

_MARKDOWN = MarkdownIt("commonmark").enable("table").use(front_matter_plugin)
# Hugo's form of front matter, which the plugin does not know.
_TOML = re.compile(r"\A\+\+\+\n.*?\n\+\+\+(?:\n|\Z)", re.DOTALL)
_RTF = re.compile(
    r"\\(?P<word>[a-z]+)(?P<value>-?\d+)? ?|\\'[0-9a-f]{2}|\\[^a-z]|[{}]|[^\\{}]+", re.IGNORECASE | re.DOTALL
)
# Hidden text, and text that a reviewer has deleted.
_RTF_HIDDEN = ("v", "deleted")


def read_markdown(text: str) -> Iterator[Block]:
    """Headings, paragraphs, list items, table rows and code, without their marks."""
    yield from read_html(_MARKDOWN.render(_TOML.sub("", text.replace("\r\n", "\n"))), titled=False)


def read_rtf(content: bytes) -> Iterator[Block]:
    """Each RTF paragraph is a block; a footnote stands where it is marked. Raises Refusal(document_corrupt) when the
    groups do not close."""
    source = content.decode("latin-1")
    if not source.rstrip("\x00 \r\n\t").endswith("}"):
        raise Refusal("document_corrupt")
    text: str = rtf_to_text(_seen(source), errors="replace")  # type: ignore[no-untyped-call]
    # \u words are UTF-16 units: two of them make one character beyond the first plane.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    for line in joined.split("\n"):
        if paragraph := clean_paragraph(line):
            yield Block(paragraph)


def _seen(source: str) -> str:
    """RTF without its hidden text."""
    hidden, outer, kept = False, [], []
    for match in _RTF.finditer(source):
        piece, word = match.group(), match.group("word")
        if piece == "{":
            outer.append(hidden)
        elif piece == "}":
            hidden = outer.pop() if outer else False
        elif word in _RTF_HIDDEN:
            hidden = match.group("value") != "0"
        elif word == "plain":
            hidden = False
        elif word == "footnote":
            piece = " "
        if not hidden or piece in "{}":
            kept.append(piece)
    return "".join(kept)
