"""The caller's side of the sandbox: starts the template, hands it calls and reads their answers."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import msgspec

from libs.sandbox import frames
from libs.sandbox.errors import Crashed, LimitExceeded, Refused, SandboxError
from libs.sandbox.limits import Limits, Usage

# A function of a module, or its name ("module:function") where the caller does not import what it needs.
Function = Callable[..., Any] | str
OnProgress = Callable[[int, str], Awaitable[None]]

_PROJECT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0
_END_SECONDS = 5.0
_CONTROL_BYTES = 4096
# What a child can make its caller hold at once.
_FRAME_BYTES = 8 << 20
_UNREADABLE = "the child's answer could not be read"
# Nothing that the caller was told in confidence. One malloc arena, because address space is what the limit counts.
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HOME": "/nonexistent",
}  # fmt: skip
# Where an interpreter needs it to find its own library.
_INHERITED = ("LD_LIBRARY_PATH",)

_log = logging.getLogger(__name__)


class Sandbox:
    """Calls of any number at once, each in a process of its own, forked from one template.

    `preload` names modules to import before the template confines itself; `warm` names functions ("module:function")
    to call then, for what is loaded on first use. `readable` are folders that calls may read besides installed code.
    The template starts with the first call, and again with the next call after it has died.
    """

    def __init__(self, preload: Sequence[str] = (), warm: Sequence[str] = (), readable: Sequence[Path] = ()) -> None:
        order = {"preload": list(preload), "warm": list(warm), "readable": [str(path) for path in readable]}
        self._order = msgspec.json.encode(order).decode()
        self._starting = asyncio.Lock()
        self._template: _Template | None = None

    async def run(
        self,
        fn: Function,
        *args: Any,
        limits: Limits,
        attachment: int | None = None,
        on_progress: OnProgress | None = None,
        usage: Usage | None = None,
    ) -> Any:
        """What fn(*args) answers. Arguments and answer are msgpack values. With an
        `attachment` its first argument is that open file's descriptor. Raises LimitExceeded, Refused, Crashed."""
        talk = self._talk(fn, args, limits, attachment, on_progress, usage, streamed=False)
        async with contextlib.aclosing(talk) as values:
            async for value in values:
                return value
        raise Crashed("the child gave no result")

    async def stream(
        self,
        fn: Function,
        *args: Any,
        limits: Limits,
        attachment: int | None = None,
        on_progress: OnProgress | None = None,
        usage: Usage | None = None,
    ) -> AsyncGenerator[Any, None]:
        """What the generator function `fn` yields, one value at a time; the child waits while the caller does. Raises
        as `run` does. Close it with contextlib.aclosing when it may be left early."""
        talk = self._talk(fn, args, limits, attachment, on_progress, usage, streamed=True)
        async with contextlib.aclosing(talk) as values:
            async for value in values:
                yield value

    async def start(self) -> dict[str, str]:
        """Starts the template unless it runs; answers which layers confine it."""
        return (await self._alive()).layers

    async def close(self) -> None:
        if self._template is not None:
            await self._template.close()

    async def _talk(
        self,
        fn: Function,
        args: Sequence[Any],
        limits: Limits,
        attachment: int | None,
        on_progress: OnProgress | None,
        usage: Usage | None,
        *,
        streamed: bool,
    ) -> AsyncGenerator[Any, None]:
        template = await self._alive()
        async with _Call(template, limits, attachment, usage or Usage()) as call:
            name = fn if isinstance(fn, str) else f"{fn.__module__}:{fn.__qualname__}"
            await call.send(frames.pack(name, list(args)))
            while True:
                match await call.receive():
                    case ["progress", int(percent), str(note)]:
                        if on_progress is not None:
                            await on_progress(percent, note)
                    case ["value", value] if streamed:
                        yield value
                    case ["result", value]:
                        if not streamed:
                            yield value
                        return
                    case message:
                        raise _failure(message)

    async def _alive(self) -> "_Template":
        async with self._starting:
            if self._template is None or self._template.dead:
                self._template = await _Template.start(self._order)
            return self._template


async def run_once(
    fn: Callable[..., Any],
    args: Sequence[Any],
    limits: Limits,
    *,
    attachment: int | None = None,
    on_progress: OnProgress | None = None,
    readable: Sequence[Path] = (),
) -> Any:
    """One call in a sandbox of its own, for work that is too rare to keep a template."""
    sandbox = Sandbox((fn.__module__,), readable=readable)
    try:
        return await sandbox.run(fn, *args, limits=limits, attachment=attachment, on_progress=on_progress)
    finally:
        await sandbox.close()


class _Template:
    """The running template process and its control socket."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._numbers = itertools.count()
        self._ends: dict[int, asyncio.Future[tuple[int, float, int]]] = {}
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[dict[str, str]] = self._loop.create_future()
        self.layers: dict[str, str] = {}
        self.dead = False

    @classmethod
    async def start(cls, order: str) -> "_Template":
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        path = os.pathsep.join(entry for entry in (str(_PROJECT), *sys.path) if entry)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "libs.sandbox.template", str(os.getpid()), str(theirs.fileno()), order,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), env={**inherited, **_ENVIRONMENT, "PYTHONPATH": path}, cwd="/",
                start_new_session=True,
            )  # fmt: skip
        template = cls(process, ours)
        template._loop.add_reader(ours.fileno(), template._read_control)
        try:
            async with asyncio.timeout(_START_SECONDS):
                template.layers = await template._ready
        except BaseException:
            await template.close()
            raise
        _log.info("sandbox started: %s", template.layers)
        return template

    def fork(self, limits: Limits, descriptors: list[int]) -> int:
        """Has the template fork for a call; answers the call's number."""
        number = next(self._numbers)
        self._ends[number] = self._loop.create_future()
        try:
            socket.send_fds(self._control, [frames.pack("call", number, *astuple(limits))], descriptors)
        except OSError as error:
            del self._ends[number]
            raise Crashed("the sandbox does not answer") from error
        return number

    def kill(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._control.send(frames.pack("kill", number))

    async def ended(self, number: int) -> tuple[int, float, int]:
        """Exit status (negative: the signal), processor seconds and peak memory in KiB of a call that has ended."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                return await asyncio.shield(self._ends[number])
        except TimeoutError:
            return 0, 0.0, 0
        finally:
            self._ends.pop(number, None)

    async def close(self) -> None:
        self._mark_dead()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _read_control(self) -> None:
        try:
            message = self._control.recv(_CONTROL_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._mark_dead()
            return
        verb, *values = frames.unpack(message[frames.HEADER.size :])
        if verb == "ready":
            self._ready.set_result(values[0])
        elif (end := self._ends.get(values[0])) is not None and not end.done():
            end.set_result((int(values[1]), float(values[2]), int(values[3])))

    def _mark_dead(self) -> None:
        if self.dead:
            return
        self.dead = True
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        if not self._ready.done():
            self._ready.set_exception(Crashed("the sandbox did not start"))
        for end in self._ends.values():
            if not end.done():
                end.set_result((-signal.SIGKILL, 0.0, 0))


class _Call:
    """One child, from its fork to its end. Leaving the context ends the child."""

    def __init__(self, template: _Template, limits: Limits, attachment: int | None, usage: Usage) -> None:
        self._template = template
        self._limits = limits
        self._attachment = attachment
        self._usage = usage
        self._left = limits.wall_seconds
        self._bytes = 0

    async def __aenter__(self) -> "_Call":
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            ours.setblocking(False)
            self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
            extra = [] if self._attachment is None else [self._attachment]
            try:
                self._number = self._template.fork(self._limits, [theirs.fileno(), *extra])
            except BaseException:
                self._writer.close()
                raise
        return self

    async def __aexit__(self, *error: object) -> None:
        self._writer.close()
        if self._number >= 0:
            self._template.kill(self._number)
            await self._collect()

    async def send(self, message: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._writer.write(message)
            await self._writer.drain()

    async def receive(self) -> list[Any]:
        """The child's next message. Raises LimitExceeded and Crashed."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._left):
                size = frames.HEADER.unpack(await self._reader.readexactly(frames.HEADER.size))[0]
                self._bytes += size
                if size > _FRAME_BYTES or self._bytes > self._limits.output_bytes:
                    raise LimitExceeded("output")
                message = frames.unpack(await self._reader.readexactly(size))
        except TimeoutError:
            raise LimitExceeded("time") from None
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise _death((await self._collect())[0]) from None
        except msgspec.MsgspecError:
            raise Crashed(_UNREADABLE) from None
        finally:
            self._left -= asyncio.get_running_loop().time() - began
        return message

    async def _collect(self) -> tuple[int, float, int]:
        if self._number < 0:
            return 0, 0.0, 0
        number, self._number = self._number, -1
        status, cpu, peak = await self._template.ended(number)
        self._usage.cpu_seconds += cpu
        self._usage.peak_rss_mb = max(self._usage.peak_rss_mb, peak >> 10)
        return status, cpu, peak


def _death(status: int) -> SandboxError:
    if status == -signal.SIGXCPU:
        return LimitExceeded("cpu")
    return Crashed(f"the child ended with status {status}", signal=max(0, -status))


def _failure(message: list[Any]) -> SandboxError:
    """What the child says of its end. It may have been taken over, so anything else than the known forms is a crash."""
    match message:
        case ["limit", "memory"]:
            return LimitExceeded("memory")
        case ["refused", str(reason), str(detail)]:
            return Refused(reason, detail)
        case ["failed", str(name)]:
            return Crashed(name)
        case _:
            return Crashed(_UNREADABLE)
