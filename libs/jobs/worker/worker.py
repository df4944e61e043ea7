"""The worker of one process: claims due jobs, runs their handlers, renews their leases, records their outcome.

At most `settings.worker_concurrency` handlers run at once; short jobs are claimed a little ahead of need. It must not
know any kind of job. Clean-up that belongs to the queue as a whole lives in libs.jobs.worker.maintenance.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from libs.bus.subjects import delayed_job_wakeup, job_wakeup
from libs.clock import monotonic
from libs.config import ServiceSettings
from libs.errors import AppError
from libs.jobs.context import announce_state
from libs.jobs.handlers import Handlers
from libs.jobs.job import Job
from libs.jobs.meters import meters_of
from libs.jobs.store.claims import Claimer, waiting
from libs.jobs.store.leases import Settlement
from libs.jobs.worker.completer import Completer
from libs.jobs.worker.executor import Completed, Held, Outcome, attempt, interrupted
from libs.jobs.worker.heartbeat import keep_leases
from libs.jobs.worker.maintenance import Maintenance
from libs.jobs.worker.poller import IDLE_POLL_SECONDS, Poller
from libs.postgres import Database

if TYPE_CHECKING:
    from libs.bus import Bus

# Jobs per claim, the size at which `make bench-jobs` measures. A claim reads all arguments into memory.
CLAIM_AT_MOST = 512
# Seconds that an interrupted handler has to end before its job is released.
INTERRUPTED_SECONDS = 1.0
# Seconds for the last endings at shutdown. Unwritten ones run again after their lease.
FLUSH_SECONDS = 2.0
# Seconds that shutdown waits for a claim under way, whose jobs must be released.
LAST_CLAIM_SECONDS = 1.0
# Seconds between wake-ups that a full worker passes on. Shorter: full workers exchange them in a loop.
PASS_ON_SECONDS = 0.02
# Seconds between checks of running jobs against their timeouts. A timer per job would cost more than a short job.
OVERDUE_SECONDS = 0.25
# Seconds that a claimed job may wait for a slot. Longer: jobs wait here while another worker is free.
WAIT_SECONDS = 1.0
# Seconds of work that a worker claims ahead of its slots. Shorter: slots idle during a claim. Longer: less fair turns.
AHEAD_SECONDS = 0.05
# Seconds that a full worker sleeps at most. A free slot wakes it earlier.
LOOK_AT_LEAST_SECONDS = 60.0
_log = logging.getLogger("jobs")


class Worker:
    """Run it with `await Worker(settings, service, db, bus, handlers).run(stop)`."""

    def __init__(self, settings: ServiceSettings, service: str, db: Database, bus: Bus, handlers: Handlers) -> None:
        strangers = sorted(kind.name for kind, _ in handlers.kinds.values() if kind.service != service)
        if strangers:
            raise ValueError(f"kinds of another service than {service}: {', '.join(strangers)}")
        self._settings = settings
        self._service = service
        self._db = db
        self._bus = bus
        self._handlers = handlers
        self._queues = {
            name: Poller(Claimer(db, policy, settings.instance)) for name, policy in handlers.queues.items()
        }
        self._slots = settings.worker_concurrency
        self._held: dict[str, Held] = {}
        self._waiting: deque[Held] = deque()
        self._running: set[Held] = set()
        self._work = asyncio.Event()
        self._look = asyncio.Event()
        self._mean_run = 1.0
        self._draining = False
        self._passing_on = False
        self._telling: set[asyncio.Task[None]] = set()
        self._completer = Completer(db, self._ended, self._flooded)
        self._maintenance = Maintenance(service, db, bus, handlers, self.due_in)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then let running handlers end within half the drain time and release the rest uncharged."""
        self._db.announce_through(self._bus.announce)
        subjects = [name(self._service, queue) for queue in self._queues for name in (job_wakeup, delayed_job_wakeup)]
        wakeups = [await self._bus.subscribe_core(subject, self._on_wake, queue="workers") for subject in subjects]
        forget = self._bus.on_connect(self._ask_all)
        runners = [asyncio.create_task(self._runner()) for _ in range(self._slots)]
        claims, upkeep = asyncio.create_task(self._claims()), asyncio.create_task(self._maintenance.run())
        heartbeats, overdue = (
            asyncio.create_task(keep_leases(self._db, self._held)),
            asyncio.create_task(self._overdue()),
        )
        finishing = asyncio.create_task(self._completer.run())
        stopped = asyncio.create_task(_wait(stop))
        try:
            all_loops = (heartbeats, overdue, finishing, claims, upkeep, *runners)
            await asyncio.wait((stopped, *all_loops), return_when=asyncio.FIRST_COMPLETED)
            for task in all_loops:
                if task.done():
                    task.result()  # a loop that ended by itself is a fault: the process ends and is started anew
        finally:
            forget()
            for wakeup in wakeups:  # otherwise this process would take wake-ups that other workers could act on
                await wakeup.unsubscribe()
            self._draining = True
            self._look.set()
            await asyncio.wait({claims}, timeout=LAST_CLAIM_SECONDS)
            await _cancel(stopped, claims, upkeep)
            await self._drain(runners)
            await self._flush(finishing)
            await _cancel(heartbeats, overdue, *self._telling)

    def due_in(self, queue: str, delay: float) -> None:
        """A job of the queue is due in so many seconds: ask then."""
        if queue not in self._queues:
            return
        if delay > 0.001:
            asyncio.get_running_loop().call_later(delay, self.due_in, queue, 0.0)
            return
        self._queues[queue].ask_now()
        self._look.set()

    def _ask_all(self) -> None:
        """Wake-ups may have been lost while NATS was away."""
        for queue in self._queues:
            self.due_in(queue, 0.0)

    async def _on_wake(self, subject: str, data: bytes) -> None:
        _, _, queue, *later = subject.split(".")
        if later:
            await self._maintenance.promote()
        elif self._room():
            self.due_in(queue, 0.0)
        elif not self._passing_on:
            # Full: another worker of the group may have a free slot. Pass one wake-up on at a time, slowly, so that
            # full workers do not exchange wake-ups endlessly.
            self._passing_on = True
            await asyncio.sleep(PASS_ON_SECONDS)
            self._passing_on = False
            await self._bus.publish_core(subject)

    # Claiming

    async def _claims(self) -> None:
        # a former process with our name is dead, because only one runs under a name
        with contextlib.suppress(AppError):
            await self._maintenance.take_back(self._settings.instance)
        while not self._draining:  # a claim under way is waited for: what it takes must be given back
            try:
                await self._claim_round()
            except Exception:
                _log.warning("could not claim jobs; trying again", exc_info=True)
                await asyncio.sleep(IDLE_POLL_SECONDS)
            self._look.clear()
            if self._draining:
                return
            wait = self._seconds_to_ask() if self._room() else LOOK_AT_LEAST_SECONDS
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._look.wait()

    def _seconds_to_ask(self) -> float:
        soonest = min((state.ask_at for state in self._queues.values()), default=math.inf)
        return min(soonest - monotonic(), LOOK_AT_LEAST_SECONDS)

    async def _claim_round(self) -> None:
        """Ask each queue whose time has come, the one asked longest ago first, while there is room."""
        await self._pass_over_empty()
        for state in sorted(self._queues.values(), key=lambda state: state.ask_at):
            room = min(CLAIM_AT_MOST, self._room())
            if self._draining or room <= 0 or state.ask_at > monotonic():
                return
            self._take(await state.claim(room, suspect=not self._holds_suspect()))

    async def _pass_over_empty(self) -> None:
        """One statement finds which of the idle queues have anything, because a worker is idle most of its time."""
        if self._draining or self._room() <= 0:
            return
        now = monotonic()
        idle = {name: state for name, state in self._queues.items() if state.idle}
        # All of them when it is time for one, so that they are asked together from then on.
        if any(state.ask_at <= now for state in idle.values()):
            for name in idle.keys() - await waiting(self._db, list(idle)):
                idle[name].rest()

    def _take(self, jobs: Sequence[Job]) -> None:
        since = monotonic()
        for job in jobs:
            held = Held(job, since)
            self._held[job.id] = held
            self._waiting.append(held)
        if jobs:
            self._work.set()
        for (queue, kind), count in Counter((job.queue, job.kind) for job in jobs).items():
            meters_of(queue, kind).started.inc(count)

    def _holds_suspect(self) -> bool:
        return any(held.job.suspect for held in self._held.values())

    def _flooded(self) -> bool:
        """More is due than the last claim took."""
        return not self._draining and any(state.flooded for state in self._queues.values())

    def _room(self) -> int:
        """How many more jobs to hold: the free slots, and for short jobs what the slots will do in 50 ms."""
        ahead = min(2 * CLAIM_AT_MOST, int(self._slots * AHEAD_SECONDS / max(self._mean_run, 1e-4)))
        room = self._slots + ahead - len(self._running) - len(self._waiting)
        # A small claim costs as much as a large one. While every slot has work, claim again only when half a batch
        # fits.
        return room if room > ahead or room >= CLAIM_AT_MOST // 2 else 0

    # Running and ending

    async def _runner(self) -> None:
        task: asyncio.Task[None] = asyncio.current_task()  # type: ignore[assignment]
        while True:
            while not self._waiting:
                self._work.clear()
                await self._work.wait()
            held = self._waiting.popleft()
            self._running.add(held)
            begun = monotonic()
            try:
                self._end(held.job, await attempt(held, task, self._handlers, self._db, self._bus))
            finally:
                self._running.discard(held)
                self._mean_run += (monotonic() - begun - self._mean_run) * 0.2
                if len(self._waiting) <= CLAIM_AT_MOST or self._draining:
                    self._look.set()

    def _end(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, Settlement):
            self._completer.settle(outcome)
        elif not isinstance(outcome, Completed):
            _log.warning("a lease was lost", extra={"job_id": job.id, "job_kind": job.kind})
            self._forget(job)
        elif outcome.finished:
            self._ended([(job, None)], {job.id})
        else:
            self._completer.complete(job, outcome.result)
        if self._queues[job.queue].limited:
            self._completer.hurry()

    def _forget(self, job: Job) -> None:
        """This claim of the job; after a freeze this process may hold the same job anew."""
        if (held := self._held.get(job.id)) is not None and held.job.token == job.token:
            del self._held[job.id]

    def _ended(self, endings: Sequence[tuple[Job, Settlement | None]], ours: set[str]) -> None:
        """These endings are written; those not `ours` were fenced off, because another worker has the job."""
        finals, counts = [], Counter[tuple[str, str, str]]()
        for job, settlement in endings:
            self._forget(job)
            if job.id not in ours:
                _log.warning("an ending was fenced off", extra={"job_id": job.id, "job_kind": job.kind})
                continue
            state = settlement.state if settlement else "completed"
            counts[job.queue, job.kind, settlement.outcome if settlement else state] += 1
            if settlement and state == "queued":
                self.due_in(job.queue, settlement.delay)
            elif job.org_id:
                finals.append((job, state))
        for (queue, kind, outcome), count in counts.items():
            meters_of(queue, kind).count(outcome, count)
        if finals:
            task = asyncio.get_running_loop().create_task(self._tell(finals))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, finals: Sequence[tuple[Job, str]]) -> None:
        for job, state in finals:
            percent = 100 if state == "completed" else 0
            await announce_state(self._bus, job.id, job.org_id, job.kind, state, percent)

    # Keeping and giving back

    async def _overdue(self) -> None:
        """Interrupt jobs that exceed the timeout of their kind, and release jobs that wait too long for a slot."""
        while True:
            if not self._held:
                # An idle worker's timer would be most of its wake-ups.
                await self._work.wait()
            await asyncio.sleep(OVERDUE_SECONDS)
            now = monotonic()
            for held in self._running:
                if held.due < now:
                    held.interrupt("timeout")
            # The jobs were claimed ahead and wait behind long ones: another worker may have a free slot.
            while self._waiting and self._waiting[-1].since < now - WAIT_SECONDS:
                self._release(self._waiting.pop())
                self._mean_run = WAIT_SECONDS

    async def _drain(self, runners: Sequence[asyncio.Task[None]]) -> None:
        """Release jobs that have not begun and let the others end. Interrupt those that do not end in time, and release
        those that ignore it."""
        while self._waiting:
            self._release(self._waiting.pop())
        await self._until_idle(self._settings.drain_seconds / 2)
        for held in self._running:
            held.interrupt("released")
        await self._until_idle(INTERRUPTED_SECONDS)
        unresponsive = list(self._running)
        await _cancel(*runners)
        for held in unresponsive:
            self._release(held)

    def _release(self, held: Held) -> None:
        self._end(held.job, interrupted(held.job, "released"))

    async def _until_idle(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._running:
                    self._look.clear()
                    await self._look.wait()

    async def _flush(self, finishing: asyncio.Task[None]) -> None:
        """Write how all ended. When that fails the leases run out by themselves."""
        self._completer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await finishing
                await asyncio.gather(*self._telling, return_exceptions=True)


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    """A handler that ignores its cancellation ends with its process."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=INTERRUPTED_SECONDS)
