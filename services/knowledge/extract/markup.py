"""Blocks from Markdown by markdown-it (CommonMark, tables, front matter) and from RTF by striprtf.

Comments, front matter and hidden text are for editors, not for callers, and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin
from striprtf.striprtf import rtf_to_text

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.refusal import Refusal
from services.knowledge.extract.rows import Cell, table_blocks
from services.knowledge.extract.web import read_html

# Elements that have no end tag, or need none.
_UNENDED = frozenset(
    ("area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img", "input", "li",
     "link", "meta", "optgroup", "option", "p", "param", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "thead",
     "tr", "track", "wbr")
)  # fmt: skip
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)(?=[\s/>])")
# Hugo's form of front matter, which the plugin does not know.
_TOML = re.compile(r"\A\+\+\+\n.*?\n\+\+\+(?:\n|\Z)", re.DOTALL)
# YAML begins with a key, a comment or a list. Other lines below a rule are text.
_YAML = re.compile(r"\A---[ \t]*\n\s*(?:[\w\"'][^\n:]*:(?:\s|$)|#|\{|- |---)")
_RTF = re.compile(
    r"\\(?P<word>[a-z]+)(?P<value>-?\d+)? ?|\\'[0-9a-f]{2}|\\[^a-z]|[{}]|[^\\{}]+", re.IGNORECASE | re.DOTALL
)
# Groups that the library leaves out and people see; these words become what stands between them and the text around.
_RTF_READ = {
    "footnote": " ",
    "shp": " ",
    "shptxt": " ",
    "object": " ",
    "result": " ",
    "pntext": "",
    "column": "\\par ",
} | {f"{place}{pages}": "\\par " for place in ("header", "footer") for pages in ("", "f", "l", "r")}
# Whether what follows stands in a cell.
_RTF_TABLE = {"trowd": True, "intbl": True, "pard": False, "row": False}
# Characters in which the file says what machine wrote it.
_RTF_HEAD = 100
# Hidden text, text that a reviewer has deleted, and what a shape says to readers that know none.
_RTF_HIDDEN = ("v", "deleted", "shprslt", "sp")


def _write_open_tags_as_text(state: StateCore) -> None:
    """`Array<object>` in a sentence is text: without an end tag in the same paragraph, or behind a block of HTML, the
    element would take the rest of the document with it."""
    ended: set[str] = set()
    for token in reversed(state.tokens):
        if token.type == "html_block":
            token.content = _escaped(token.content, ended)
        elif token.type == "inline":
            inside: set[str] = set()
            for child in reversed(token.children or ()):
                if child.type == "html_inline":
                    child.content = _escaped(child.content, inside)
            ended |= inside


def _escaped(source: str, ended: set[str]) -> str:
    """`source` with the opening tags escaped that no end tag follows; `ended` are the names of end tags behind it, and
    takes those of `source`."""
    pieces: list[str] = []
    until = len(source)
    for tag in reversed(list(_TAG.finditer(source))):
        name = tag.group(2).lower()
        if tag.group(1):
            ended.add(name)
        elif name not in ended | _UNENDED:
            pieces.append(f"&lt;{source[tag.start() + 1 : until]}")
            until = tag.start()
    return "".join([source[:until], *reversed(pieces)])


_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(front_matter_plugin)
_MARKDOWN.use(deflist_plugin).use(footnote_plugin)
for _mark in ("footnote_ref", "footnote_anchor"):
    _MARKDOWN.add_render_rule(_mark, lambda *_: "")
_MARKDOWN.core.ruler.push("open_tags", _write_open_tags_as_text)


def read_markdown(text: str) -> Iterator[Block]:
    """Headings, paragraphs, list items, table rows and code, without their marks."""
    source = _TOML.sub("", text.replace("\r\n", "\n"))
    # Front matter counts on the first line alone.
    yield from read_html(_MARKDOWN.render(source if _YAML.match(source) else f"\n{source}"), titled=False)


def read_rtf(content: bytes) -> Iterator[Block]:
    """Each RTF paragraph is a block; a footnote stands where it is marked. Raises Refusal(document_corrupt) when the
    groups do not close."""
    source = content.decode("latin-1")
    if not source.rstrip("\x00 \r\n\t").endswith("}"):
        raise Refusal("document_corrupt")
    macintosh = "\\mac" in source[:_RTF_HEAD]
    seen = _seen(source.replace("{\\*\\shpinst", "{").replace("\\ansicpg10000", ""))
    text: str = rtf_to_text(seen, "mac_roman" if macintosh else "cp1252", errors="replace")  # type: ignore[no-untyped-call]
    # \u words are UTF-16 units: two of them make one character beyond the first plane.
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    rows: list[list[str]] = []
    for line in [*joined.split("\n"), ""]:
        if line.endswith("|"):  # what the library makes of a cell's end
            rows.append(line[:-1].split("|"))
            continue
        yield from table_blocks((Cell(y, x, text) for y, row in enumerate(rows) for x, text in enumerate(row)), 0)
        rows.clear()
        if paragraph := clean_paragraph(line):
            yield Block(paragraph)


def _seen(source: str) -> str:
    """RTF without its hidden text, and with the paragraphs of a table's cell in one line."""
    hidden, outer, kept, in_table = False, [], [], False
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
        elif word in _RTF_READ:
            piece = _RTF_READ[word]
        elif word in _RTF_TABLE:
            in_table = _RTF_TABLE[word]
        elif word in ("par", "line") and in_table:
            piece = " "
        if not hidden or piece in "{}":
            kept.append(piece)
    return "".join(kept)
