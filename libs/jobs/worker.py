"""The worker of one process: claims due jobs, runs their handlers, keeps their leases, ends them.

At most `settings.worker_concurrency` handlers run at once; short jobs are claimed a little ahead of need. It must not
know any kind of job. Clean-up that belongs to the queue as a whole lives in libs.jobs.upkeep.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libs.bus.subjects import delayed_job_wakeup, job_wakeup
from libs.clock import monotonic
from libs.config import ServiceSettings
from libs.errors import AppError
from libs.jobs import leases
from libs.jobs.claims import Claimer
from libs.jobs.context import JobContext, announce_state
from libs.jobs.finishing import Finisher
from libs.jobs.handlers import Handlers
from libs.jobs.job import Job, encode_json
from libs.jobs.leases import Settlement
from libs.jobs.outcomes import Cancel, Discard, LeaseLost, RetryAfter, Snooze, describe
from libs.jobs.upkeep import Upkeep
from libs.postgres import Database
from libs.telemetry import metrics, span, use_traceparent

if TYPE_CHECKING:
    from libs.bus import Bus

CLAIM_AT_MOST = 32
BUSY_POLL_SECONDS = 0.1
IDLE_POLL_SECONDS = 1.0
UNKNOWN_KIND_SECONDS = 15.0
INTERRUPTED_SECONDS = 1.0
FLUSH_SECONDS = 2.0
PASS_ON_SECONDS = 0.02
_AHEAD_SECONDS = 0.05
_log = logging.getLogger("jobs")


@dataclass(slots=True)
class QueueState:
    """When to ask a queue again."""

    claimer: Claimer
    ask_at: float = 0.0
    busy_until: float = 0.0

    def poll_later(self, found: bool) -> None:
        now = monotonic()
        if found:
            self.busy_until = now + 2.0
        if found and not self.claimer.drained:
            self.ask_at = now
            return
        wait = BUSY_POLL_SECONDS if now < self.busy_until else IDLE_POLL_SECONDS
        if self.claimer.retry_in is not None:
            wait = min(wait, self.claimer.retry_in)
        self.ask_at = now + wait


@dataclass(slots=True, eq=False)
class Held:
    """A leased job in this process: waiting for a slot, or running (then it can be interrupted)."""

    job: Job
    context: JobContext | None = None
    scope: asyncio.Timeout | None = None
    reason: str = ""

    def interrupt(self, reason: str) -> None:
        self.reason = self.reason or reason
        if self.scope is not None:
            with contextlib.suppress(RuntimeError):  # the handler has just ended by itself
                self.scope.reschedule(asyncio.get_running_loop().time())
        if self.context is not None:
            self.context.cancelled = True


class Worker:
    """Run it with `await Worker(settings, service, db, bus, handlers).run(stop)`."""

    def __init__(self, settings: ServiceSettings, service: str, db: Database, bus: Bus, handlers: Handlers) -> None:
        self._settings = settings
        self._service = service
        self._db = db
        self._bus = bus
        self._handlers = handlers
        self._queues = {
            name: QueueState(Claimer(db, policy, settings.instance)) for name, policy in handlers.queues.items()
        }
        self._held: dict[str, Held] = {}
        self._waiting: deque[Held] = deque()
        self._work = asyncio.Semaphore(0)
        self._look = asyncio.Event()
        self._running: set[Held] = set()
        self._mean_run = 1.0
        self._draining = False
        self._passing_on = False
        self._finisher = Finisher(db, self._ended)
        self._upkeep = Upkeep(service, db, bus, handlers, self.due_in)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then let running handlers end within half the drain time and release the rest uncharged."""
        self._db.announce_through(self._bus.announce)
        subjects = [name(self._service, queue) for queue in self._queues for name in (job_wakeup, delayed_job_wakeup)]
        wakeups = [await self._bus.subscribe_core(subject, self._on_wake, queue="workers") for subject in subjects]
        runners = [asyncio.create_task(self._runner()) for _ in range(self._settings.worker_concurrency)]
        loops = [asyncio.create_task(loop) for loop in (self._heartbeats(), self._finisher.run(), self._upkeep.run())]
        claims = asyncio.create_task(self._claims())
        try:
            await stop.wait()
        finally:
            for wakeup in wakeups:  # or this process would swallow what others could act on
                await wakeup.unsubscribe()
            await _cancel(claims)
            await self._drain()
            stuck = list(self._running)
            await _cancel(*runners, *loops)
            await self._release(stuck)

    def due_in(self, queue: str, delay: float) -> None:
        """A job of the queue is due in so many seconds: ask then."""
        if queue not in self._queues:
            return
        if delay > 0.001:
            asyncio.get_running_loop().call_later(delay, self.due_in, queue, 0.0)
            return
        self._queues[queue].ask_at = 0.0
        self._look.set()

    async def _on_wake(self, subject: str, data: bytes) -> None:
        _, _, queue, *later = subject.split(".")
        if later:
            await self._upkeep.promote()
        elif self._room():
            self.due_in(queue, 0.0)
        elif not self._passing_on:
            # Full: somebody else of the group may have room. One word at a time goes round, and slowly.
            self._passing_on = True
            await asyncio.sleep(PASS_ON_SECONDS)
            self._passing_on = False
            await self._bus.publish_core(subject)

    # Claiming

    async def _claims(self) -> None:
        while True:
            try:
                await self._claim_round()
            except Exception:
                _log.warning("could not claim jobs; trying again", exc_info=True)
                await asyncio.sleep(IDLE_POLL_SECONDS)
            self._look.clear()
            wait = min(state.ask_at for state in self._queues.values()) - monotonic() if self._room() else 60.0
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._look.wait()

    async def _claim_round(self) -> None:
        """Ask each queue whose time has come, the one asked longest ago first, while there is room."""
        for state in sorted(self._queues.values(), key=lambda state: state.ask_at):
            room = min(CLAIM_AT_MOST, self._room())
            if room <= 0 or state.ask_at > monotonic():
                return
            state.ask_at = float("inf")  # a wake-up during the claim brings it back to now
            try:
                jobs = await state.claimer.claim(room)
            except BaseException:
                state.ask_at = 0.0
                raise
            self._take(jobs)
            if state.ask_at > 0:
                state.poll_later(bool(jobs))

    def _take(self, jobs: list[Job]) -> None:
        for job in jobs:
            held = Held(job)
            self._held[job.id] = held
            self._waiting.append(held)
            self._work.release()

    def _room(self) -> int:
        """How many more jobs to hold: the free slots, and for short jobs what the slots will do in 50 ms."""
        slots = self._settings.worker_concurrency
        ahead = min(2 * CLAIM_AT_MOST, int(slots * _AHEAD_SECONDS / max(self._mean_run, 1e-4)))
        room = slots + ahead - len(self._running) - len(self._waiting)
        # Small claims cost as much as large ones: while jobs are short, ask again only when half a batch fits.
        return room if not self._waiting or room >= CLAIM_AT_MOST // 2 else 0

    # Running

    async def _runner(self) -> None:
        while True:
            await self._work.acquire()
            held = self._waiting.popleft()
            if held.reason:  # lost or cancelled before it began
                self._end(held, held.reason)
                continue
            self._running.add(held)
            begun = monotonic()
            try:
                await self._attempt(held)
            finally:
                self._running.discard(held)
                self._mean_run += (monotonic() - begun - self._mean_run) * 0.1
                if self._room() or self._draining:
                    self._look.set()

    async def _attempt(self, held: Held) -> None:
        job = held.job
        labels = (job.queue, job.kind)
        metrics.JOBS_STARTED.labels(*labels).inc()
        metrics.JOB_WAIT_SECONDS.labels(*labels).observe(max(0.0, (job.started_at - job.run_at).total_seconds()))
        if job.kind not in self._handlers.kinds:  # a newer version's job, met while the fleet is being replaced
            self._settle(job, "queued", "snoozed", UNKNOWN_KIND_SECONDS, charged=False, code="no_handler")
            return
        handler, policy = self._handlers.kinds[job.kind]
        held.context = context = JobContext(job, self._db, self._bus)
        begun = monotonic()
        try:
            with use_traceparent(job.traceparent or ""), span("job " + job.kind, kind="consumer"):
                async with asyncio.timeout(policy.timeout_seconds) as held.scope:
                    result = await handler(context)
        except Exception as error:
            self._fail(held, context, error)
        else:
            self._succeed(job, context, result)
        finally:
            metrics.JOB_RUN_SECONDS.labels(*labels).observe(monotonic() - begun)

    def _succeed(self, job: Job, context: JobContext, result: Mapping[str, Any] | None) -> None:
        if context.finished:
            self._ended(job, None, True)
            return
        try:
            self._finisher.complete(job, None if result is None else encode_json(result, "result"))
        except AppError as error:
            self._settle(job, "failed", "failed", code=error.reason, message=error.detail)

    def _fail(self, held: Held, context: JobContext, error: Exception) -> None:
        job = held.job
        if context.finished:
            context.log.warning("the handler failed after it had finished its job", exc_info=error)
            self._ended(job, None, True)
        elif isinstance(error, TimeoutError) and held.scope is not None and held.scope.expired():
            self._end(held, held.reason or "timeout")
        elif isinstance(error, LeaseLost):
            self._end(held, "lost")
        elif isinstance(error, Cancel):
            self._settle(job, "cancelled", "cancelled", code=error.code, message=error.message)
        elif isinstance(error, Snooze):
            self._settle(job, "queued", "snoozed", error.seconds, charged=False, code=error.code)
        elif isinstance(error, Discard):
            self._settle(job, "failed", "failed", code=error.code, message=error.message)
        else:
            context.log.warning("attempt failed", exc_info=error)
            after = error.seconds if isinstance(error, RetryAfter) else getattr(error, "retry_after", None)
            self._retry(job, *describe(error), after)

    def _end(self, held: Held, reason: str) -> None:
        """An attempt that was interrupted: timed out, cancelled, lost to another worker, or released at shutdown."""
        job = held.job
        if reason == "timeout":
            self._retry(job, "job_timeout", "The job took longer than it may.", None)
        elif reason == "cancelled":
            self._settle(job, "cancelled", "cancelled", code="cancelled", message="The job was cancelled.")
        elif reason == "released":
            self._settle(job, "queued", "released", charged=False)
        else:
            _log.warning("lease lost", extra={"job_id": job.id, "job_kind": job.kind})
            self._held.pop(job.id, None)

    def _retry(self, job: Job, code: str, message: str, after: float | None) -> None:
        if job.attempt >= job.max_attempts:
            self._settle(job, "failed", "failed", code=code, message=message)
            return
        planned = self._handlers.policy_of(job.kind).retry_delay(job.attempt)
        self._settle(job, "queued", "retried", max(planned, after or 0.0), code=code, message=message)

    def _settle(
        self, job: Job, state: str, outcome: str, delay: float = 0.0, *, charged: bool = True, code: str | None = None,
        message: str | None = None,
    ) -> None:  # fmt: skip
        self._finisher.settle(Settlement(job, state, outcome, delay, charged, code, message))

    def _ended(self, job: Job, settlement: Settlement | None, ours: bool) -> None:
        """The ending is written (`ours`) or another worker has the job."""
        self._held.pop(job.id, None)
        self._look.set()
        if not ours:
            _log.warning("a finish was fenced off", extra={"job_id": job.id, "job_kind": job.kind})
            return
        state = settlement.state if settlement else "completed"
        counters = {"completed": metrics.JOBS_FINISHED, "failed": metrics.JOBS_FAILED, "queued": metrics.JOBS_RETRIED}
        if state in counters:
            counters[state].labels(job.queue, job.kind).inc()
        if settlement and state == "queued":
            self.due_in(job.queue, settlement.delay)
        elif job.org_id:
            percent = 100 if state == "completed" else 0
            _spawn(announce_state(self._bus, job.id, job.org_id, job.kind, state, percent))

    # Keeping and giving back

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(leases.HEARTBEAT_SECONDS)
            held = list(self._held.values())
            if not held:
                continue
            try:
                ours, cancelled = await leases.heartbeat(self._db, [one.job for one in held])
            except Exception:
                _log.warning("heartbeat failed; trying again", exc_info=True)
                continue
            for one in held:
                if one.job.id in cancelled:
                    one.interrupt("cancelled")
                elif one.job.id not in ours and self._held.get(one.job.id) is one:
                    one.interrupt("lost")

    async def _drain(self) -> None:
        """Give back what has not begun; let the rest end, then interrupt it."""
        self._draining = True
        while self._waiting:
            self._end(self._waiting.pop(), "released")
        await self._until_idle(self._settings.drain_seconds / 2)
        for held in self._running:
            held.interrupt("released")
        await self._until_idle(INTERRUPTED_SECONDS)

    async def _until_idle(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._running:
                    self._look.clear()
                    await self._look.wait()

    async def _release(self, stuck: list[Held]) -> None:
        """Write how all ended; what did not listen gives its lease back all the same, for its task is gone."""
        for held in stuck:
            self._end(held, "released")
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._finisher.flush()
        except Exception:
            _log.warning("leases could not be released; they run out by themselves", exc_info=True)


_spawned: set[asyncio.Task[None]] = set()


def _spawn(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _spawned.add(task)
    task.add_done_callback(_spawned.discard)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
