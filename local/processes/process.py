"""One child process of the local stack: started through `guard`, stopped by signal, its output appended to one file.

Owns a pid and nothing else; what to start, when to restart and whether it is healthy is decided by its callers.
Start children from a thread that lives as long as they shall: the kernel's death signal follows the starting thread.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.processes.forking import Forked, Template

GUARD = Path(__file__).with_name("guard.py")
# Bytes of one log before it is turned over at a start: with one older generation at most 40 MiB a process.
LOG_LIMIT = 20 * 1024 * 1024


@dataclass(frozen=True)
class Command:
    """What to run: a name for people, the program, its environment, and the signal that asks it to end."""

    name: str
    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what the kernel sends when our own process dies
    never_root: bool = False
    cwd: Path | None = None


def inherited_environment() -> dict[str, str]:
    """The few variables of our own environment that a child may see; settings reach it only by name."""
    # A variable of the caller's shell, such as a proxy or PYTHONPATH, would change what runs.
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in kept if name in os.environ}


class Child:
    """A running (or ended) process made from a Command."""

    def __init__(self, command: Command, template: Template | None = None) -> None:
        """With a template the command is `python -m MODULE …`, and starts as a fork of it where that can be."""
        self.command = command
        self._template = template
        self._popen: subprocess.Popen[bytes] | Forked | None = None
        self.started_at = 0.0

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self.running and self._popen else None

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll() if self._popen else None

    def start(self) -> None:
        if self.running:
            return
        command = self.command
        command.log.parent.mkdir(parents=True, exist_ok=True)
        _turn_over(command.log)
        self._popen = self._fork() or self._execute()
        self.started_at = time.monotonic()

    def _fork(self) -> Forked | None:
        command = self.command
        if self._template is None or command.cwd is None:
            return None
        # Made here, as for a program: in a fork the umask and the user could be others.
        command.log.touch()
        environment = {**inherited_environment(), **command.environment}
        return self._template.fork(command.argv[2:], command.log, environment, command.cwd, command.death_signal)

    def _execute(self) -> subprocess.Popen[bytes]:
        command = self.command
        # Only root needs the namespace: an ordinary user may start PostgreSQL as itself.
        as_nobody = "nobody" if command.never_root and os.geteuid() == 0 else "self"
        # -I and -S skip site-packages and the environment: the guard starts in half the time.
        guarded = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), str(int(command.death_signal)), as_nobody]
        with command.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 the programs are ours, from wheels
                [*guarded, *command.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**inherited_environment(), **command.environment},
                cwd=command.cwd,
                # Ctrl-C in a terminal reaches the runner alone, which stops the others in order.
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        if self.running and self._popen is not None:
            self._popen.send_signal(number)

    def ask_to_stop(self) -> None:
        self.signal(self.command.stop_signal)

    def wait(self, seconds: float) -> bool:
        """True when the process has ended within the time."""
        if self._popen is None:
            return True
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, seconds: float = 10.0) -> None:
        """Ask, wait, and end it by force when it does not listen."""
        self.ask_to_stop()
        if not self.wait(seconds):
            self.kill()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait(5.0)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)


def _turn_over(log: Path) -> None:
    """Keep one older generation, so that a machine that runs for weeks does not fill its disk with our logs."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(log.suffix + ".1"))
