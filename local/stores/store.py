"""One embedded server: its process, its address, and the question that tells whether it answers.

Knows neither PostgreSQL nor Valkey nor NATS: a module of this room makes each of them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from local.processes.process import Child, Command

# Seconds for a server to answer: recovery of a large log after kill -9 takes the longest.
START_SECONDS = 60.0


class StoreFailed(RuntimeError):
    """A store did not come up; the message carries the end of its log."""


class Store:
    """One server: its process, where it answers, and how to tell that it does."""

    def __init__(self, command: Command, url: str, data: Path, ready: Callable[[], bool]) -> None:
        self.child = Child(command)
        self.name = command.name
        self.url = url
        self.data = data
        self.ready = ready

    @property
    def pid(self) -> int | None:
        return self.child.pid

    def launch(self) -> None:
        self.child.start()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Until it answers; a server that ends meanwhile is started again (after kill -9 its old lock lives ~2 s)."""
        deadline = time.monotonic() + seconds
        while not self.ready():
            if time.monotonic() > deadline:
                raise StoreFailed(f"{self.name} is not ready after {seconds:.0f} s:\n{tail(self.child.command.log)}")
            if not self.child.running:
                time.sleep(0.3)
                self.child.start()
            time.sleep(0.01)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def pause(self) -> None:
        self.child.pause()

    def resume(self) -> None:
        self.child.resume()


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StoreFailed(f"The package {name} is not installed: run `python3 -m local up`, which installs it.")
    return Path(spec.origin).parent


def write_private(file: Path, text: str) -> None:
    """Replace the file in one step; readable by the owner alone from its first byte."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    fresh.replace(file)


def kept_password(file: Path) -> str:
    """A password made once for this folder, readable by the owner alone."""
    if not file.exists():
        write_private(file, secrets.token_hex(16))
    return file.read_text(encoding="ascii")


def tail(log: Path, lines: int = 20) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return "(no log)"
