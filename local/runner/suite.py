"""A separate suite for a test, a bench or a fault run: own folder, free ports. It ends with the process that started
it.

    with Suite(folder, scale="gateway=2") as suite: httpx.get(suite.url + "/health")

The same runner as `make up`; knows only what run.json and credentials.json tell.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.paths import ROOT
from local.processes.process import Child, Command
from local.runner.folder import Folder, is_alive
from local.stores import tail

# Seconds until a suite of a test is ready: several may start at once on 2 cores.
START_SECONDS = 120.0


class SuiteFailed(RuntimeError):
    """The suite did not start or a process did not come back; the message carries what the runner said."""


class Suite:
    """`environment` reaches the runner as a caller's environment does: LIMITS, LOG_LEVEL, DRAIN_SECONDS, …; `tree` is
    the checkout whose code runs."""

    def __init__(
        self, folder: Path, scale: str = "", environment: Mapping[str, str] | None = None, tree: Path = ROOT
    ) -> None:
        self.folder = Folder(folder)
        arguments = ["daemon", "--var", str(self.folder.path), "--free-ports", "--scale", scale]
        self._runner = Child(
            Command(
                name="runner",
                argv=[sys.executable, "-m", "local", *arguments],
                log=self.folder.log("runner"),
                environment=dict(environment or {}),
                cwd=tree,
                # Not SIGKILL: the runner stops its stores in order, so that a killed test leaves clean data.
                death_signal=signal.SIGTERM,
            )
        )

    def start(self) -> Self:
        self._runner.start()
        self._wait("the suite", self._is_ready, START_SECONDS)
        return self

    def _is_ready(self) -> bool:
        """An older run.json of the same folder names another runner."""
        document = self.run
        return document.get("state") == "ready" and document.get("pid") == self._runner.pid

    def stop(self) -> None:
        self._runner.stop(60.0)

    @property
    def run(self) -> dict[str, Any]:
        """run.json as it is now."""
        return self.folder.read_run()

    @property
    def credentials(self) -> dict[str, str]:
        return self.folder.read_credentials()

    @property
    def url(self) -> str:
        return self.credentials["url"]

    @property
    def api_key(self) -> str:
        return self.credentials["apiKey"]

    def process(self, name: str) -> dict[str, Any]:
        """The entry of run.json by process name: `agent`, `agent-worker`, `gateway-1`."""
        return next(entry for entry in self.run["processes"] if entry["name"] == name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal to a process or store; its pid."""
        pid = int((self.run["stores"].get(name) or self.process(name))["pid"])
        os.kill(pid, number)
        return pid

    def wait_restarted(self, name: str, old_pid: int, seconds: float = 30.0) -> float:
        """Seconds until another process of that name is ready."""
        started = time.monotonic()

        def is_back() -> bool:
            entry = self.process(name)
            return entry["state"] == "ready" and entry["pid"] not in (None, old_pid) and is_alive(entry["pid"])

        self._wait(name, is_back, seconds)
        return time.monotonic() - started

    def _wait(self, what: str, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if not self._runner.running or time.monotonic() > deadline:
                raise SuiteFailed(f"{what} is not ready:\n{tail(self.folder.log('runner'), 40)}")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
