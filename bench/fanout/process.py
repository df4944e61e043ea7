"""A process of a bench that is asked and told by lines of JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.paths import ROOT


class Process:
    """A process that answers each line with a line."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
        self._process: subprocess.Popen[str] = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=cwd, text=True
        )
        self.pid = self._process.pid

    def tell(self, **act: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(act) + "\n")
        self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a process of the bench ended with status {self._process.wait()}")
        return line

    def ask(self, **act: Any) -> Any:
        self.tell(**act)
        return json.loads(self.line())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
