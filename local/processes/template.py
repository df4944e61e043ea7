"""The template process: imports what all of its forks need, then forks once for each order that arrives.

`python -m local.processes.template PARENT CONTROL MODULES`; `local.processes.forking` starts it. A fork is no child of
the template's: it becomes the parent's, so that the parent sees it end and the kernel ends it with the parent. Before
each fork it compares the imported files with what it imported, and begins anew when one was edited. Standard library
only.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from typing import Any

from local.processes.guard import die_with

# Bytes of an order: the names and values of a process's settings, of which secrets are files.
MESSAGE_BYTES = 1 << 18
# Seconds between looks whether the parent has taken the fork over, which is a matter of microseconds.
ADOPTION_SECONDS = 0.0005
# The fields arg_start and arg_end of /proc/<pid>/stat, counted behind the name (man 5 proc).
_ARGUMENTS = slice(45, 47)

Order = dict[str, Any]


def main(parent: int, control_fd: int, modules: str) -> None:
    die_with(parent, signal.SIGKILL)
    for name in modules.split(","):
        # A module that cannot be imported is reported by the process that needs it, in its own log.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    imported = _file_times()
    gc.collect()
    gc.freeze()  # pages that the collector does not touch stay shared
    order = _serve(parent, control_fd, imported)
    if order is not None:
        _become(parent, order)


def _serve(parent: int, control_fd: int, imported: dict[str, int]) -> Order | None:
    """The order in each fork; None in the template, when the parent leaves."""
    control = socket.socket(fileno=control_fd)
    while control.recv(1, socket.MSG_PEEK):
        if _file_times() != imported:
            # The order stays in the socket for the one that has imported the edited files.
            os.set_inheritable(control_fd, True)
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 itself
        order: Order = json.loads(control.recv(MESSAGE_BYTES))
        pid = _fork_for(parent)
        if pid == 0:
            control.close()
            return order
        control.send(str(pid).encode())
    return None


def _fork_for(parent: int) -> int:
    """As os.fork, and the fork is a child of `parent`, which is a subreaper meanwhile: the process between the two
    ends, and what it leaves behind falls to the nearest subreaper above it."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        between, pid = os.getpid(), os.fork()
        if pid:
            os.write(writing, str(pid).encode())
            os._exit(0)
        os.closerange(reading, writing + 1)
        while os.getppid() == between:
            time.sleep(ADOPTION_SECONDS)
        return 0
    os.close(writing)
    os.waitpid(between, 0)
    with open(reading, "rb") as answer:
        return int(answer.read())


def _become(parent: int, order: Order) -> None:
    """Run a module as `python -m` does, with its own session, log, environment and name. What it raises ends the
    process as usual."""
    os.setsid()
    die_with(parent, order["death_signal"])
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    module, *arguments = order["module"]
    _show_as([sys.executable, "-m", module, *arguments])
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _show_as(words: list[str]) -> None:
    """What `ps` shows: the arguments lie in memory, where the template has left room for longer ones."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        start, end = (int(number) for number in file.read().rpartition(")")[2].split()[_ARGUMENTS])
    text = b"\0".join(word.encode() for word in words)
    if start and len(text) < end - start:
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


def _file_times() -> dict[str, int]:
    """Of every imported file; a file that is gone has none."""
    times = {}
    for module in tuple(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file:
            with contextlib.suppress(OSError):
                times[file] = os.stat(file).st_mtime_ns
    return times


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
