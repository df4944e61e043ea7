"""From raw characters to text that can be stored, shown and searched.

Takes out what PostgreSQL or JSON cannot carry (NUL, lone surrogates), what a person cannot see, and the joined letters
that typesetting makes.
"""

import re
from collections.abc import Iterable, Iterator

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-\s+(?=[^\W\d_])(?!(?:and|or|und|oder|to)\b)")
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\x85": "\n", "\u2028": "\n",
     "\u2029": "\n"}
)  # fmt: skip


def clean_paragraph(text: str) -> str:
    """One line of text: every run of space, and every line break, is one space."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join(_INVISIBLE.sub("", text.translate(_LIGATURES)).split())


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text one at a time, without their ends: a long document is never held twice."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end].rstrip("\r")
        start = end + 1


def join_lines(lines: Iterable[str]) -> str:
    """One paragraph of the lines of a page. A hyphen at a line's end keeps its word together: whether it belongs there
    cannot be known, so it stays."""
    return clean_paragraph(_BROKEN_WORD.sub("-", " ".join(line.strip() for line in lines)))
