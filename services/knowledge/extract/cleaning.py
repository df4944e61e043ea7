"""From raw characters to text that can be stored, shown and searched.

Takes out what PostgreSQL or JSON cannot carry (NUL, lone surrogates), what a person cannot see, and the joined letters
that typesetting makes.
"""

import re
from collections.abc import Iterable

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-\s+(?=[^\W\d_])(?!(?:and|or|und|oder|to)\b)")
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\x85": "\n", "\u2028": "\n",
     "\u2029": "\n"}
)  # fmt: skip


def clean_paragraph(text: str) -> str:
    """One line of text: every run of space, and every line break, is one space."""
    return " ".join(_INVISIBLE.sub("", text.translate(_LIGATURES)).split())


def clean_lines(text: str) -> str:
    """Text whose line breaks mean something (rows, code): LF ends, no double spaces, no trailing ones."""
    text = _INVISIBLE.sub("", text.translate(_LIGATURES).replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.strip() for line in _SPACES.sub(" ", text).split("\n"))


def join_lines(lines: Iterable[str]) -> str:
    """One paragraph of the lines of a page. A hyphen at a line's end keeps its word together: whether it belongs there
    cannot be known, so it stays."""
    return clean_paragraph(_BROKEN_WORD.sub("-", " ".join(line.strip() for line in lines)))
