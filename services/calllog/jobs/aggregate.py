"""The roll-ups: `fold_regularly` adds up what changed, a batch at a time. The job analytics.aggregate recomputes an
hour from its calls, or has this done for every hour that changed lately: the hourly and daily check.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from libs.cache.changes import record, record_many
from libs.clock import Clock
from libs.errors import AppError
from libs.jobs import JobContext, enqueue_many
from libs.postgres import Database
from libs.postgres.leader import Lease
from services.calllog.operations import AGGREGATE
from services.calllog.storage.analytics import Analytics

# Seconds between foldings, which bounds the age of analytics. Longer: fewer statements.
FOLD_SECONDS = 2.0
# Changes of a folding. More: longer transactions after an outage.
FOLD_BATCH = 10_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aggregation:
    database: Database
    analytics: Analytics
    clock: Clock

    async def fold_regularly(self, lease: Lease) -> None:
        """Until cancelled; one process leads, and two at a time do no harm."""
        while True:
            try:
                while await self.fold():
                    pass
            except AppError as error:
                logger.warning("analytics are added up later: %s", error.reason)
            await asyncio.sleep(FOLD_SECONDS)

    async def fold(self) -> bool:
        """Add up one batch; whether there was one."""
        if not await self.analytics.changed():
            return False
        async with self.database.system_transaction() as conn:
            changed = await self.analytics.fold(conn, self.clock.now(), FOLD_BATCH)
            await record_many(conn, "analytics.computed", [(org_id, org_id) for org_id in changed])
        return bool(changed)

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
