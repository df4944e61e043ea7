"""A file on its way, with its progress told."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

# Told after each piece: bytes sent, bytes in all.
Progress = Callable[[int, int], None]
# A path, an open binary file that can seek, or the bytes themselves.
Source = str | os.PathLike[str] | IO[bytes] | bytes


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], progress: Progress | None) -> None:
        self._file = file
        self._progress = progress
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        if self._progress is not None and piece:
            self._progress(self._file.tell(), self.size)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def upload_form(
    field: str, source: Source, file_name: str | None, fields: Mapping[str, Any], progress: Progress | None
) -> tuple[Callable[[], dict[str, Any]], Callable[[], None]]:
    """What makes the form for each attempt, and what closes the file afterwards."""
    file: IO[bytes]
    if isinstance(source, bytes):
        file, name, close = io.BytesIO(source), "document", lambda: None
    elif isinstance(source, (str, os.PathLike)):
        file = Path(source).open("rb")  # noqa: SIM115  the second function that is returned closes it
        name, close = Path(source).name, file.close
    else:
        file, name, close = source, Path(str(getattr(source, "name", "document"))).name, lambda: None
    sent = {key: value for key, value in fields.items() if value is not None}

    def form() -> dict[str, Any]:
        return {"files": {field: (file_name or name, _Counted(file, progress))}, "data": sent}

    return form, close
