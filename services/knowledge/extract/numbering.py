"""Numbers of Word's lists and headings, written before their paragraphs: xberg leaves them out, and people ask for a
clause by its number.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

from services.knowledge.extract.edits import replaced, walked
from services.knowledge.extract.elements import attribute, local, tree, whole

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_PLACE = re.compile(r"%([1-9])")
# Largest number that is written in letters or Roman digits.
_MOST_IN_LETTERS = 4_000


class _Level(NamedTuple):
    """`form` is the kind of its digits; `text` names its own number and those above it, such as `%1.%2`."""

    first: int
    form: str
    text: str


class Numbering:
    """The lists of a document, from its parts of numbering and styles. A part that is no XML numbers nothing."""

    def __init__(self, lists: bytes, styles: bytes) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._styled: dict[str, tuple[str, int]] = {}
        linked: dict[str, int] = {}
        for kind in (node for node in tree(lists) if local(node) == "abstractNum"):
            levels = self._levels[attribute(kind, "abstractNumId")] = {}
            for level in (node for node in kind if local(node) == "lvl"):
                depth = whole(attribute(level, "ilvl"), 0)
                levels[depth] = _Level(whole(_of(level, "start"), 1), _of(level, "numFmt"), _of(level, "lvlText"))
                linked[_of(level, "pStyle")] = depth
        self._kinds = {attribute(one, "numId"): _of(one, "abstractNumId") for one in tree(lists) if local(one) == "num"}
        self._restarts = {
            (attribute(one, "numId"), whole(attribute(node, "ilvl"), 0)): whole(_of(node, "startOverride"), 1)
            for one in tree(lists)
            for node in one
            if local(node) == "lvlOverride" and _of(node, "startOverride")
        }
        for style in tree(styles):
            name = attribute(style, "styleId")
            above = self._styled.get(_of(style, "basedOn"))
            if number := _of(style, "numId") or (above[0] if above else ""):
                depth = linked.get(name, above[1] if above else 0)
                self._styled[name] = (number, whole(_of(style, "ilvl"), depth))

    def written(self, data: bytes) -> bytes:
        """The part with the number of each numbered paragraph before its text. The same bytes where there is none."""
        if not self._kinds:
            return data
        counts: dict[str, dict[int, int]] = {}
        restarts = dict(self._restarts)
        path: list[str] = []
        said: dict[str, str] = {}
        places: list[tuple[int, int, bytes]] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            path.append(tag.rpartition(":")[2])
            if path[-2:] == ["p", "pPr"]:
                said.clear()
            elif path[-1] in ("pStyle", "ilvl", "numId") and "pPrChange" not in path:
                said[path[-1]] = next((value for key, value in attributes.items() if key.endswith("val")), "")

        def end(tag: str) -> None:
            if path[-2:] == ["p", "pPr"] and (number := self._number(said, counts, restarts)):
                prefix = tag.removesuffix("pPr")
                run = f'<{prefix}r><{prefix}t xml:space="preserve">{number} </{prefix}t></{prefix}r>'
                behind = data.index(b">", parser.CurrentByteIndex) + 1
                places.append((behind, behind, run.encode()))
            path.pop()

        parser = expat.ParserCreate()
        return replaced(data, places) if walked(parser, data, start, end) else data

    def _number(
        self, said: dict[str, str], counts: dict[str, dict[int, int]], restarts: dict[tuple[str, int], int]
    ) -> str:
        """Counts the paragraph; '' where it has no number."""
        of_style = self._styled.get(said.get("pStyle", ""), ("", 0))
        number = said.get("numId") or of_style[0]
        depth = whole(said["ilvl"], 0) if "ilvl" in said else of_style[1]
        kind = self._kinds.get(number, "")
        levels = self._levels.get(kind, {})
        if depth not in levels:
            return ""
        count = counts.setdefault(kind, {})
        count[depth] = restarts.pop((number, depth), count.get(depth, levels[depth].first - 1) + 1)
        for deeper in [one for one in count if one > depth]:
            del count[deeper]
        if levels[depth].form in ("bullet", "none"):
            return ""

        def written(place: re.Match[str]) -> str:
            level = levels.get(int(place[1]) - 1, levels[depth])
            return in_form(count.get(int(place[1]) - 1, level.first), level.form)

        return _PLACE.sub(written, levels[depth].text).translate({ord("&"): "&amp;", ord("<"): "&lt;"})


def in_form(number: int, form: str) -> str:
    """`form` as Word names it, such as `upperRoman`; digits where it is none of letters or Roman digits."""
    text = str(number)
    if form == "decimalZero":
        text = text.zfill(2)
    elif form.endswith("Letter") and 0 < number <= _MOST_IN_LETTERS:
        text = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
    elif form.endswith("Roman") and 0 < number <= _MOST_IN_LETTERS:
        text = ""
        for value, digits in _ROMAN:
            text += digits * (number // value)
            number %= value
    return text.upper() if form.startswith("upper") else text


def _of(node: ElementTree.Element, name: str) -> str:
    """The value of the element of that name inside of `node`."""
    return next((attribute(inner, "val") for inner in node.iter() if local(inner) == name), "")
