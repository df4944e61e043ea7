"""One attempt of one job: run its handler within its limits and return the outcome. It must not write the outcome."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from libs import context as calls
from libs.clock import monotonic
from libs.errors import AppError
from libs.jobs.context import JobContext
from libs.jobs.errors import Cancel, Discard, LeaseLost, RetryAfter, Snooze, describe
from libs.jobs.handlers import Handlers
from libs.jobs.job import Job, encode_json
from libs.jobs.kind import JobKind
from libs.jobs.meters import meters_of
from libs.jobs.store.leases import Settlement
from libs.postgres import Database
from libs.telemetry import span, use_traceparent

if TYPE_CHECKING:
    from libs.bus import Bus

# Seconds before a job of an unknown kind is tried again: about the time in which a rolling update replaces a worker.
UNKNOWN_KIND_SECONDS = 15.0
_log = logging.getLogger("jobs")


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler is done; unless it `finished` in its own transaction, that is still to be written."""

    finished: bool
    result: str | None = None


class Lost:
    """The job is another worker's; nothing is to be written."""


Outcome = Completed | Settlement | Lost


@dataclass(slots=True, eq=False)
class Held:
    """A leased job in this process: waiting for a slot, or running (then it can be interrupted)."""

    job: Job
    since: float = 0.0
    context: JobContext | None = None
    task: asyncio.Task[Any] | None = None
    due: float = math.inf
    reason: str = ""

    @property
    def needs_lease(self) -> bool:
        return self.context is None or not self.context.finished

    def interrupt(self, reason: str) -> None:
        """End the handler at its next await; `reason` is cancelled, timeout, lost or released."""
        if self.reason:
            return
        self.reason = reason
        if self.context is not None:
            self.context.cancelled = True
        if self.task is not None:  # it is suspended inside its handler, because it is not the one that speaks
            self.task.cancel()


async def attempt(held: Held, task: asyncio.Task[Any], handlers: Handlers, db: Database, bus: Bus) -> Outcome:
    """Run the handler once, in `task`, which is the one that calls."""
    job, meters = held.job, meters_of(held.job.queue, held.job.kind)
    if held.reason:  # lost, cancelled or released before it began
        return interrupted(job, held.reason)
    meters.wait.observe(max(0.0, job.waited))
    if job.kind not in handlers.kinds:  # a newer release's job, met while the fleet is being replaced
        return Settlement(job, "queued", "snoozed", UNKNOWN_KIND_SECONDS, charged=False, code="no_handler")
    kind, handler = handlers.kinds[job.kind]
    held.context = context = JobContext(job, db, bus)
    begun = monotonic()
    held.due = begun + kind.timeout_seconds  # the worker looks at it; a timer a job would cost more than a short job
    held.task = task
    try:
        with calls.serving(calls.CallContext(on_behalf_of=job.proof)):
            if not job.traceparent:
                result = await handler(context)
            else:
                with use_traceparent(job.traceparent), span(f"job {job.kind}", kind="consumer"):
                    result = await handler(context)
        return Completed(context.finished, None if result is None else encode_json(result, "result"))
    except asyncio.CancelledError as error:
        if task.cancelling() > (1 if held.reason else 0):
            raise  # the worker stops, not the handler
        return _outcome(held, context, kind, error)
    except Exception as error:
        return _outcome(held, context, kind, error)
    finally:
        held.task = None
        if held.reason:
            task.uncancel()
        meters.run.observe(monotonic() - begun)


def _outcome(held: Held, context: JobContext, kind: JobKind, error: BaseException) -> Outcome:
    job = held.job
    if context.finished:
        context.log.warning("the handler failed after it had finished its job", exc_info=error)
        return Completed(finished=True)
    if isinstance(error, asyncio.CancelledError) and held.reason:
        if held.reason == "timeout":
            return _retry(job, kind, "job_timeout", "The job took longer than it may.", 0.0)
        return interrupted(job, held.reason)
    if isinstance(error, LeaseLost):
        return Lost()
    if isinstance(error, Cancel):
        return Settlement(job, "cancelled", "cancelled", code=error.code, message=error.message)
    if isinstance(error, Snooze):
        return Settlement(job, "queued", "snoozed", error.seconds, charged=False, code=error.code)
    if isinstance(error, Discard):
        return Settlement(job, "failed", "failed", code=error.code, message=error.message)
    context.log.warning("an attempt failed", exc_info=error)
    after = error.seconds if isinstance(error, RetryAfter) else 0.0
    if isinstance(error, AppError):
        after = error.retry_after or 0.0
    return _retry(job, kind, *describe(error), after)


def interrupted(job: Job, reason: str) -> Outcome:
    """The outcome of an attempt that was cut short: cancelled, released at shutdown, or lost."""
    if reason == "cancelled":
        return Settlement(job, "cancelled", "cancelled", code="cancelled", message="The job was cancelled.")
    if reason == "released":
        return Settlement(job, "queued", "released", charged=False)
    return Lost()


def _retry(job: Job, kind: JobKind, code: str, message: str, after: float) -> Settlement:
    if job.attempt >= job.max_attempts:
        return Settlement(job, "failed", "failed", code=code, message=message)
    delay = max(kind.retry_delay(job.attempt), after)
    return Settlement(job, "queued", "retried", delay, code=code, message=message)
