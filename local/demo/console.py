"""What the demo shows: numbered steps and what each proved, progress on what takes time, and requests if asked."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

# Characters of a body that are shown: about seven lines of a terminal.
_LONGEST = 600


class StepFailed(Exception):
    """A step did not do what it promises."""


class Console:
    def __init__(self, out: TextIO = sys.stdout, *, verbose: bool = False) -> None:
        """With `verbose` each request is shown with both bodies."""
        self._out = out
        self._verbose = verbose
        self._number = 0
        self._started = time.monotonic()
        self._step_started = self._started

    def step(self, title: str) -> None:
        self._number += 1
        self._step_started = time.monotonic()
        self._write(f"\n{self._bold(f'{self._number}. {title}')}\n")

    def exchange(self, method: str, path: str, body: object, status: int, answer: object) -> None:
        if not self._verbose:
            return
        shown = f" {_short(body)}" if body is not None else ""
        self._write(f"   {method} {path}{shown}\n   → {status} {_short(answer)}\n")

    def say(self, text: str) -> None:
        self._write(f"   {text}\n")

    def progress(self, label: str, percent: int) -> None:
        """One line redrawn on a terminal; elsewhere a line per change."""
        bar = "█" * (percent // 5) + "·" * (20 - percent // 5)
        # A carriage return in a file would put all states on one line.
        end = "\n" if percent >= 100 or not self._out.isatty() else "\r"
        self._write(f"   {bar} {percent:3d} %  {label}{end}")

    def right(self, text: str) -> None:
        self._write(f"   ✓ {text} ({time.monotonic() - self._step_started:.2f} s)\n")

    def check(self, is_right: bool, promise: str, *found: object) -> None:
        """Go on when the promise holds; otherwise end the journey and show what was found."""
        if not is_right:
            raise StepFailed(promise + "".join(f"\n     found: {_short(item)}" for item in found))
        self.right(promise)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def _bold(self, text: str) -> str:
        return f"\033[1m{text}\033[0m" if self._out.isatty() else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(_hidden(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _hidden(value: Any) -> Any:
    """The same without secrets, which must not stay in a terminal's history."""
    if isinstance(value, Mapping):
        return {key: "•••" if _is_secret(key) else _hidden(item) for key, item in value.items()}
    return [_hidden(item) for item in value] if isinstance(value, list) else value


def _is_secret(key: object) -> bool:
    return key in ("password", "secret", "token", "apiKey", "webhookSecret")
