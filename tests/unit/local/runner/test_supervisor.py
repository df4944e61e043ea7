"""Restarts: at once after a first crash, with backoff when a process keeps ending, never while it is being stopped."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from local.processes.process import Child, Command
from local.runner.supervisor import LONGEST_BACKOFF, NotReady, Supervised, Supervisor, backoff


def child(tmp_path: Path, program: str) -> Child:
    return Child(Command(name="child", argv=[sys.executable, "-c", program], log=tmp_path / "child.log"))


def test_backoff_grows_and_is_bounded() -> None:
    waits = [backoff(failures) for failures in range(9)]
    assert waits[:2] == [0.0, 0.0]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_BACKOFF


async def test_a_killed_child_is_started_again_and_counted(tmp_path: Path) -> None:
    stop = asyncio.Event()
    supervisor = Supervisor(lambda: None)
    member = Supervised("sleeper", child(tmp_path, "import time; time.sleep(60)"), lambda: True)
    running = asyncio.create_task(supervisor.run(stop))
    supervisor.start([member])
    await supervisor.wait_ready([member], 5)
    first = member.child.pid
    member.child.kill()
    async with asyncio.timeout(5):
        while member.child.pid in (None, first) or not member.ready:
            await asyncio.sleep(0.01)
    assert member.restarts == 1
    await supervisor.stop([member], 5)
    assert not member.child.running
    stop.set()
    await running
    assert not member.child.running


async def test_a_child_that_cannot_start_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    stop = asyncio.Event()
    supervisor = Supervisor(lambda: None)
    member = Supervised("broken", child(tmp_path, "raise SystemExit('no such setting')"), lambda: False)
    running = asyncio.create_task(supervisor.run(stop))
    supervisor.start([member])
    with pytest.raises(NotReady, match="no such setting"):
        await supervisor.wait_ready([member], 30)
    await supervisor.stop([member], 5)
    stop.set()
    await running


async def test_a_child_that_ignores_the_request_is_ended_by_force(tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    )
    supervisor = Supervisor(lambda: None)
    log = tmp_path / "child.log"
    member = Supervised("stopped", child(tmp_path, program), lambda: log.exists() and "on" in log.read_text())
    supervisor.start([member])
    await supervisor.wait_ready([member], 5)
    await supervisor.stop([member], 0.2)
    assert not member.child.running


async def test_an_edit_gives_a_process_that_kept_ending_all_its_tries_again(tmp_path: Path) -> None:
    """As `make dev` restarts after a syntax error: the first restart fails, the one after the correction does not."""
    source, stop = tmp_path / "source.py", asyncio.Event()
    source.write_text("this is no Python", encoding="utf-8")
    program = Command(name="edited", argv=[sys.executable, str(source)], log=tmp_path / "edited.log")
    member = Supervised("edited", Child(program), lambda: "print" in source.read_text("utf-8"))
    supervisor = Supervisor(lambda: None)
    running = asyncio.create_task(supervisor.run(stop))
    supervisor.start([member])
    with pytest.raises(NotReady, match="invalid syntax"):
        await supervisor.wait_ready([member], 20)
    with pytest.raises(NotReady, match="invalid syntax"):
        await supervisor.restart([member])
    source.write_text("import time; print('up', flush=True); time.sleep(60)", encoding="utf-8")
    await supervisor.restart([member])
    assert member.ready
    await supervisor.stop([member], 5)
    stop.set()
    await running
