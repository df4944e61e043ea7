"""Memory of a process and all its children: PSS, which counts a shared page once over all that share it.

Reads /proc and nothing else; unknown (another user's process, another system) is None, never a guess.
"""

from __future__ import annotations

import contextlib
from pathlib import Path


def pss_mib(pid: int, children: dict[int, list[int]]) -> float | None:
    """Of the process with all its descendants, in MiB."""
    own = _pss_kib(pid)
    if own is None:
        return None
    below = [pss_mib(child, children) for child in children.get(pid, [])]
    # A child that ended between the two reads counts nothing.
    return own / 1024 + sum(part or 0.0 for part in below)


def children_by_parent() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name stands in parentheses and may hold spaces and parentheses itself, so the last one counts.
            after_name = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
            found.setdefault(int(after_name.split()[1]), []).append(int(folder.name))
    return found


def _pss_kib(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return None
