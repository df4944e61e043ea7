"""The stages of `make check`: a failure is shown and stops, and a process left behind is a failure."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from local.paths import ROOT
from local.tools import checks
from local.tools.checks import Stage, run

LEAVES = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], stdout=subprocess.DEVNULL)
open(sys.argv[1], "w").write(str(child.pid))
"""


def stage(name: str, program: str) -> Stage:
    return Stage(name, (sys.executable, "-c", program))


def test_all_stages_pass(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([[stage("one", "pass")], [stage("two", "pass")]]) == 0
    assert "all 2 stages passed" in capfd.readouterr().out


def test_the_first_failure_is_shown_and_stops(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([[stage("one", "raise SystemExit('this is wrong')")], [stage("two", "print('never')")]]) == 1
    said = capfd.readouterr().out
    assert "this is wrong" in said
    assert "FAILED at one" in said
    assert "never" not in said


def test_a_table_shows_what_each_stage_took(capfd: pytest.CaptureFixture[str]) -> None:
    run([[stage("good", "pass"), stage("bad", "raise SystemExit(3)")], [stage("later", "pass")]])
    rows = [line.split() for line in capfd.readouterr().out.splitlines() if line.startswith("    ")]
    assert [(row[0], row[1], row[3:]) for row in rows] == [
        ("1", "good", ["ok"]),
        ("1", "bad", ["FAILED", "(3)"]),
        ("2", "later", ["not", "run"]),
    ]
    assert [row[2] == "-" for row in rows] == [False, False, True]


def test_the_stages_of_a_round_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the file that the other writes, so that one after the other would never end."""
    meet = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
for _ in range(3_000):
    if other.exists():
        sys.exit(0)
    time.sleep(0.01)
sys.exit(1)
"""
    left, right = str(tmp_path / "left"), str(tmp_path / "right")
    pair = [
        Stage("left", (sys.executable, "-c", meet, left, right)),
        Stage("right", (sys.executable, "-c", meet, right, left)),
    ]
    assert run([pair]) == 0


def test_a_process_left_behind_fails_the_stage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    note = tmp_path / "pid"
    assert run([[Stage("messy", (sys.executable, "-c", LEAVES, str(note)))]]) == 1
    os.kill(int(note.read_text()), signal.SIGKILL)
    assert "left processes behind" in capfd.readouterr().out


def test_the_callers_stores_do_not_reach_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    assert run([[stage("ask", "import os; raise SystemExit(int('DATABASE_URL' in os.environ))")]]) == 0


def test_every_test_belongs_to_exactly_one_stage() -> None:
    commands = [stage.command for stages in checks.TESTS for stage in stages]
    for test in (ROOT / "tests").glob("**/test_*.py"):
        path = test.relative_to(ROOT)
        owners = [one for one in commands if _names(one, path, "") and not _names(one, path, "--ignore=")]
        assert len(owners) == 1, (path, owners)


def _names(command: Sequence[str], test: Path, option: str) -> bool:
    """Whether the command has the option (empty: an argument alone) for a file or a folder of the test."""
    said = [part.removeprefix(option) for part in command if part.startswith(f"{option}tests/")]
    return any(test.is_relative_to(path) for path in said)
