"""Code that runs in the sandbox reaches nothing outside: one test per attack, on the real kernel."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from libs.sandbox import Crashed, LimitExceeded, Limits, Sandbox

from . import attacks

PROJECT = Path(__file__).resolve().parents[4]
LIMITS = Limits(memory_mb=128, cpu_seconds=5, wall_seconds=60)
REFUSALS = ("PermissionError", "OSError", "FileNotFoundError", "ProcessLookupError", "BlockingIOError")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    built = Sandbox((attacks.__name__,))
    yield built
    await built.close()


@pytest.mark.parametrize("name", sorted(attacks._ATTEMPTS))
async def test_an_attempt_is_refused(sandbox: Sandbox, name: str) -> None:
    answer = await sandbox.run(attacks.attempt, name, limits=LIMITS)
    assert answer[name] in REFUSALS, answer


async def test_neither_environment_nor_files_of_the_worker_can_be_read(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    secret = tmp_path / "secret"
    secret.write_text("postgresql://secret")
    secret.chmod(0o644)
    paths = [f"/proc/{os.getpid()}/environ", "/proc/self/environ", "/proc/1/cmdline", str(secret),
             str(PROJECT / "pyproject.toml"), "/root/.bash_history"]  # fmt: skip

    found = await sandbox.run(attacks.read, paths, limits=LIMITS)

    assert all(value in REFUSALS for value in found.values()), found
    assert "DATABASE_URL" not in await sandbox.run(attacks.environment, limits=LIMITS)


async def test_a_fork_bomb_makes_no_process_and_a_thread_bomb_is_bounded(sandbox: Sandbox) -> None:
    assert await sandbox.run(attacks.fork_bomb, limits=LIMITS) == 0
    assert await sandbox.run(attacks.thread_bomb, limits=LIMITS) < 600


async def test_a_memory_bomb_ends_at_its_limit(sandbox: Sandbox) -> None:
    with pytest.raises(LimitExceeded) as ended:
        await sandbox.run(attacks.memory_bomb, limits=LIMITS)
    assert ended.value.limit == "memory"
    assert await sandbox.run(attacks.memory_bomb_in_c, limits=LIMITS) <= LIMITS.memory_mb


async def test_an_endless_loop_ends_at_its_processor_time(sandbox: Sandbox) -> None:
    with pytest.raises(LimitExceeded) as ended:
        await sandbox.run(attacks.spin, limits=Limits(cpu_seconds=1))
    assert ended.value.limit == "cpu"


@pytest.mark.parametrize("attack", [attacks.lie, attacks.babble, attacks.flood])
async def test_an_answer_that_is_none_is_not_taken(sandbox: Sandbox, attack: Callable[[], Any]) -> None:
    with pytest.raises((LimitExceeded, Crashed)):
        await sandbox.run(attack, limits=LIMITS)


async def test_a_call_knows_nothing_of_the_calls_before_it(sandbox: Sandbox) -> None:
    assert await sandbox.run(attacks.keep, attacks.SECRET, limits=LIMITS) == 1
    assert await sandbox.run(attacks.remembered, limits=LIMITS) == [[], None]
    pids = {await sandbox.run(attacks.pid, limits=LIMITS) for _ in range(5)}
    assert len(pids) == 5


async def test_a_call_holds_its_own_descriptors_alone(sandbox: Sandbox) -> None:
    """Three standard ones that lead nowhere and the socket to the caller."""
    assert await sandbox.run(attacks.descriptors, limits=LIMITS) == ["0", "1", "2", "3"]


async def test_a_left_call_is_ended_and_the_next_one_works(sandbox: Sandbox) -> None:
    with pytest.raises(LimitExceeded) as ended:
        await sandbox.run(attacks.sleep_ignoring_signals, 600.0, limits=Limits(wall_seconds=0.2))
    assert ended.value.limit == "time"
    assert await sandbox.run(attacks.pid, limits=LIMITS) > 0


async def test_a_dead_template_fails_its_calls_and_is_replaced() -> None:
    sandbox = Sandbox((attacks.__name__,))
    try:
        running = asyncio.create_task(sandbox.run(attacks.sleep_ignoring_signals, 600.0, limits=LIMITS))
        await sandbox.start()
        await asyncio.sleep(0.2)
        assert sandbox._template is not None
        sandbox._template._process.kill()
        with pytest.raises(Crashed):
            await running
        assert await sandbox.run(attacks.pid, limits=LIMITS) > 0
    finally:
        await sandbox.close()


_WORKER = """
import asyncio, os
from libs.sandbox import Limits, Sandbox
from tests.unit.libs.sandbox import attacks

async def main():
    sandbox = Sandbox((attacks.__name__,))
    call = asyncio.create_task(sandbox.run(attacks.sleep_ignoring_signals, 600.0, limits=Limits()))
    await sandbox.run(attacks.pid, limits=Limits())
    print("running", sandbox._template._process.pid, flush=True)
    await call

asyncio.run(main())
"""


def test_nothing_survives_the_death_of_the_worker() -> None:
    worker = subprocess.Popen([sys.executable, "-c", _WORKER], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    with worker.stdout:
        word, template = worker.stdout.readline().split()
        assert word == "running"
        family = [int(template), *_children_of(int(template))]
        assert len(family) == 2
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
        _wait_until_gone(family)


def _children_of(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _wait_until_gone(pids: list[int]) -> None:
    """An ended process may stay as a zombie until its new parent reads its status."""
    for _ in range(500):
        if not any(_alive(pid) for pid in pids):
            return
        subprocess.run(["sleep", "0.02"], check=True)
    raise AssertionError(f"still alive: {[pid for pid in pids if _alive(pid)]}")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False
