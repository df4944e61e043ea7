"""What a handler is given: the job, the database, progress, and the one way to finish together with its effect."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from libs.bus.subjects import jobs_progress
from libs.clock import monotonic
from libs.jobs.errors import Discard
from libs.jobs.job import Job
from libs.jobs.store import leases
from libs.postgres import Connection, Database
from libs.sandbox import LimitExceeded, Limits, Refused, run_once

if TYPE_CHECKING:
    from libs.bus import Bus

# Seconds between writes of progress. Each costs an UPDATE and a core message; more often is not visible to a person.
PROGRESS_EVERY_SECONDS = 0.5
_LIMITS = {
    "memory": "The work needed more memory than it may use.",
    "cpu": "The work needed more computing time than it may use.",
    "time": "The work took longer than it may.",
    "output": "The work produced more than it may.",
}

_log = logging.getLogger("jobs")


class JobContext:
    """One attempt of one job. `cancelled` turns true shortly before the handler is interrupted."""

    def __init__(self, job: Job, db: Database, bus: Bus) -> None:
        self.job = job
        self.db = db
        self.bus = bus
        self.cancelled = False
        self.finished = False
        self._told_at = float("-inf")
        self._percent = 0

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A log adapter whose lines carry job and attempt."""
        return logging.LoggerAdapter(
            _log, {"job_id": self.job.id, "job_kind": self.job.kind, "attempt": self.job.attempt}
        )

    async def progress(self, percent: int, note: str = "") -> None:
        """Tell how far the job is, 0..100; at most two writes a second, so call it as often as you like."""
        percent = max(0, min(100, percent))
        if percent == self._percent or monotonic() - self._told_at < PROGRESS_EVERY_SECONDS:
            return
        self._percent, self._told_at = percent, monotonic()
        await leases.record_progress(self.db, self.job, percent)
        await announce_state(self.bus, self.job.id, self.job.org_id, self.job.kind, "running", percent, note)

    @contextlib.asynccontextmanager
    async def finish(self, result: Mapping[str, Any] | None = None) -> AsyncIterator[Connection]:
        """The transaction in which the handler writes its effect and events; leaving it completes the job in the same
        commit, or raises LeaseLost and commits nothing. A system transaction when the job has no organization."""
        org_id = self.job.org_id
        async with self.db.transaction(org_id) if org_id else self.db.system_transaction() as conn:
            yield conn
            await leases.complete(conn, self.job, result)
        self.finished = True

    async def run_in_child(
        self,
        fn: Callable[..., Any],
        *args: Any,
        limits: Limits,
        attachment: int | None = None,
        readable: Sequence[Path] = (),
    ) -> Any:
        """Run a module-level function in a sandbox (libs.sandbox), so that heavy work never holds up heartbeats and
        hostile input never hurts the worker. Arguments and result are plain data (msgpack); with an `attachment` the
        first argument is that open file's descriptor. If the function takes a `progress` keyword it gets a callable
        (percent, note). Exceeding a limit discards the job with a reason; a crash (Crashed) fails the attempt."""
        try:
            return await run_once(fn, args, limits, attachment=attachment, on_progress=self.progress, readable=readable)
        except LimitExceeded as error:
            raise Discard(f"job_{error.limit}_limit", _LIMITS[error.limit]) from None
        except Refused as error:
            raise Discard(error.reason, error.detail) from None


async def announce_state(
    bus: Bus, job_id: str, org_id: str, kind: str, state: str, progress: int, note: str = ""
) -> None:
    """Tell realtime's listeners of job:<id>; may be lost, GET /api/jobs/{id} knows the truth."""
    if not org_id:
        return
    word = {"jobId": job_id, "kind": kind, "state": state, "progress": progress}
    if note:
        word["note"] = note
    await bus.publish_core(jobs_progress(org_id, job_id), msgspec.json.encode(word))
