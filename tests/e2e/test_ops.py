"""What `make ops` shows and does, on a running suite."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS

from .conftest import Customer


def ops(suite: Suite, *arguments: str) -> str:
    """The output of one command; fails with what it said."""
    command = [sys.executable, "-m", "local.ops", "--var", str(suite.folder.path), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_view_shows_queues_connections_hits_and_redis(suite: Suite) -> None:
    shown = ops(suite, "--once")
    for word in (
        "knowledge/documents",
        "realtime/webhooks",
        "agent_system",
        "HIT_PERCENT",
        "USED_MEMORY_HUMAN",
        "Largest tables",
    ):
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


def test_a_failed_job_is_listed_with_everyone_s_and_exactly_it_runs_again(
    suite: Suite, customer: Callable[[], Customer]
) -> None:
    owners = [customer(), customer()]
    failed = [upload_unreadable(owner) for owner in owners]
    listed = ops(suite, "dead", "--service", "knowledge", "--queue", "documents")
    for owner, job_id in zip(owners, failed, strict=True):
        [line] = [line for line in listed.splitlines() if job_id in line]
        for word in ("knowledge/documents", "document.process", owner.organization["id"], "document_corrupt"):
            assert word in line
    assert failed[0] not in ops(suite, "dead", "--queue", "webhooks")
    assert ops(suite, "replay", failed[0]) == "1 dead letters run again.\n"
    until_failed(owners[0], failed[0])
    ran = [owner.http.get(f"/api/jobs/{job_id}").json() for owner, job_id in zip(owners, failed, strict=True)]
    assert [len(job["attempts"]) for job in ran] == [2, 1]
    chosen = ("--queue", "documents", "--error", "nothing_fails_so")
    assert ops(suite, "replay", *chosen) == "0 dead letters run again.\n"


def upload_unreadable(owner: Customer) -> str:
    """The id of a job that fails for good, because its PDF is none inside."""
    sent = {"document": ("broken.pdf", b"%PDF-1.7\nnothing of the kind", "application/pdf")}
    answer = owner.http.post("/api/documents/upload", files=sent)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    until_failed(owner, job_id)
    return job_id


def until_failed(owner: Customer, job_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (job := owner.http.get(f"/api/jobs/{job_id}").json())["state"] != "failed":
        assert time.monotonic() < deadline, job
        time.sleep(0.1)
