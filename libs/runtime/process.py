"""One running process: parts opened in order and closed in reverse, background tasks, readiness, the exit code."""

import asyncio
import contextlib
import gc
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from libs.config import ConfigError, ProcessSettings, ServiceSettings
from libs.runtime.keys import KeyFiles
from libs.runtime.signals import MARGIN_SECONDS, Deadline, obey_signals
from libs.telemetry import loop_lag, traces
from libs.telemetry.ops import Check, MakePage, OpsServer

_log = logging.getLogger(__name__)

# Exit code of a process that failed.
EXIT_FAILED = 1

S = TypeVar("S", bound=ProcessSettings)
SV = TypeVar("SV", bound=ServiceSettings)
Work = Callable[[asyncio.Event], Awaitable[object]]


class Closable(Protocol):
    async def close(self) -> object: ...


C = TypeVar("C", bound=Closable)


class Runtime(Generic[S]):
    """One running process. `main` opens parts in order and returns; they are closed in reverse when `stop` is set."""

    def __init__(
        self, settings: S, service: str, command: str, area: str = "", quotas: Mapping[str, Any] | None = None
    ) -> None:
        """`area` names the scopes of what the service does in the background: `<area>:read` and `<area>:write`.
        `quotas` are the rules of each service's
        schema, by its name."""
        self.settings = settings
        self.service = service
        self.area = area
        self.quotas = quotas or {}
        self.command = command
        self.name = f"{service}-worker" if command == "work" else service
        self.addresses: dict[str, str] = {}
        self.keys = KeyFiles(settings)
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

    def ops_page(self, path: str, make: MakePage) -> None:
        """Serve a page on the operations port."""
        if self._ops is not None:
            self._ops.add_page(path, make)

    async def serve_rpc(self: "Runtime[SV]", servicers: Iterable[tuple[Callable[[Any, Any], None], object]]) -> str:
        """Start the gRPC server of this service; answers its address. Call it last: it stops first."""
        from libs.rpc.server import RpcServer

        server = RpcServer(self.settings, self.service, servicers)
        self.keys.follow("principal_trusted_keys", server.trust)
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
        self._deadline = Deadline(self.settings.drain_seconds + MARGIN_SECONDS)
        obey_signals(self.stop, self._deadline)
        try:
            await self._start_ops()
            if await self._unless_stopped(main(self)):
                self._announce()
                await self.stop.wait()
        except ConfigError as error:
            self._failed = True
            for problem in error.problems:
                _log.error("%s: %s", self.name, problem)
        except Exception:
            self._failed = True
            _log.exception("%s failed", self.name)
        await self._drain()
        return EXIT_FAILED if self._failed else 0

    async def _start_ops(self) -> None:
        self.background("loop-lag", loop_lag.watch)
        self.background("keys", self.keys.watch)
        if self.settings.ops_address:
            self._ops = OpsServer(self.settings.ops_address, {"started": lambda: self._ready})
            self.addresses["ops"] = await self._ops.start()
            self.ops_page("/keys", self.keys.page)
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
        await asyncio.wait({start}, timeout=MARGIN_SECONDS)
        return False

    def _announce(self) -> None:
        # Objects that exist after the start live long. Freeze them, so that the collector does not walk them in every
        # collection.
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
