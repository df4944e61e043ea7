"""Processes forked from a template that has imported what they share: they start sooner and share its memory.

The parent's side of `local.processes.template`. A fork is a child of this process like any other. Linux only; where no
template can be had, `fork` answers None and the caller starts a program. Why: docs/adr/0047-a-template-for-services.md.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.processes.template import MESSAGE_BYTES

# A number of the kernel's interface (linux/prctl.h).
_PR_SET_CHILD_SUBREAPER = 36
# Seconds for a template to answer, its imports included: 0.5 s of CPU on a machine that may be busy.
_ANSWER_SECONDS = 30.0
# Bytes that a template leaves for the arguments that `ps` shows of a fork.
_ROOM = 200


class Forked:
    """A fork; the same words as subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._turn = threading.Lock()

    def poll(self) -> int | None:
        with self._turn:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout)
            self._until_ended(left)
        assert self.returncode is not None  # noqa: S101 poll has answered it
        return self.returncode

    def _until_ended(self, seconds: float) -> None:
        # Another thread may have collected it just now.
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(self.pid)
            try:
                select.select([pidfd], [], [], seconds)
            finally:
                os.close(pidfd)

    def send_signal(self, number: int) -> None:
        # Not collected yet, so the number is still its own.
        with self._turn:
            if self.returncode is None:
                os.kill(self.pid, number)


class Template:
    """One template, started at once; its imports go on beside what the caller does next."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_ANSWER_SECONDS)
        command = [
            sys.executable, "-m", "local.processes.template", str(os.getpid()), str(theirs.fileno()),
            ",".join(modules), "-" * _ROOM,
        ]  # fmt: skip
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 ourselves
                command, pass_fds=[theirs.fileno()], cwd=cwd, env=dict(environment), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    def fork(
        self, module: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path, death_signal: int
    ) -> Forked | None:
        """A process that runs the module with its arguments; None when the template is gone or does not answer."""
        order = {
            "module": list(module), "log": str(log), "environment": dict(environment), "cwd": str(cwd),
            "death_signal": int(death_signal),
        }  # fmt: skip
        message = json.dumps(order).encode()
        if len(message) > MESSAGE_BYTES:
            return None
        with contextlib.suppress(OSError), _subreaper():
            self._control.send(message)
            if answer := self._control.recv(32):
                return Forked(int(answer))
        # What would come late must not be taken for the answer to another order.
        self.close()
        return None

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _subreaper() -> Iterator[None]:
    """Children of our descendants that end become ours, for as long as a fork takes and no longer: the orphans of
    other programs are not ours to collect."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
