"""How a process starts, obeys and ends: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

CANARY = "canary-Zq7x9Lm2Kp4R"
ENVIRONMENT = {
    "PYTHONPATH": ".",
    "DATABASE_URL": f"postgres://u:{CANARY}@127.0.0.1:1/x",
    "DATABASE_SYSTEM_URL": f"postgres://u:{CANARY}@127.0.0.1:1/x",
    "DRAIN_SECONDS": "1",
    "INSTANCE": "example-1",
}


class Running:
    def __init__(self, command: str, behavior: str, environment: dict[str, str]) -> None:
        script = str(Path(__file__).with_name("process.py"))
        self.process = subprocess.Popen(
            [sys.executable, script, command, behavior],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT, **environment},
            text=True,
        )
        self.lines: list[str] = []

    def until(self, text: str) -> str:
        """The first line that holds the text; all lines before it are kept."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return line
        raise AssertionError(f"{text!r} never came: {self.lines}")

    def ready(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.until('"message": "ready"'))
        return fields

    def end(self, seconds: float = 10) -> int:
        assert self.process.stdout is not None
        self.lines += [line.rstrip() for line in self.process.stdout]
        return self.process.wait(seconds)


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def run(command: str = "work", behavior: str = "quiet", **environment: str) -> Running:
        running.append(Running(command, behavior, environment))
        return running[-1]

    yield run
    for one in running:
        one.process.kill()
        one.process.wait()
        if one.process.stdout is not None:
            one.process.stdout.close()


def test_a_server_tells_its_addresses_answers_there_and_stops_clean(start: Start) -> None:
    running = start("serve")
    ready = running.ready()
    assert (ready["service"], ready["instance"], ready["role"]) == ("example", "example-1", "example")
    with urlopen(f"http://{ready['addresses']['ops']}/ready", timeout=5) as answer:
        assert json.load(answer) == {"status": "ready", "failing": []}
    with grpc.insecure_channel(ready["addresses"]["grpc"]) as channel:
        grpc.channel_ready_future(channel).result(timeout=5)
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 0
    closed = [line for line in running.lines if line.startswith("closed")]
    assert closed == ["closed second", "closed first"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_stop_a_worker(start: Start, number: signal.Signals) -> None:
    running = start("work")
    assert running.ready()["role"] == "example-worker"
    running.process.send_signal(number)
    assert running.end() == 0


@pytest.mark.parametrize("behavior", ["stubborn", "blocking"])
def test_no_task_can_ignore_a_signal(start: Start, behavior: str) -> None:
    running = start("work", behavior)
    running.ready()
    time.sleep(0.3)  # the fault must have begun
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 3  # the code of a process that did not wait for its tasks


def test_a_second_signal_ends_at_once(start: Start) -> None:
    running = start("work", "blocking", DRAIN_SECONDS="30")
    running.ready()
    deadline = time.monotonic() + 15  # half the time that the first signal alone would take
    while running.process.poll() is None and time.monotonic() < deadline:
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.05)  # two that come at once are one to the kernel
    assert running.process.poll() is not None
    assert running.end() == 128 + signal.SIGTERM


def test_a_signal_during_start_is_obeyed(start: Start) -> None:
    running = start("work", "slow-start")
    ops = None
    deadline = time.monotonic() + 10
    while ops is None and time.monotonic() < deadline:
        ops = _handles_term(running.process.pid) or None
        time.sleep(0.02)
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 0
    assert not any('"ready"' in line for line in running.lines)


def _handles_term(pid: int) -> bool:
    """Whether the process has installed a handler (the kernel knows)."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


@pytest.mark.parametrize("behavior", ["failing", "ending", "failed-start"])
def test_what_fails_ends_the_process_with_one(start: Start, behavior: str) -> None:
    running = start("work", behavior)
    assert running.end() == 1
    assert CANARY not in "\n".join(running.lines)
    assert "closed first" in running.lines


def test_a_failure_outside_the_loop_is_told_without_secrets(start: Start) -> None:
    admin = f"postgres://u:{CANARY}@127.0.0.1:1/x"
    running = start("migrate", DATABASE_ADMIN_URL=admin, MIGRATE_PATIENCE_SECONDS="0")
    assert running.end() == 1
    assert CANARY not in "\n".join(running.lines)
    assert json.loads(running.lines[-1])["message"] == "example failed"


def test_a_failed_start_ends_although_a_task_clings(start: Start) -> None:
    assert start("work", "failed-stubborn").end() == 3


def test_a_process_that_cannot_be_configured_says_every_reason(start: Start) -> None:
    running = start("serve", DATABASE_URL="", POOL_MAX="many")
    assert running.end() == 2
    assert running.lines == [
        "example: DATABASE_URL is required by this command (DSN of the <svc>_app role)",
        "example: POOL_MAX must be a whole number",
    ]


def test_an_unknown_command_names_the_known(start: Start) -> None:
    running = start("dance")
    assert running.end() == 2
    assert running.lines == ["usage: python -m services.example serve|work|migrate|migrated"]


def test_a_process_starts_fast_and_small(start: Start) -> None:
    running = start("serve")
    running.ready()
    fields = Path(f"/proc/{running.process.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    rollup = Path(f"/proc/{running.process.pid}/smaps_rollup").read_text("ascii")
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
    assert cpu < 1.5
    assert pss < 60
