"""Formulas and readings of Word as words of their line.

xberg puts a formula before its paragraph, as LaTeX, and a reading in the middle of its word.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.parsers import expat
from xml.sax.saxutils import escape

from services.knowledge.extract.cleaning import raised
from services.knowledge.extract.edits import replaced, walked

_FORMULAS = ("oMath", "oMathPara")


def in_line(data: bytes) -> bytes:
    """Each formula as one run of text, and the readings of neighbouring signs behind them: 東京(とうきょう). The same
    bytes where there is neither, or no XML."""
    if b"oMath" not in data and b"rubyBase" not in data:
        return data
    edits: list[tuple[int, int, bytes]] = []
    path: list[str] = []
    texts: list[list[str]] = [[]]  # of the open elements of a formula
    readings: list[str] = []
    prefix, began, behind = "", 0, 0

    def run(text: str) -> bytes:
        return f'<{prefix}r><{prefix}t xml:space="preserve">{escape(text)}</{prefix}t></{prefix}r>'.encode()

    def say_readings() -> None:
        if readings:
            edits.append((behind, behind, run(f"({''.join(readings)})")))
            readings.clear()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal prefix, began
        name = tag.rpartition(":")[2]
        if name == "p":
            prefix = tag.removesuffix("p")
        is_outermost = not path_has(_FORMULAS)
        if name in ("t", *_FORMULAS) and "ruby" not in path and is_outermost:
            say_readings()
        if name == "rt" or (name in _FORMULAS and is_outermost):
            began = parser.CurrentByteIndex
        path.append(name)
        texts.append([])
        if name == "chr":
            texts[-1] += (value for key, value in attributes.items() if key.endswith("val"))

    def path_has(names: Sequence[str]) -> bool:
        return any(name in path for name in names)

    def end(_tag: str) -> None:
        nonlocal behind
        name, text = path.pop(), "".join(texts.pop())
        index = parser.CurrentByteIndex
        ended = data.find(b">", index) + 1
        if name == "rt":
            readings.append(text)
            edits.append((began, ended, b""))
        elif name in _FORMULAS and not path_has(_FORMULAS):
            edits.append((began, ended, run(text)))
        else:
            texts[-1].append(_written(name, text, path[-1] if path else ""))
        if name == "r" and "ruby" not in path:
            behind = ended
        elif name == "p":
            say_readings()

    def words(text: str) -> None:
        if path[-1] == "t" and "del" not in path and path_has(("rt", *_FORMULAS)):
            texts[-1].append(text)

    parser = expat.ParserCreate()
    parser.CharacterDataHandler = words
    return replaced(data, sorted(edits)) if walked(parser, data, start, end) else data


def _written(name: str, text: str, above: str) -> str:
    """An element of a formula in one line: (a+b)/c, x², √x."""
    grouped = text if text.isalnum() or len(text) < 2 else f"({text})"
    match above, name:
        case _, "sup" if text:
            return raised(text) if text.isdecimal() else f"^{grouped}"
        case _, "num":
            return grouped
        case _, "den":
            return f"/{grouped}"
        case "rad", "e":
            return f"√{grouped}"
        case _, "d":
            return f"({text})"
    return text
