"""From raw characters to text that can be stored, shown and searched.

Removes what PostgreSQL or JSON cannot carry (NUL, lone surrogates), what a person cannot see and what only one font
shows (private code points), and brings accents,
ligatures and line ends into one form (NFC).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff\ud800-\udfff\ue000-\uf8ff]"
)
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-\s+(?=[^\W\d_])(?!(?:and|or|und|oder|to)\b)")
_FORMS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\x0b": "\n", "\x0c": "\n",
     "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
)  # fmt: skip
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BETWEEN_CELLS = " · "


def clean_paragraph(text: str) -> str:
    """One line of text: every run of space, and every line break, is one space."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text.translate(_FORMS))).split())


def raised(text: str) -> str:
    """Digits as exponents and marks of notes: they are no part of the number before them."""
    return text.translate(_RAISED)


def join_lines(lines: Iterable[str]) -> str:
    """One paragraph of lines. A hyphen at a line's end keeps its word together; whether it belongs there cannot be
    known, so it stays."""
    return clean_paragraph(_BROKEN_WORD.sub("-", " ".join(line.strip() for line in lines)))


def join_cells(cells: Sequence[str]) -> str:
    """A table row as one line; empty cells keep their column, except at the end."""
    return _BETWEEN_CELLS.join(map(clean_paragraph, cells)).rstrip(" ·")
