"""Child processes for CPU-heavy or dangerous handlers: limits of memory, CPU and time, progress back to the parent.

The function is named, never pickled, and everything that crosses is msgpack: a child that hostile input took over can
hand back nothing but data. The child dies with its parent.
"""

import asyncio
import contextlib
import ctypes
import importlib
import inspect
import os
import resource
import signal
import struct
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from libs.errors import AppError
from libs.jobs.errors import Discard

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_HEADER = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1
# Nothing that the parent was told in confidence.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Limits:
    memory_mb: int = 512
    cpu_seconds: int = 60
    timeout_seconds: float = 120.0


class ChildCrashed(Exception):
    """The child ended without an answer, and not by one of its limits."""


async def run(
    fn: Callable[..., Any],
    args: Sequence[Any],
    limits: Limits,
    progress: Callable[[int, str], Awaitable[None]] | None = None,
) -> Any:
    """fn(*args) in a fresh process. Raises Discard on a limit or when fn raised an AppError, ChildCrashed otherwise."""
    call = msgspec.msgpack.encode([fn.__module__, fn.__qualname__, list(args), limits.memory_mb, limits.cpu_seconds])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "libs.jobs.child", str(os.getpid()),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )  # fmt: skip
    try:
        async with asyncio.timeout(limits.timeout_seconds):
            return await _converse(process, call, progress)
    except TimeoutError:
        raise Discard("job_time_limit", "The work took longer than it may.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _converse(
    process: asyncio.subprocess.Process, call: bytes, progress: Callable[[int, str], Awaitable[None]] | None
) -> Any:
    assert process.stdin is not None  # noqa: S101 it is a pipe
    assert process.stdout is not None  # noqa: S101 it is a pipe
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(_HEADER.pack(len(call)) + call)
        await process.stdin.drain()
    while True:
        try:
            size = _HEADER.unpack(await process.stdout.readexactly(_HEADER.size))[0]
            if size > MAX_ANSWER_BYTES:
                raise Discard("job_output_limit", "The work produced more than it may.")
            kind, *values = msgspec.msgpack.decode(await process.stdout.readexactly(size))
        except asyncio.IncompleteReadError:
            raise _death(await process.wait()) from None
        if kind == "progress" and progress is not None:
            await progress(int(values[0]), str(values[1]))
        elif kind == "result":
            return values[0]
        elif kind == "refused":
            raise Discard(str(values[0]), str(values[1]))
        elif kind == "failed":
            raise ChildCrashed(str(values[0]))


def _death(status: int) -> Exception:
    if status == -signal.SIGXCPU:
        return Discard("job_cpu_limit", "The work needed more computing time than it may use.")
    return ChildCrashed(f"the child ended with status {status}")


def _say(out: BinaryIO, *message: Any) -> None:
    body = msgspec.msgpack.encode(message)
    out.write(_HEADER.pack(len(body)) + body)
    out.flush()


def main() -> None:
    """The child's side: limits first, then import and run."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    size = _HEADER.unpack(sys.stdin.buffer.read(_HEADER.size))[0]
    module, name, args, memory_mb, cpu_seconds = msgspec.msgpack.decode(sys.stdin.buffer.read(size))
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        fn = getattr(importlib.import_module(module), name)
        report: dict[str, Any] = {}
        if "progress" in inspect.signature(fn).parameters:
            report["progress"] = lambda percent, note="": _say(answers, "progress", percent, note)
        _say(answers, "result", fn(*args, **report))
    except MemoryError:
        _say(answers, "refused", "job_memory_limit", "The work needed more memory than it may use.")
    except AppError as error:
        _say(answers, "refused", error.reason, error.detail)
    except Exception as error:
        _say(answers, "failed", type(error).__name__)
        raise


if __name__ == "__main__":
    main()
