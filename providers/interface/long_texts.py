"""Long strings of a large JSON document, left where they are: the rest is small enough to be parsed in memory.

Each string of at least LEAST_BYTES becomes a short name in the rest, and its bytes are read from the source when they
are needed. It knows only where strings begin and end; whether the rest is JSON is for who parses it.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# Bytes from which on a string is taken out. Smaller: more strings of reports are read apart.
LEAST_BYTES = 256 * 1024
# Characters of a string up to its end, or up to a backslash whose character is in the next piece.
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class Source(Protocol):
    """Bytes that can be read in part; libs.spool.Spool is one."""

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class LongText:
    """The inside of a JSON string, from byte `start` of its document up to `end`, as it is written there."""

    source: Source
    start: int
    end: int

    def pieces(self) -> Iterator[bytes]:
        """Its bytes with "\\/" read as "/". Other escapes stay as they are."""
        kept = b""
        for piece in self.source.pieces(self.start, self.end):
            piece = kept + piece
            kept = b"\\" if piece.endswith(b"\\") else b""
            yield piece[: len(piece) - len(kept)].replace(b"\\/", b"/")
        if kept:
            yield kept


class RestTooLarge(Exception):
    """What remains without the long strings exceeds the limit."""


def take_out(source: Source, limit: int) -> tuple[bytes, dict[str, LongText]]:
    """The document without its long strings, and these by the names that stand for them. RestTooLarge beyond `limit`
    bytes. Names are random, so that no document contains one."""
    scan = _Scan(source, limit)
    for piece in source.pieces():
        scan.read(piece)
    return scan.rest(), scan.found


class _Scan:
    def __init__(self, source: Source, limit: int) -> None:
        self.found: dict[str, LongText] = {}
        self._source = source
        self._limit = limit
        self._nonce = secrets.token_hex(16)
        self._rest = bytearray()
        self._at = 0  # of the first byte that was not read yet
        self._start = -1  # of the string that is being read; -1 outside of strings
        self._in_rest = 0  # where that string began in the rest
        self._escaped = False

    def rest(self) -> bytes:
        return bytes(self._rest)

    def read(self, piece: bytes) -> None:
        place = 0
        while place < len(piece):
            place = self._outside(piece, place) if self._start < 0 else self._inside(piece, place)
            if len(self._rest) > self._limit + 2 * LEAST_BYTES:
                raise RestTooLarge
        self._at += len(piece)

    def _outside(self, piece: bytes, place: int) -> int:
        quote = piece.find(b'"', place)
        end = len(piece) if quote < 0 else quote + 1
        self._rest += piece[place:end]
        if quote >= 0:
            self._start, self._in_rest = self._at + end, len(self._rest)
        return end

    def _inside(self, piece: bytes, place: int) -> int:
        if self._escaped:
            self._escaped = False
            return self._keep(piece, place, place + 1)
        match = _INSIDE.match(piece, place)
        quote = match.end() if match else place
        if piece[quote : quote + 1] != b'"':
            self._escaped = quote < len(piece)
            return self._keep(piece, place, len(piece))
        end = self._at + quote
        if end - self._start >= LEAST_BYTES:
            name = f"{self._nonce}:{self._start}"
            self.found[name] = LongText(self._source, self._start, end)
            del self._rest[self._in_rest :]
            self._rest += name.encode() + b'"'
        else:
            self._keep(piece, place, quote + 1)
        self._start = -1
        return quote + 1

    def _keep(self, piece: bytes, place: int, end: int) -> int:
        """Strings are kept until they are known to be long."""
        if self._at + place - self._start < LEAST_BYTES:
            self._rest += piece[place:end]
        return end
