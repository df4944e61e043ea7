"""Every process of the suite killed at random instants under acknowledged writes, and NATS's store lost meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.faults.suite import kill_processes


async def test_killing_every_kind_of_process_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = await kill_processes(tmp_path, kills=20, writes=600, rate=20.0, seed=7)
    assert outcome.problems == [], outcome.line()
    assert outcome.figures["acknowledged"] > 100
