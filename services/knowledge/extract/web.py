"""Blocks from HTML: headings, paragraphs, list items and table rows of the visible part, in document order.

Walks the tree without recursion, so depth costs nothing. Scripts, styles, navigation, controls and what the page hides
are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph

_HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "iframe", "object", "svg", "math", "nav", "button", "select",
     "textarea", "head")
)  # fmt: skip
_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "div", "dl", "dt",
     "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html",
     "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul")
)  # fmt: skip
_CELLS = frozenset(("td", "th"))
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read_html(text: str) -> Iterator[Block]:
    """The title as the highest heading unless the page has its own h1, then the body."""
    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    if title is not None and tree.css_first("h1") is None:
        heading = clean_paragraph(title.text())
        if heading:
            yield Block(heading, 0, 1)
    if tree.body is not None:
        yield from _walk(tree.body)


def _walk(root: LexborNode) -> Iterator[Block]:
    inline: list[str] = []
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        if tag in ("-text", "_text"):
            inline.append(node.text_content or "")
        elif tag in _BLOCKS and tag not in _CELLS:
            yield from _close(inline, 0)
        elif tag in _CELLS:
            inline.append(" · " if inline else "")
        if node.child is not None and tag not in _HIDDEN and not _is_hidden(node):
            node = node.child
            continue
        while node is not None and node.next is None:
            yield from _leave(node, inline)
            node = None if _same(node, root) else node.parent
            if node is not None and _same(node, root):
                yield from _close(inline, 0)
                return
        if node is not None:
            yield from _leave(node, inline)
            node = node.next


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    return "hidden" in attributes or bool(_UNSEEN.search(attributes.get("style") or ""))


def _leave(node: LexborNode, inline: list[str]) -> Iterator[Block]:
    tag = node.tag or ""
    if tag in _BLOCKS and tag not in _CELLS:
        yield from _close(inline, int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit() else 0)


def _close(inline: list[str], level: int) -> Iterator[Block]:
    text = clean_paragraph("".join(inline)).strip("· ")
    inline.clear()
    if text:
        yield Block(text, 0, level)


def _same(left: LexborNode | None, right: LexborNode | None) -> bool:
    return left is not None and right is not None and left.mem_id == right.mem_id
