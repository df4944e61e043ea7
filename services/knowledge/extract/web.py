"""Blocks from HTML: headings, paragraphs, list items and table rows of the visible part, in document order.

Walks the tree without recursion, so depth costs nothing. Scripts, styles, navigation, controls and what the page hides
are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.cleaning import clean_paragraph, join_cells, raised

HIDDEN = frozenset(
    ("rp", "script", "style", "noscript", "template", "iframe", "object", "svg", "math", "nav", "button", "select",
     "textarea", "head", "datalist", "audio", "video", "canvas")
)  # fmt: skip
_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "dialog", "dir",
     "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
     "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "ol", "p", "pre", "search", "section", "summary",
     "table", "tbody", "tfoot", "thead", "tr", "ul")
)  # fmt: skip
# Elements inside of a line that stand apart from the words around them. Other elements of a line, such as spans, touch
# in a browser too, so that a word may go on in the next one.
_APART = frozenset(
    ("audio", "button", "canvas", "iframe", "input", "label", "math", "meter", "nav", "object", "output", "progress",
     "select", "svg", "textarea", "video")
)  # fmt: skip
# What a style makes of an element that it takes out of its line, and of one that does so with each of its children.
_BLOCK_DISPLAYS = frozenset(
    ("block", "flex", "flow-root", "grid", "list-item", "table", "table-caption", "table-cell", "table-row")
)
_PARTING_DISPLAYS = frozenset(("flex", "grid", "inline-flex", "inline-grid"))
# The question of an accordion is a button in one of these.
_ASKING = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"))
_DECLARATION = re.compile(
    r"(?<![\w-])(display|(?:content-)?visibility|float)\s*:\s*([\w-]+)\s*(!\s*important)?", re.IGNORECASE
)
_SHEET_TYPES = ("", "text/css")
_SHEET_MEDIA = frozenset(("", "all", "screen"))
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# A rule of a style sheet that stands in no other: what only printers or small screens hide is read.
_RULE = re.compile(r"([^{}]*)\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
# What makes a table without headers one for the looks of the page.
_LAYOUT = "td :is(table, h1, h2, h3, h4, h5, h6, ul, ol, dl, p + p)"
# Rows of a table's header.
_MOST_HEADERS = 3
# Rows or columns of one cell. More: a hostile page takes longer.
_MOST_SPANNED = 100
# Rules of a page's own style sheets that are looked at. More: a hostile page takes longer.
_MOST_RULES = 2_000


@dataclass(frozen=True, slots=True)
class _Saying:
    """What a style says of a property that may hide an element or take it out of its line."""

    value: str
    important: bool


def read_html(text: str, style: str = "", *, titled: bool = True) -> Iterator[Block]:
    """The title as the highest heading unless the page has its own h1, then the body. `style` are style sheets beside
    the page."""
    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    if titled and title is not None and tree.css_first("h1") is None and (heading := clean_paragraph(title.text())):
        yield Block(heading, 0, 1)
    _apply(tree, "\n".join([style, *(sheet.text() for sheet in tree.css("style") if _is_applied(sheet))]))
    if tree.body is not None:
        yield from _Page().read(tree.body)


def _is_applied(sheet: LexborNode) -> bool:
    """Whether a screen shows the page by this style sheet, in a browser that runs scripts."""
    attributes = sheet.attributes
    media = {medium.strip().lower() for medium in (attributes.get("media") or "").split(",")}
    if (attributes.get("type") or "").strip().lower() not in _SHEET_TYPES or not media & _SHEET_MEDIA:
        return False
    above = sheet.parent
    while above is not None and above.tag != "noscript":
        above = above.parent
    return above is None


def _declared(style: str) -> dict[str, _Saying]:
    """What counts of each property that may hide or part: the last saying, unless only an earlier one is important."""
    said = ((name.lower(), _Saying(value.lower(), bool(mark))) for name, value, mark in _DECLARATION.findall(style))
    return dict(sorted(said, key=lambda one: one[1].important))


def _own(node: LexborNode) -> dict[str, str]:
    """The properties of an element's own style, to which `_apply` has added those of the style sheets."""
    style = node.attributes.get("style")
    return {name: saying.value for name, saying in _declared(style).items()} if style else {}


def _hides(properties: Mapping[str, str]) -> bool:
    return any(value == ("none" if name == "display" else "hidden") for name, value in properties.items())


def _apply(tree: LexborHTMLParser, style: str) -> None:
    """Writes what style sheets say before each element's own style. Of two rules the later one counts, unless only the
    earlier one is important."""
    said: dict[tuple[int, str], tuple[LexborNode, _Saying]] = {}
    for rule in islice(_RULE.finditer(_COMMENT.sub("", style)), _MOST_RULES):
        # Statements such as @import stand before the selector.
        selector, body = rule.group(1).rpartition(";")[2].strip(), rule.group(2)
        sayings = {} if "{" in body or selector.startswith("@") else _declared(body)
        if not sayings:
            continue
        try:
            for node in tree.css(selector):
                _note(said, node, sayings)
        except (SelectolaxError, ValueError):
            continue
    for (_, name), (node, saying) in said.items():
        important = "!important" if saying.important else ""
        node.attrs["style"] = f"{name}:{saying.value}{important};{node.attributes.get('style') or ''}"


def _note(
    said: dict[tuple[int, str], tuple[LexborNode, _Saying]], node: LexborNode, new: Mapping[str, _Saying]
) -> None:
    for name, saying in new.items():
        key = (node.mem_id, name)
        if key not in said or saying.important >= said[key][1].important:
            said[key] = (node, saying)


def _walk(root: LexborNode) -> Iterator[tuple[bool, LexborNode]]:
    """Each node that is seen, when it begins (True) and when it has ended. The root is always seen: a page that hides
    its body shows it by a script."""
    node = root
    while True:
        yield True, node
        if node.child is not None and (node.mem_id == root.mem_id or not _is_hidden(node)):
            node = node.child
            continue
        yield False, node
        while node.mem_id != root.mem_id and node.next is None and node.parent is not None:
            node = node.parent
            yield False, node
        if node.mem_id == root.mem_id or node.next is None:
            return
        node = node.next


def _is_hidden(node: LexborNode) -> bool:
    asks = node.tag == "button" and node.parent is not None and node.parent.tag in _ASKING
    if node.tag in HIDDEN and not asks:
        return True
    attributes = node.attributes
    return (
        attributes.get("hidden", "until-found") != "until-found"
        or attributes.get("aria-hidden") == "true"
        or (node.tag == "dialog" and "open" not in attributes)
        or _hides(_own(node))
    )


@dataclass(slots=True)
class _Table:
    """Whether each row is one block. `has_data` of the open row: a cell that is no header; `named` counts the rows of
    the header, as long as no other row has come; `cells` are those of the open row; `spans` say by column how many
    further rows a cell reaches into, and what it holds."""

    joins_rows: bool
    header: str = ""
    has_data: bool = False
    named: int = 0
    cells: list[str] | None = None
    spans: dict[int, tuple[int, str]] = field(default_factory=dict)

    def fill(self) -> None:
        """Cells that reach into this row from above, as far as they stand next."""
        while self.cells is not None and (span := self.spans.pop(len(self.cells), None)):
            rows, text = span
            if rows > 1:
                self.spans[len(self.cells)] = (rows - 1, text)
            self.cells.append(text)

    def add(self, text: str, rows: int, columns: int) -> None:
        """A cell of the open row. One that is several columns wide says its text once."""
        self.fill()
        for piece in (text, *[""] * (columns - 1)):
            if self.cells is not None:
                if rows > 1:
                    self.spans[len(self.cells)] = (rows - 1, piece)
                self.cells.append(piece)


class _Page:
    """What is open while the page is walked: text since the last block, the tables around it, how many raised texts and
    readings, the readings of a word in signs, and the number of the last item of each list; which elements stand apart
    from the words around them, and which part those below them."""

    def __init__(self) -> None:
        self._inline: list[str] = []
        self._tables: list[_Table] = []
        self._open = {"sup": 0, "rt": 0}
        self._readings: list[str] = []
        self._numbers: dict[int, int] = {}
        self._marker = ""
        self._apart: set[int] = set()
        self._parting: set[int] = set()

    def read(self, root: LexborNode) -> Iterator[Block]:
        for begins, node in _walk(root):
            tag = node.tag or ""
            if begins:
                self._place(node)
            if tag in ("-text", "_text"):
                self._text(node.text_content or "" if begins else "")
            elif tag in self._open:
                self._open[tag] += 1 if begins else -1
            elif tag == "ruby" and not begins:
                self._end_readings()
            elif tag == "img":
                self._inline.append(node.attributes.get("alt") or " " if begins else "")
            elif tag in ("td", "th"):
                self._cell(node, begins)
            elif tag == "tr" and self._joins_rows:
                yield from self._row(begins)
            elif tag in _BLOCKS and not (self._joins_rows and self._tables[-1].cells is not None):
                yield from self._close(int(tag[1]) if not begins and tag[1:].isdigit() else 0)
                if tag == "table" and begins:
                    self._tables.append(_Table(_is_of_rows(node)))
                elif tag == "table" and self._tables:
                    self._tables.pop()
            elif tag in _BLOCKS or node.mem_id in self._apart:
                self._inline.append(" ")
            if tag == "li":
                self._number(node if begins else None)
        yield from self._close(0)

    def _place(self, node: LexborNode) -> None:
        """Notes whether the words of an element, and of those below it, touch the words around them."""
        properties = _own(node)
        above = node.parent.mem_id if node.parent is not None else 0
        if (
            node.tag in _APART
            or above in self._parting
            or properties.get("display") in _BLOCK_DISPLAYS
            or properties.get("float", "none") != "none"
        ):
            self._apart.add(node.mem_id)
        if properties.get("display") in _PARTING_DISPLAYS:
            self._parting.add(node.mem_id)

    def _text(self, text: str) -> None:
        """Readings stand behind their word, so that it stays whole; raised digits are no part of the number before
        them."""
        if self._open["rt"]:
            self._readings.append(text)
        else:
            self._inline.append(raised(text) if self._open["sup"] else text)

    def _end_readings(self) -> None:
        if self._readings:
            self._inline.append(f"({''.join(self._readings)})")
            self._readings.clear()

    def _number(self, item: LexborNode | None) -> None:
        """Of an item of a numbered list; it stands before the item's first words."""
        self._marker = ""
        above = item.parent if item is not None else None
        if item is not None and above is not None and above.tag == "ol":
            before = self._numbers.get(above.mem_id, _whole(above, "start", 1) - 1)
            number = self._numbers[above.mem_id] = _whole(item, "value", before + 1)
            self._marker = f"{number}. "

    @property
    def _joins_rows(self) -> bool:
        return bool(self._tables) and self._tables[-1].joins_rows

    def _cell(self, node: LexborNode, begins: bool) -> None:
        if not self._joins_rows:
            self._inline.append(" · " if begins and self._inline else "")
        elif not begins and self._tables[-1].cells is not None:
            table = self._tables[-1]
            table.add("".join(self._inline), _span(node, "rowspan"), _span(node, "colspan"))
            table.has_data |= node.tag == "td"
            self._inline.clear()

    def _row(self, begins: bool) -> Iterator[Block]:
        table = self._tables[-1]
        if begins:
            yield from self._close(0)
            table.cells, table.has_data = [], False
        elif table.cells is not None:
            table.fill()
            row, table.cells = join_cells(table.cells), None
            if row:
                yield Block(row, header=table.header)
                if not table.has_data and table.named < _MOST_HEADERS:
                    table.header, table.named = f"{table.header}; {row}".removeprefix("; "), table.named + 1
                else:
                    table.named = _MOST_HEADERS

    def _close(self, level: int) -> Iterator[Block]:
        self._end_readings()
        text = clean_paragraph("".join(self._inline)).strip("· ")
        self._inline.clear()
        if text:
            yield Block(self._marker + text, 0, level)
            self._marker = ""


def _is_of_rows(table: LexborNode) -> bool:
    """Whether a row is one block. A table without headers may be there for the looks of the page; its cells hold
    paragraphs of their own."""
    if table.css_first("th") is not None:
        return table.css_first("table table") is None
    return table.css_first(_LAYOUT) is None


def _span(node: LexborNode, name: str) -> int:
    return min(_whole(node, name, 1), _MOST_SPANNED)


def _whole(node: LexborNode, name: str, default: int) -> int:
    value = node.attributes.get(name) or ""
    return int(value) if value.isdecimal() and len(value) < 6 else default
