"""Keeps what a model is made of out of the process's own memory, as far as it is rarely read."""

from __future__ import annotations

import mmap
import tempfile
from typing import Any


class Rows:
    """The rows of a numpy table, out of a file without a name: none stays in memory. Reading costs a page fault a row,
    which is a thousandth of what a model computes with it."""

    def __init__(self, table: Any) -> None:
        """Raises OSError where no file can be written."""
        import numpy

        with tempfile.TemporaryFile(prefix="knowledge-") as file:
            file.write(table.data)
            file.flush()
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._table = numpy.frombuffer(self._content, table.dtype).reshape(table.shape)

    def __getitem__(self, rows: Any) -> Any:
        """A copy of the rows with these numbers."""
        found = self._table[rows]
        forget(self._content)
        return found


def forget(content: mmap.mmap) -> None:
    """Takes the pages of a mapped file out of this process; they are mapped again when they are read."""
    content.madvise(mmap.MADV_DONTNEED)
