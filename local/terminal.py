"""Words for a person: one line to standard output, or to standard error with the exit code of a failure."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 the reader has closed the pipe


def fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1
