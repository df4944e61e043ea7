"""Processes of the bench and what they cost: CPU seconds of the stores' process trees, JSON lines of ours."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, its living descendants, and those that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    own = sum(int(fields[at]) for at in (11, 12, 13, 14)) / _TICKS
    return own + sum(cpu_of(int(child)) for child in _children(pid))


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return []


class Role:
    """A worker or producer process that says JSON lines."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], cwd: Path = ROOT) -> None:
        self._process = subprocess.Popen(
            argv, env={**os.environ, **environment}, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def say(self) -> dict[str, Any]:
        """The next line that the process says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the bench ended with status {self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> None:
        self._process.wait(60)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
