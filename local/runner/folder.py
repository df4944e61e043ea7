"""The files by which the commands and other programs know what runs: var/run.json, credentials.json, and one lock.

`var/run.json` is rewritten whenever a pid or a state changes; both files are readable by their owner alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from local.stores import write_private


class AlreadyRunning(RuntimeError):
    """Another runner holds this folder."""


class Folder:
    """The files of one installation; `var/` unless a caller names another."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.run_file = self.path / "run.json"
        self.credentials_file = self.path / "credentials.json"
        self.keys_file = _keys_folder(self.path) / "keys.json"
        self.logs = self.path / "log"
        self._lock_file = self.path / "lock"
        self._held: IO[str] | None = None

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def write_run(self, document: dict[str, Any]) -> None:
        write_private(self.run_file, json.dumps(document, indent=2) + "\n")

    def read_run(self) -> dict[str, Any]:
        return _read(self.run_file)

    def read_credentials(self) -> dict[str, Any]:
        return _read(self.credentials_file)

    def is_running(self) -> bool:
        """True while a runner lives: the lock falls with its process, whatever ended it."""
        try:
            with self.held():
                return False
        except AlreadyRunning:
            return True

    def runner_pid(self) -> int:
        """0 when none runs."""
        return int(self.read_run().get("pid") or 0) if self.is_running() else 0

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock_file.open("a", encoding="ascii") as lock:
            _lock(lock)
            # The open file is kept: its link count tells when the folder is deleted.
            self._held = lock
            yield
            self._held = None

    def is_gone(self) -> bool:
        """True when the held folder was deleted: no command could find this runner by it any more."""
        return self._held is not None and os.fstat(self._held.fileno()).st_nlink == 0


def _keys_folder(path: Path) -> Path:
    """ECHOSENSEIX_SECRETS keeps the secrets elsewhere, so that several checkouts of one database share them."""
    elsewhere = os.environ.get("ECHOSENSEIX_SECRETS", "")
    return Path(elsewhere).expanduser().resolve() if elsewhere else path / "secrets"


def _lock(file: IO[str]) -> None:
    try:
        # A lock of the kernel and no pid file: it ends with its process, also after kill -9.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise AlreadyRunning("The suite already runs from this folder.") from None


def _read(file: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return document
    return {}


def is_alive(pid: int) -> bool:
    """A process that has ended but was not yet collected by its parent is not alive."""
    with contextlib.suppress(OSError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # With /proc, a pid that it does not list has ended; without it (macOS), signal 0 asks the kernel.
    if Path("/proc/self").exists():
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
