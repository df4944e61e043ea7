"""`make logs` and the stream of `make dev`: the lines of the processes' log files, each with its process's name.

Only reads; the processes write their files themselves.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from local.runner.folder import Folder
from suite.services import process_names

# Lines of each log. A person reads the end, and there is a log for each process.
LAST_LINES = 40
# Bytes read from the end of each log, enough for 40 of the longest lines.
LAST_BYTES = 64 * 1024


def show(folder: Folder, named: str, follow: bool) -> int:
    files = matching(folder, named)
    if not files:
        known = ", ".join(sorted(path.stem for path in folder.logs.glob("*.log"))) or "none yet"
        sys.stderr.write(f'No log of "{named}"; there are: {known}.\n' if named else "There are no logs yet.\n")
        return 1
    for file in files:
        _write(f"{file.stem} | {line}" for line in last_lines(file))
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for lines in Followed(folder, named).forever():
                _write(lines)
    return 0


def matching(folder: Folder, named: str) -> list[Path]:
    """`agent` means the service, its workers and its further instances; a full process name means that one."""
    named = process_names(named)
    files = sorted(folder.logs.glob("*.log"))
    return [file for file in files if named in ("", file.stem) or file.stem.startswith(f"{named}-")]


def last_lines(file: Path) -> list[str]:
    with file.open("rb") as log:
        log.seek(max(0, os.fstat(log.fileno()).st_size - LAST_BYTES))
        return log.read().decode(errors="replace").splitlines()[-LAST_LINES:]


class Followed:
    """The new whole lines of all logs since the last look; files that appear or are turned over are noticed."""

    def __init__(self, folder: Folder, named: str = "") -> None:
        self.folder = folder
        self.named = named
        self.read_to = {file: file.stat().st_size for file in matching(folder, named)}

    def new_lines(self) -> list[str]:
        found: list[str] = []
        for file in matching(self.folder, self.named):
            start = self.read_to.get(file, 0)
            size = file.stat().st_size
            with file.open("rb") as log:
                # A smaller file is a new one: the log was turned over.
                log.seek(start if size >= start else 0)
                # A line that is still being written is shown once it is whole.
                whole = log.read().rpartition(b"\n")
                self.read_to[file] = log.tell() - len(whole[2])
            found += [f"{file.stem} | {line}" for line in whole[0].decode(errors="replace").splitlines()]
        return found

    def forever(self) -> Iterator[list[str]]:
        while True:
            yield self.new_lines()
            time.sleep(0.3)


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
