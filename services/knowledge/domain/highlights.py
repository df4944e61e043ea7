"""Where the words of a query stand in a hit: from a text with marks around them to offsets."""

from __future__ import annotations

from dataclasses import dataclass

OPEN, CLOSE = "\x02", "\x03"


@dataclass(frozen=True, slots=True)
class Highlight:
    """Half-open, in Unicode code points."""

    start: int
    end: int


def offsets(marked: str, text: str) -> list[Highlight]:
    """The marked spans of `text`; none when taking the marks away does not give `text` back."""
    if marked.replace(OPEN, "").replace(CLOSE, "") != text:
        return []
    spans: list[Highlight] = []
    shift, start = 0, -1
    for position, character in enumerate(marked):
        if character == OPEN:
            start = position - shift
            shift += 1
        elif character == CLOSE:
            if start >= 0:
                spans.append(Highlight(start, position - shift))
            start = -1
            shift += 1
    return spans
