"""Heavy work in the sandbox: results, values one by one, progress, limits, refusals, what it used."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.errors import InvalidArgument
from libs.sandbox import Crashed, LimitExceeded, Limits, Refused, Sandbox, Usage, run_once


def add(left: int, right: int) -> dict[str, object]:
    return {"sum": left + right, "pid": os.getpid(), "secret": os.environ.get("DATABASE_URL")}


def count_up(to: int, progress: Callable[[int, str], None]) -> int:
    for percent in (10, 60):
        progress(percent, "page")
    print("a library that prints")  # noqa: T201
    return to


def hoard() -> int:
    return len(bytearray(1 << 30))


_pin: list[bytes] = []


def load() -> None:
    """Leaves 60 MB of freed heap below a block that is still used, as loading a model does."""
    blocks = [bytes([number % 256]) * 60_000 for number in range(1_000)]
    _pin.append(bytes([1]) * 60_000)
    blocks.clear()


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


def announce_and_sleep(progress: Callable[[int, str], None]) -> None:
    progress(1, str(os.getpid()))
    time.sleep(60)


def size_of(document: int, word: str) -> int:
    with os.fdopen(document, "rb") as file:
        return file.read().count(word.encode())


def count(to: int) -> Iterator[int]:
    yield from range(to)


def count_and_refuse(to: int) -> Iterator[int]:
    yield from range(to)
    raise InvalidArgument("encrypted_document", "The document is encrypted.")


def recurse() -> None:
    recurse()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    built = Sandbox((__name__,))
    yield built
    await built.close()


async def test_a_result_comes_back_from_another_process_without_our_secrets(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    answer = await sandbox.run(add, 2, 3, limits=Limits())
    assert answer["sum"] == 5
    assert answer["pid"] != os.getpid()
    assert answer["secret"] is None


async def test_work_that_is_rare_needs_no_sandbox_of_its_own() -> None:
    assert (await run_once(add, (2, 3), Limits()))["sum"] == 5


async def test_progress_reaches_the_caller(sandbox: Sandbox) -> None:
    heard: list[tuple[int, str]] = []

    async def hear(percent: int, note: str) -> None:
        heard.append((percent, note))

    assert await sandbox.run(count_up, 7, limits=Limits(), on_progress=hear) == 7
    assert heard == [(10, "page"), (60, "page")]


async def test_values_come_one_by_one_and_only_as_fast_as_they_are_taken(sandbox: Sandbox) -> None:
    limits = Limits(wall_seconds=30)
    assert [value async for value in sandbox.stream(count, 1000, limits=limits)] == list(range(1000))

    endless = sandbox.stream(count, 1 << 40, limits=limits)
    assert [await anext(endless) for _ in range(3)] == [0, 1, 2]
    await endless.aclose()


async def test_a_refusal_after_some_values_is_heard(sandbox: Sandbox) -> None:
    values = sandbox.stream(count_and_refuse, 3, limits=Limits())
    assert [await anext(values) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Refused) as refused:
        await anext(values)
    assert refused.value.reason == "encrypted_document"


async def test_an_open_file_is_handed_over_where_its_path_could_not_be_read(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "document").write_text("one two one")
    with (tmp_path / "document").open("rb") as file:
        assert await sandbox.run(size_of, "one", limits=Limits(), attachment=file.fileno()) == 2


@pytest.mark.parametrize(
    ("fn", "args", "limits", "limit"),
    [
        (hoard, (), Limits(memory_mb=256), "memory"),
        (recurse, (), Limits(), "memory"),
        (spin, (), Limits(cpu_seconds=1), "cpu"),
        (sleep, (30,), Limits(wall_seconds=0.5), "time"),
        (count_up, (1 << 40,), Limits(output_bytes=10), "output"),
    ],
)
async def test_each_limit_is_named(
    sandbox: Sandbox, fn: Callable[..., object], args: tuple[object, ...], limits: Limits, limit: str
) -> None:
    with pytest.raises(LimitExceeded) as ended:
        await sandbox.run(fn, *args, limits=limits)
    assert ended.value.limit == limit


async def test_a_refusal_keeps_its_reason(sandbox: Sandbox) -> None:
    with pytest.raises(Refused) as refused:
        await sandbox.run(refuse, limits=Limits())
    assert (refused.value.reason, refused.value.detail) == ("encrypted_document", "The document is encrypted.")


@pytest.mark.parametrize("fn", [stumble, die])
async def test_a_crash_is_told_without_its_text(sandbox: Sandbox, fn: Callable[..., object]) -> None:
    with pytest.raises(Crashed) as crash:
        await sandbox.run(fn, limits=Limits())
    assert "secret" not in str(crash.value)


async def test_what_a_call_used_is_told_however_it_ends(sandbox: Sandbox) -> None:
    used = Usage()
    with pytest.raises(LimitExceeded):
        await sandbox.run(spin, limits=Limits(cpu_seconds=1), usage=used)
    assert used.cpu_seconds > 0.5
    assert used.peak_rss_mb > 0


async def test_a_cancelled_caller_takes_its_child_with_it(sandbox: Sandbox) -> None:
    pids: asyncio.Queue[int] = asyncio.Queue()

    async def hear(percent: int, note: str) -> None:
        pids.put_nowait(int(note))

    running = asyncio.create_task(sandbox.run(announce_and_sleep, limits=Limits(), on_progress=hear))
    pid = await asyncio.wait_for(pids.get(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_calls_run_beside_each_other(sandbox: Sandbox) -> None:
    answers = await asyncio.gather(*(sandbox.run(add, number, 1, limits=Limits()) for number in range(20)))
    assert [answer["sum"] for answer in answers] == [number + 1 for number in range(20)]
    assert len({answer["pid"] for answer in answers}) == 20


async def test_a_template_gives_back_what_loading_left() -> None:
    sandbox = Sandbox((__name__,), (f"{__name__}:load",))
    try:
        await sandbox.start()
        assert sandbox._template is not None
        assert _own_bytes(sandbox._template._process.pid) < 60_000_000
    finally:
        await sandbox.close()


def _own_bytes(process: int) -> int:
    """Memory of the process that no file backs."""
    resident, shared = Path(f"/proc/{process}/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")
