"""The stages of `make check`: a failure is shown and stops, and a process left behind is a failure."""

from __future__ import annotations

import os
import signal
import sys
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
    assert run([stage("one", "pass"), stage("two", "pass")]) == 0
    assert "all 2 stages passed" in capfd.readouterr().out


def test_the_first_failure_is_shown_and_stops(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([stage("one", "raise SystemExit('this is wrong')"), stage("two", "print('never')")]) == 1
    said = capfd.readouterr().out
    assert "this is wrong" in said
    assert "FAILED at one" in said
    assert "two" not in said


def test_a_process_left_behind_fails_the_stage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    note = tmp_path / "pid"
    assert run([Stage("messy", (sys.executable, "-c", LEAVES, str(note)))]) == 1
    os.kill(int(note.read_text()), signal.SIGKILL)
    assert "left processes behind" in capfd.readouterr().out


def test_the_callers_stores_do_not_reach_the_tests(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    assert run([stage("ask", "import os; raise SystemExit(int('DATABASE_URL' in os.environ))")]) == 0


def test_every_kind_of_test_is_a_stage() -> None:
    kinds = {path.name for path in (ROOT / "tests").glob("*") if any(path.glob("**/test_*.py"))}
    assert kinds <= {stage.name for stage in checks.TESTS}
