"""What `make ops` shows and does, on a running suite."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.suite import Suite


def ops(suite: Suite, *arguments: str) -> str:
    """The output of one command; fails with what it said."""
    command = [sys.executable, "-m", "local.ops", "--var", str(suite.folder.path), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_view_shows_queues_connections_hits_and_redis(suite: Suite) -> None:
    shown = ops(suite, "--once")
    for word in ("knowledge/documents", "realtime/webhooks", "agent_system", "HIT_PERCENT", "USED_MEMORY_HUMAN"):
        assert word in shown


def test_a_queue_is_paused_and_resumed(suite: Suite) -> None:
    assert "realtime/mail (paused)" in ops(suite, "pause", "realtime", "mail")
    assert "realtime/mail (paused)" in ops(suite, "queues")
    assert "(paused)" not in ops(suite, "resume", "realtime", "mail")


@pytest.mark.parametrize(
    ("command", "word"), [("pool", "ROLE"), ("slow", "MEAN_MS"), ("tables", "SIZE"), ("redis", "EVICTED_KEYS")]
)
def test_the_papers_monitoring_commands(suite: Suite, command: str, word: str) -> None:
    arguments = [command, "--ms", "0"] if command == "slow" else [command]
    assert word in ops(suite, *arguments)


def test_replay_says_how_many(suite: Suite) -> None:
    assert ops(suite, "replay", "realtime", "mail") == "0 dead letters of realtime/mail run again.\n"
