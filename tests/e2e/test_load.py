"""The load suite's short form runs against the suite: k6, the sampling, the verdict and the report."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.runner.suite import Suite


@pytest.mark.parametrize("scenario", ["baseline", "sockets"])
def test_a_short_run_prints_a_verdict_and_writes_a_report(suite: Suite, scenario: str) -> None:
    var = suite.folder.path
    answer = subprocess.run(
        [sys.executable, "-m", "bench.load", scenario, "--factor", "0.02", "--sockets", "20", "--var", str(var)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "paper" in answer.stdout, answer.stdout + answer.stderr
    assert "0 broken" in answer.stdout or "broken: 0" in answer.stdout, answer.stdout
    if scenario == "sockets":
        assert "20 of 20 sockets connected" in answer.stdout, answer.stdout
        assert "heard 100 of 100 messages" in answer.stdout, answer.stdout
    reports = list((var / "load").glob(f"{scenario}-*.html"))
    assert len(reports) == 1
    report = reports[0].read_text(encoding="utf-8")
    # A busy machine may take one sample in the time of this short run; it draws nothing.
    assert "<h2>Verdict</h2>" in report
    assert "<polyline" in report or "too short for charts" in report
