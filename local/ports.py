"""TCP ports on loopback: find free ones, and name the process that holds a taken one where that can be known.

Reads /proc; must not start or end anything.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

LISTENING = "0A"


def free_ports(count: int) -> list[int]:
    """Ports free at this moment; all sockets stay open until the last is chosen, so that none is given twice."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
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
    return "a process of another user" if inodes else "an unknown process"


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
