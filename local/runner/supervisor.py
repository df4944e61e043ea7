"""Keep a set of children running: wait until each answers, start again what ended, stop all in order.

Owns restarts and their backoff; knows nothing of what the children are. One event loop, one thread: the children's
death signal follows the thread that started them. Why not the library `supervisor`: docs/adr/0010-own-supervisor.md.
"""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local.processes.process import Child
from local.stores import tail

# Seconds between two looks at the children when no SIGCHLD came: equal signals that wait are one, and a handler may be
# late.
LOOK_SECONDS = 1.0
# Seconds between two questions to a process that is not ready; the start is at most so much later than the process.
PROBE_SECONDS = 0.05
# A process that ran this long has started well: its next end counts as the first again.
STEADY_SECONDS = 10.0
# Seconds between two starts of a process that ends at once; the log stays readable and a repaired store is noticed
# soon.
LONGEST_BACKOFF = 10.0
# Quick ends before a start is given up with the end of the log.
HOPELESS = 3


class NotReady(RuntimeError):
    """A process did not become ready in time; the message carries the end of its log."""


@dataclass
class Supervised:
    """A child, how to tell that it answers, and what happened to it so far."""

    name: str
    child: Child
    answers: Callable[[], bool]
    restarts: int = 0
    failures: int = 0
    ready: bool = False
    held: bool = False
    due: float | None = None
    last_exit: int | None = None

    @property
    def state(self) -> str:
        if self.child.running:
            return "ready" if self.ready else "starting"
        return "waiting to restart" if self.due is not None else "stopped"


class Supervisor:
    """`changed` is called whenever a pid or a state has changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.members: list[Supervised] = []
        self.changed = changed
        self._probing: dict[str, asyncio.Task[None]] = {}

    def start(self, members: Iterable[Supervised]) -> list[Supervised]:
        started = list(members)
        self.members += started
        for member in started:
            member.child.start()
            self._watch(member)
        self.changed()
        return started

    async def wait_ready(self, members: Iterable[Supervised], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for member in members:
            while not member.ready:
                if time.monotonic() > deadline or member.failures >= HOPELESS:
                    raise NotReady(f"{member.name} is not ready:\n{tail(member.child.command.log)}")
                await asyncio.sleep(0.02)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: start again what ended. The first restart is at once, further ones back off."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGCHLD, ended.set)
        try:
            stopped = asyncio.ensure_future(stop.wait())
            while not stop.is_set():
                ended.clear()
                for member in self.members:
                    self._tend(member)
                looking = asyncio.ensure_future(ended.wait())
                await asyncio.wait({stopped, looking}, timeout=self._rest(), return_when=asyncio.FIRST_COMPLETED)
                looking.cancel()
            stopped.cancel()
        finally:
            loop.remove_signal_handler(signal.SIGCHLD)

    def _rest(self) -> float:
        """Seconds until the next look: a restart that is due, or the longest rest."""
        waits = (member.due for member in self.members if member.due is not None and not member.held)
        due = min(waits, default=math.inf)
        return max(0.0, min(LOOK_SECONDS, due - time.monotonic()))

    def _tend(self, member: Supervised) -> None:
        # Held members are between their stop and their start, or leaving.
        if member.child.running or member.held:
            return
        now = time.monotonic()
        if member.due is None:
            member.last_exit = member.child.exit_code
            steady = now - member.child.started_at > STEADY_SECONDS
            member.failures = 0 if steady else member.failures + 1
            member.due = now + backoff(member.failures)
            member.ready = False
            self.changed()
        if now >= member.due:
            member.due = None
            member.restarts += 1
            member.child.start()
            self._watch(member)
            self.changed()

    def _watch(self, member: Supervised) -> None:
        member.ready = False
        previous = self._probing.get(member.name)
        if previous is None or previous.done():
            self._probing[member.name] = asyncio.create_task(self._until_ready(member))

    async def _until_ready(self, member: Supervised) -> None:
        while not member.ready:
            if member.child.running and await asyncio.to_thread(member.answers):
                # It may have ended while it was asked.
                member.ready = member.child.running
                self.changed()
            else:
                await asyncio.sleep(PROBE_SECONDS)

    async def restart(self, members: Iterable[Supervised], seconds: float = 15.0) -> None:
        """One after the other, so that what runs several times never stops answering."""
        for member in members:
            member.held, member.ready = True, False
            # What it failed at before was other code: after an edit it has all its tries again.
            member.failures, member.due = 0, None
            await asyncio.to_thread(member.child.stop, seconds)
            member.child.start()
            member.held = False
            self._watch(member)
            self.changed()
            await self.wait_ready([member], 30.0)

    async def stop(self, members: Iterable[Supervised], seconds: float) -> None:
        """All of one rank at once; those that do not listen are ended by force."""
        leaving = [member for member in members if member in self.members]
        for member in leaving:
            member.held = True
            # A process paused by a fault run cannot read its signal.
            member.child.resume()
            member.child.ask_to_stop()
        await asyncio.gather(*(asyncio.to_thread(member.child.stop, seconds) for member in leaving))
        for member in leaving:
            self.members.remove(member)
            task = self._probing.pop(member.name, None)
            if task is not None:
                task.cancel()
        self.changed()


def backoff(failures: int) -> float:
    """Seconds before the next start after so many quick ends: 0, 0.5, 1, 2, 4, 8, 10, 10 …"""
    return 0.0 if failures <= 1 else min(LONGEST_BACKOFF, 0.25 * 2.0 ** (failures - 1))
