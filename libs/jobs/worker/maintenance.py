"""Maintenance of the queue, done by every worker beside its jobs: sweep expired leases, promote delayed jobs, fire
schedules, delete old jobs, measure the backlog. Several workers may do all of it at the same time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from libs.bus.subjects import job_wakeup
from libs.jobs.context import announce_state
from libs.jobs.handlers import Handlers
from libs.jobs.meters import meters_of
from libs.jobs.store import leases, retention
from libs.jobs.worker.schedule import Scheduler
from libs.postgres import Database
from libs.telemetry import metrics

if TYPE_CHECKING:
    from libs.bus import Bus

# Seconds between rounds. It bounds how long a job waits after its lease has expired.
SWEEP_SECONDS = 2.0
# Rounds between the costlier steps (retention, backlog): every 10 s.
REGULARLY = 5
# After an outage of the database, running workers need a moment to renew their leases before a sweep takes the jobs
# back.
GRACE_SECONDS = leases.HEARTBEAT_SECONDS + 2.0
_log = logging.getLogger("jobs")


class Maintenance:
    """`due_in(queue, seconds)` is the worker's alarm clock."""

    def __init__(
        self, service: str, db: Database, bus: Bus, handlers: Handlers, due_in: Callable[[str, float], Any]
    ) -> None:
        self._service = service
        self._db = db
        self._bus = bus
        self._handlers = handlers
        self._due_in = due_in
        self._declared = False
        self._scheduler = Scheduler(db, handlers)

    async def run(self) -> None:
        await asyncio.sleep(0)
        rounds = 0
        while True:
            try:
                await self.once(regularly=rounds % REGULARLY == 0)
                rounds += 1
                await asyncio.sleep(SWEEP_SECONDS)
            except Exception:
                _log.warning("upkeep failed; trying again", exc_info=True)
                await asyncio.sleep(GRACE_SECONDS)

    async def once(self, *, regularly: bool = False) -> None:
        """One round of everything."""
        if not self._declared:
            await retention.declare(self._db, list(self._handlers.queues))
        pending = await leases.pending(self._db, list(self._handlers.schedules))
        if pending.expired:
            await self.take_back()
        if pending.soon:
            await self.promote()
        if pending.firing or not self._declared:  # the first call declares the schedules
            for queue in await self._scheduler.fire():
                self._due_in(queue, 0.0)
        self._declared = True
        if regularly:
            for queue in await retention.expired(self._db, self._handlers.queues.values()):
                await retention.forget(self._db, self._handlers.queues[queue])
            await self._measure()

    async def promote(self) -> None:
        """Bring delayed jobs near, and set the alarm for each moment at which some are due."""
        for queue, delay in {(queue, round(delay, 3)) for queue, delay in await leases.promote(self._db)}:
            self._due_in(queue, delay)

    async def take_back(self, worker: str | None = None) -> None:
        """Take back jobs whose lease expired, and those that the dead process named `worker` still holds."""
        for job in await leases.sweep(self._db, worker):
            meters_of(job.queue, job.kind).stalled.inc()
            if job.state == "queued":
                await self._bus.publish_core(job_wakeup(self._service, job.queue), b"")
                self._due_in(job.queue, 0.0)
            else:
                meters_of(job.queue, job.kind).count(job.state, 1)
                await announce_state(self._bus, job.id, job.org_id, job.kind, job.state, 0)
            _log.warning("a lease ran out", extra={"job_id": job.id, "job_kind": job.kind, "job_state": job.state})

    async def _measure(self) -> None:
        for queue in await retention.declare_unserved(self._db):
            _log.error("jobs wait in a queue that no worker serves", extra={"queue": queue})
        for queue, (depth, oldest) in (await retention.depths(self._db, list(self._handlers.queues))).items():
            metrics.JOB_DEPTH.labels(queue).set(depth)
            metrics.JOB_OLDEST_SECONDS.labels(queue).set(oldest)
