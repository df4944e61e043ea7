"""Bytes that pass through: few stay in memory, more lie in an unlinked temporary file.

Filled once by `write` and `seal`, then read as often as needed, whole or in part. The file has no name, so that it is
gone with its last reader, whatever becomes of the process. It must not know what the bytes mean.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import BinaryIO

from libs.errors import Unavailable

# Bytes that stay in memory, and that are written to the file at a time. Larger: more memory for each spool.
MEMORY_BYTES = 1024 * 1024
# Bytes of a piece that is read. Smaller pieces cost more calls.
PIECE_BYTES = 256 * 1024


class Spool:
    """`size` is the number of bytes written. File work of the asynchronous methods runs beside the event loop."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self.size = 0

    async def write(self, piece: bytes) -> None:
        """Append; Unavailable("spool_full") when the disk is full."""
        self._memory += piece
        self.size += len(piece)
        if len(self._memory) >= MEMORY_BYTES:
            await self._flush()

    async def seal(self) -> None:
        """Make everything that was written readable."""
        if self._file is not None:
            await self._flush()

    async def fileno(self) -> int:
        """A descriptor at the first byte of all that was written, for a child process. It ends with the spool."""
        file = await self._flush()
        file.seek(0)
        return file.fileno()

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to, not including, `end`. Reads in the calling thread."""
        stop = self.size if end is None else min(end, self.size)
        for at in range(start, stop, PIECE_BYTES):
            yield self._read(at, min(PIECE_BYTES, stop - at))

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces()

    async def stream(self) -> AsyncIterator[bytes]:
        """All bytes, read beside the event loop."""
        for at in range(0, self.size, PIECE_BYTES):
            yield await asyncio.to_thread(self._read, at, PIECE_BYTES)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, at: int, size: int) -> bytes:
        if self._file is None:
            return bytes(self._memory[at : at + size])
        return os.pread(self._file.fileno(), size, at)

    async def _flush(self) -> BinaryIO:
        file = self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        pending, self._memory = self._memory, bytearray()
        try:
            await asyncio.to_thread(_append, file, pending)
        except OSError:
            raise Unavailable(
                "spool_full", "There is no room for this at the moment. Try again.", retry_after=5
            ) from None
        return file


def _append(file: BinaryIO, pending: bytes | bytearray) -> None:
    """Reads go past the file's buffer, so nothing stays in it."""
    file.seek(0, os.SEEK_END)
    file.write(pending)
    file.flush()
