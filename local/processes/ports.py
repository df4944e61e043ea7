"""TCP ports on loopback: find free ones, and name the process that holds a taken one where that can be known.

Reads /proc; must not start or end anything.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

# TCP_LISTEN in the column `st` of /proc/net/tcp.
LISTENING = "0A"
SEARCHED = range(12_000, 32_000)  # below the kernel's ephemeral ports, which outgoing connections take at any time


class PortTaken(RuntimeError):
    """A fixed port is in use; the message says which, for what, and by whom."""


def free_ports(count: int) -> list[int]:
    """Different ports, free at this moment, from a random place so that parallel runs rarely meet."""
    start = random.choice(SEARCHED)  # noqa: S311 not a secret
    # Around the whole range from a random start: two runs that begin at once rarely try the same ports.
    around = (*range(start, SEARCHED.stop), *range(SEARCHED.start, start))
    search = (port for port in around if is_free(port))
    return [next(search) for _ in range(count)]


def fixed_ports() -> Callable[[int], int]:
    """A chooser that keeps every port as planned; those planned as 0 are the next free ones above 7600."""
    extra = _upwards(7600)
    return lambda planned: planned or next(extra)


def any_ports() -> Callable[[int], int]:
    """A chooser that replaces every planned port by a free one, so that suites run side by side."""
    extra = _upwards(random.choice(SEARCHED))  # noqa: S311 not a secret
    return lambda _planned: next(extra)


def require_free(port: int, purpose: str) -> None:
    if not is_free(port):
        raise PortTaken(
            f"Port {port}, which {purpose} needs, is held by {holder(port)}. "
            "Stop it, or take other ports: `python3 -m local up --free-ports`."
        )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port in TIME_WAIT is free for a server, which sets the same option.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """`pid 123 (nginx: master)` of the listener, or why it cannot be told."""
    inodes = _listening_inodes(port)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(entry) in inodes for entry in (folder / "fd").iterdir()):
                return f"pid {folder.name} ({_command_line(folder)})"
    # /proc shows the sockets of all processes, but the open files of our own processes only.
    return "a process of another user" if inodes else "an unknown process"


def _upwards(start: int) -> Iterator[int]:
    # Lazy: a port is probed when it is asked for, after the ones before it were given away.
    return (port for port in range(start, 65_000) if is_free(port))


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as lines:
            for line in list(lines)[1:]:
                columns = line.split()
                if columns[3] == LISTENING and int(columns[1].rsplit(":", 1)[1], 16) == port:
                    found.add(f"socket:[{columns[9]}]")
    return found


def _command_line(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return words[:100] or (folder / "comm").read_text(encoding="utf-8").strip()
