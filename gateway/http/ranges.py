"""Byte ranges (RFC 9110, 14): which part of a file a request asks for. Pure."""

import re
from dataclasses import dataclass

from libs.errors import OutOfRange

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Half-open: start <= byte < end."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """The header of a 206."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_range(header: str, size: int) -> ByteRange | None:
    """The requested range. None means the whole file: no header, another unit, several ranges or a malformed header,
    all of which RFC 9110 lets a server ignore. A range that begins past the end is refused (416)."""
    match = _RANGE.fullmatch(header)
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        asked = ByteRange(max(size - int(match[2]), 0), size)
    else:
        start = int(match[1])
        if match[2] and int(match[2]) < start:
            return None
        asked = ByteRange(start, min(int(match[2]) + 1, size) if match[2] else size)
    if asked.start >= size or asked.length <= 0:
        raise OutOfRange("range_not_satisfiable", "Ask for a range inside the file.", metadata={"size": str(size)})
    return asked
