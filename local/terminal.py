"""Words for a person: one line to standard output, or to standard error with the exit code of a failure.

Standard library only: the commands use it before they have an environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

# 128 + SIGINT, as shells count a command that Ctrl-C ended.
INTERRUPTED = 130


def say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_writing()


def fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


def run(command: Callable[[], object]) -> None:
    """Run a command's main and exit. What the machine refuses (a folder that cannot be written, a full disk) is told in
    a sentence, and a reader that leaves early ends the command; a defect still shows itself whole."""
    try:
        command()
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_writing()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        sys.exit(f"{what}{error.strerror or error}")


def _stop_writing() -> None:
    """The reader has closed the pipe. The descriptor itself is replaced, because Python flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
