"""session.sweep: delete sessions that ended long ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from libs.clock import Clock
from libs.jobs import Handlers, JobContext, JobKind
from services.identity.storage.sessions import Sessions

# How long an ended session stays visible to audits.
KEEP_ENDED = timedelta(days=30)
SWEEP = JobKind("session.sweep", service="identity")


def job_handlers(sessions: Sessions, clock: Clock) -> Handlers:
    async def sweep(ctx: JobContext) -> Mapping[str, int]:
        async with ctx.finish() as conn:
            return {"removed": await sessions.sweep(conn, clock.now() - KEEP_ENDED)}

    handlers = Handlers()
    handlers.add(SWEEP, sweep)
    handlers.cron("session-sweep", "17 3 * * *", SWEEP)
    return handlers
