"""Heavy or hostile work in a child process: results, progress, limits, and nothing left behind."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.errors import InvalidArgument
from libs.jobs import Discard
from libs.jobs.child import ChildCrashed, Limits, run


def add(left: int, right: int) -> dict[str, object]:
    return {"sum": left + right, "pid": os.getpid(), "secret": os.environ.get("DATABASE_URL")}


def count_up(to: int, progress: Callable[[int, str], None]) -> int:
    for percent in (10, 60):
        progress(percent, "page")
    print("a library that prints")  # noqa: T201
    return to


def hoard() -> int:
    return len(bytearray(1 << 30))


def spin() -> None:
    while True:
        pass


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def refuse() -> None:
    raise InvalidArgument("encrypted_document", "The document is encrypted.")


def stumble() -> None:
    raise ValueError("a secret text")


def die() -> None:
    os.abort()


def sleep_and_tell(pid_file: str) -> None:
    Path(pid_file).write_text(str(os.getpid()))
    time.sleep(60)


async def test_a_result_comes_back_from_another_process_without_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    answer = await run(add, (2, 3), Limits())
    assert answer["sum"] == 5
    assert answer["pid"] != os.getpid()
    assert answer["secret"] is None


async def test_progress_reaches_the_parent() -> None:
    heard: list[tuple[int, str]] = []

    async def hear(percent: int, note: str) -> None:
        heard.append((percent, note))

    assert await run(count_up, (7,), Limits(), hear) == 7
    assert heard == [(10, "page"), (60, "page")]


@pytest.mark.parametrize(
    ("fn", "args", "limits", "code"),
    [
        (hoard, (), Limits(memory_mb=256), "job_memory_limit"),
        (spin, (), Limits(cpu_seconds=1), "job_cpu_limit"),
        (sleep, (30,), Limits(timeout_seconds=0.5), "job_time_limit"),
        (refuse, (), Limits(), "encrypted_document"),
    ],
)
async def test_limits_and_refusals_discard_with_a_reason(
    fn: Callable[..., object], args: tuple[object, ...], limits: Limits, code: str
) -> None:
    with pytest.raises(Discard) as signal:
        await run(fn, args, limits)
    assert signal.value.code == code


@pytest.mark.parametrize("fn", [stumble, die])
async def test_a_crash_is_told_without_its_text(fn: Callable[..., object]) -> None:
    with pytest.raises(ChildCrashed) as crash:
        await run(fn, (), Limits())
    assert "secret" not in str(crash.value)


async def test_a_cancelled_handler_takes_its_child_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    running = asyncio.create_task(run(sleep_and_tell, (str(pid_file),), Limits()))
    async with asyncio.timeout(10):
        while not (pid_file.exists() and pid_file.read_text()):
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
