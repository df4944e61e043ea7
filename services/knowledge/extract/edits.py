"""Parts of office documents as bytes that are cut and put together by the places of their elements: what is not changed
stays as it was written. expat alone tells those places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.parsers import expat

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]


def walked(parser: expat.XMLParserType, data: bytes, start: Start | None = None, end: End | None = None) -> bool:
    """Call `start` and `end` for each element; False where the bytes are no XML, or an element's end was looked for in
    vain. `parser` is a new one, whose CurrentByteIndex they may ask."""
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError):
        return False
    return True


def replaced(data: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """The bytes with each range (first, behind the last), in their order, as other bytes."""
    pieces, at = list[bytes](), 0
    for first, behind, content in edits:
        pieces += [data[at:first], content]
        at = behind
    return b"".join((*pieces, data[at:]))
