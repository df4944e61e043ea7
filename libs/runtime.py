"""The one door of every process: settings, telemetry, signals, drain order, exit codes.

Exit codes: 0 stopped as asked, 1 failed, 2 cannot be configured, 3 cut off because draining took longer than
DRAIN_SECONDS, 128 + n on a second signal. A process obeys SIGTERM although its loop is blocked or a task swallows its
cancellation: the first signal arms a thread that ends the process past the budget.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from libs import telemetry
from libs.config import ConfigError, ServiceSettings, load
from libs.telemetry import loop_lag, traces
from libs.telemetry.ops import Check, OpsServer

_log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_CUT_OFF = 3
_MARGIN_SECONDS = 1.0

S = TypeVar("S", bound=ServiceSettings)
Work = Callable[[asyncio.Event], Awaitable[object]]


class Closable(Protocol):
    async def close(self) -> object: ...


C = TypeVar("C", bound=Closable)


class Runtime(Generic[S]):
    """One running process. `main` opens parts in order and returns; they are closed in reverse when `stop` is set."""

    def __init__(self, settings: S, service: str, command: str) -> None:
        self.settings = settings
        self.service = service
        self.command = command
        self.name = f"{service}-worker" if command == "work" else service
        self.addresses: dict[str, str] = {}
        self._closers: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._background: list[asyncio.Task[object]] = []
        self._ready = False
        self._failed = False
        self._ops: OpsServer | None = None

    def on_close(self, name: str, close: Callable[[], Awaitable[object]]) -> None:
        """Run `close` at the end, before everything that was registered earlier."""
        self._closers.append((name, close))

    async def open(self, opening: Awaitable[C]) -> C:
        """Await a part that has `close()` and close it at the end."""
        part = await opening
        self.on_close(type(part).__name__, part.close)
        return part

    def background(self, name: str, run: Work) -> None:
        """Keep `run(stop)` going; should it fail or return before `stop`, the process ends and is restarted."""
        task: asyncio.Task[object] = asyncio.ensure_future(self._guard(name, run))
        self._background.append(task)
        self.on_close(name, lambda: _finish(task))

    def check(self, name: str, passes: Check) -> None:
        """Make readiness depend on this; it must answer at once from memory."""
        if self._ops is not None:
            self._ops.checks[name] = passes

    async def serve_rpc(
        self, servicers: Iterable[tuple[Callable[[Any, Any], None], object]], *, public_methods: Iterable[str] = ()
    ) -> str:
        """Start the gRPC server of this service; answers its address. Call it last: it stops first."""
        from libs.rpc.server import RpcServer

        server = RpcServer(self.settings, self.service, servicers, public_methods=public_methods)
        self.addresses["grpc"] = await server.start()
        self.on_close("grpc", lambda: server.stop(self.settings.drain_seconds / 2))
        return self.addresses["grpc"]

    def run(self, main: Callable[["Runtime[S]"], Awaitable[object]]) -> int:
        """Run `main` and serve until a signal or a failure; answers the exit code."""
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._live(main))

    async def _live(self, main: Callable[["Runtime[S]"], Awaitable[object]]) -> int:
        self.stop = asyncio.Event()
        self._deadline = _Deadline(self.settings.drain_seconds + _MARGIN_SECONDS)
        _obey_signals(self.stop, self._deadline)
        try:
            await self._start_ops()
            if await self._unless_stopped(main(self)):
                self._announce()
                await self.stop.wait()
        except Exception:
            self._failed = True
            _log.exception("%s failed", self.name)
        await self._drain()
        return EXIT_FAILED if self._failed else 0

    async def _start_ops(self) -> None:
        self.background("loop-lag", loop_lag.watch)
        if self.settings.ops_address:
            self._ops = OpsServer(self.settings.ops_address, {"started": lambda: self._ready})
            self.addresses["ops"] = await self._ops.start()
            self.on_close("ops", self._ops.stop)

    async def _unless_stopped(self, starting: Awaitable[object]) -> bool:
        """Finish starting, unless told to stop meanwhile."""
        start = asyncio.ensure_future(starting)
        stopped = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({start, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if start.done():
            start.result()
            return True
        start.cancel()
        await asyncio.wait({start}, timeout=_MARGIN_SECONDS)
        return False

    def _announce(self) -> None:
        # What lives now lives long: keep the collector from walking it again and again.
        gc.collect()
        gc.freeze()
        self._ready = True
        _log.info("ready", extra={"role": self.name, "pid": os.getpid(), "addresses": self.addresses})

    async def _guard(self, name: str, run: Work) -> None:
        try:
            await run(self.stop)
            if self.stop.is_set():
                return
            _log.error("%s ended by itself", name)
        except asyncio.CancelledError:
            if self.stop.is_set():
                raise
            _log.error("%s was cancelled", name)
        except Exception:
            _log.exception("%s failed", name)
        self._failed = True
        self.stop.set()

    async def _drain(self) -> None:
        self._deadline.arm()
        self._ready = False
        self.stop.set()
        ends = time.monotonic() + self.settings.drain_seconds
        for name, close in reversed(self._closers):
            started = time.monotonic()
            try:
                async with asyncio.timeout(max(0.05, ends - started)):
                    await close()
            except TimeoutError:
                _log.warning("closing %s took too long", name)
            except Exception:
                _log.exception("closing %s failed", name)
        with contextlib.suppress(TimeoutError):
            await self._flush_traces(ends)
        _log.info("stopped", extra={"role": self.name})

    async def _flush_traces(self, ends: float) -> None:
        """Give queued spans the rest of the budget; a frozen collector must not hold the process."""
        loop, flushed = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            traces.stop_recording()
            loop.call_soon_threadsafe(flushed.set)

        if traces.is_recording():
            threading.Thread(target=flush, daemon=True).start()
            async with asyncio.timeout(max(0.05, ends - time.monotonic())):
                await flushed.wait()


async def _finish(task: "asyncio.Task[object]") -> None:
    """Wait for a background task that has been told to stop; cancel it when the wait is cut."""
    try:
        await asyncio.shield(task)
    finally:
        task.cancel()


class _Deadline:
    """A thread that ends the process when draining takes too long, whatever the loop does."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, os._exit, (EXIT_CUT_OFF,))
        self._timer.daemon = True
        self._armed = False

    def arm(self) -> None:
        if not self._armed:
            self._armed = True
            self._timer.start()


def _obey_signals(stop: asyncio.Event, deadline: _Deadline) -> None:
    """TERM and INT set `stop` and start the clock; a second one ends the process at once.

    signal.signal, not loop.add_signal_handler: its handler runs although a callback blocks the loop.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def obey(number: int, frame: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        deadline.arm()
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, obey)


def service_main(
    service: str,
    settings: type[S],
    *,
    serve: Callable[[Runtime[S]], Awaitable[object]],
    work: Callable[[Runtime[S]], Awaitable[object]],
    migrations: Path,
) -> NoReturn:
    """`python -m services.<svc> serve|work|migrate`: the body of every __main__."""
    commands: dict[str, tuple[Callable[[S], int], tuple[str, ...]]] = {
        "serve": (lambda loaded: Runtime(loaded, service, "serve").run(serve), ("database_url", "database_system_url")),
        "work": (lambda loaded: Runtime(loaded, service, "work").run(work), ("database_url", "database_system_url")),
        "migrate": (lambda loaded: _migrate(loaded, service, migrations), ("database_admin_url",)),
    }
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.stderr.write(f"usage: python -m services.{service} {'|'.join(commands)}\n")
        sys.exit(EXIT_CONFIG)
    command, required = commands[sys.argv[1]]
    sys.exit(run_process(service, settings, command, require=required))


def run_process(service: str, settings: type[S], command: Callable[[S], int], *, require: Iterable[str] = ()) -> int:
    """Load settings, set telemetry up, run; answers the exit code. The gateway's door as well."""
    try:
        loaded = load(settings, require=require)
        telemetry.setup(service, loaded)
        return command(loaded)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{service}: {problem}\n")
        return EXIT_CONFIG


def _migrate(settings: ServiceSettings, service: str, migrations: Path) -> int:
    from libs.postgres.migrate import migrate

    applying: Coroutine[Any, Any, list[str]] = migrate(settings, service, migrations)
    applied = asyncio.run(applying)
    _log.info("migrated", extra={"applied": applied})
    return 0
