"""analytics.aggregate: make the roll-ups of an hour anew, or have this done for every hour that changed lately.

Calls ask for their own hour as they are written; the hourly and daily sweeps repair whatever that missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from libs.cache.changes import record
from libs.clock import Clock
from libs.jobs import JobContext, enqueue_many
from services.calllog.operations import AGGREGATE
from services.calllog.storage.analytics import Analytics


@dataclass(frozen=True, slots=True)
class Aggregation:
    analytics: Analytics
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, Any]:
        args = ctx.job.args
        if "hour" in args:
            return await self._recompute(ctx, datetime.fromisoformat(args["hour"]))
        return await self._sweep(ctx, timedelta(hours=float(args["changedWithinHours"])))

    async def _recompute(self, ctx: JobContext, hour: datetime) -> Mapping[str, Any]:
        result = {"hour": hour.isoformat()}
        async with ctx.finish(result) as conn:
            await self.analytics.recompute(conn, ctx.job.org_id, hour, self.clock.now())
            await record(conn, "analytics.computed", ctx.job.org_id, hour.isoformat())
        return result

    async def _sweep(self, ctx: JobContext, age: timedelta) -> Mapping[str, Any]:
        changed = await self.analytics.hours_changed_since(self.clock.now() - age)
        result = {"hours": len(changed)}
        async with ctx.finish(result) as conn:
            await enqueue_many(conn, [AGGREGATE.new(org_id, {"hour": hour.isoformat()}) for org_id, hour in changed])
        return result
