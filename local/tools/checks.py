"""`make check`: everything that must pass before a change lands, fastest first; stops at the first stage that fails.

Each stage is a command whose output is shown only when it fails, except the tests', which always show their last line.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.paths import ROOT
from local.terminal import say

BIN = Path(sys.prefix) / "bin"
LEAVE_SECONDS = 5.0


@dataclass(frozen=True)
class Stage:
    """One command, run at the project's root."""

    name: str
    command: Sequence[str]
    is_test: bool = False


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def _tests(kind: str) -> Stage:
    return Stage(kind, (sys.executable, "-m", "pytest", "-q", "-ra", f"tests/{kind}"), is_test=True)


LINT = (
    Stage("ruff check", _tool("ruff", "check", "--quiet", ".")),
    Stage("ruff format", _tool("ruff", "format", "--quiet", "--check", ".")),
    Stage("buf lint", _tool("buf", "lint")),
    Stage("buf format", _tool("buf", "format", "--diff", "--exit-code")),
    Stage("import contracts", _tool("lint-imports", "--no-cache")),
)
TYPES = (Stage("mypy", _tool("mypy")),)
TESTS = tuple(_tests(kind) for kind in ("contract", "unit", "manifests", "integration", "security", "e2e", "faults"))
ALL = (*LINT, *TYPES, *TESTS)
NAMED = {"lint": LINT, "types": TYPES, "test": TESTS, "security": (_tests("security"),), "check": ALL}


def run(stages: Sequence[Stage]) -> int:
    """0 when every stage passed."""
    started = time.monotonic()
    for stage in stages:
        if stage.is_test and not any((ROOT / stage.command[-1]).glob("**/test_*.py")):
            continue
        code = _run_stage(stage)
        if code != 0:
            say(f"check: FAILED at {stage.name} after {time.monotonic() - started:.0f} s")
            return 1
    say(f"check: all {len(stages)} stages passed in {time.monotonic() - started:.0f} s")
    return 0


def _run_stage(stage: Stage) -> int:
    started = time.monotonic()
    folder = tempfile.mkdtemp(prefix="echosenseix-check-")
    try:
        with (Path(folder) / "output").open("wb+") as output:  # a pipe would wait for whoever was left behind
            answer = subprocess.run(  # noqa: S603 our own tools
                stage.command,
                cwd=ROOT,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=None if stage.is_test else output,
                stderr=None if stage.is_test else subprocess.STDOUT,
                check=False,
            )
            output.seek(0)
            said = output.read().decode(errors="replace").rstrip()
        left = _left_behind(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if answer.returncode != 0 and said:
        say(said)
    verdict = "ok" if answer.returncode == 0 else f"FAILED ({answer.returncode})"
    if left:
        verdict = f"FAILED, it left processes behind: {', '.join(left)}"
    say(f"· {stage.name}: {verdict} in {time.monotonic() - started:.1f} s")
    return answer.returncode or len(left)


def _left_behind(folder: str) -> list[str]:
    """Processes that still carry the stage's own TMPDIR, after a moment to end."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while (left := _carrying(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _carrying(folder: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found.append(f"{process.name} ({words[:80]})")
    return found


def _environment(folder: str) -> dict[str, str]:
    """The caller's, less what would point the tests at other stores; temporary files go where we throw them away."""
    taken_out = ("DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "NATS_URL", "SCALE", "LIMITS", "SERVICE")
    kept = {name: value for name, value in os.environ.items() if name not in taken_out}
    return kept | {"TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": ""}
