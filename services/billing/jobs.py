"""billing.calculate: rate usage events and post them to the ledger.

A call is rated with its event (subscribers); this is for what no rate covered then. Without ids it rates all unrated
events of its organization, with ids those events, which earlier releases enqueued. Without an organization it is the
sweep that finds organizations with unrated events. A rated event is never rated again.
retention.sweep: forget top-ups that were never paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from libs.clock import Clock
from libs.events.outbox import append_many
from libs.jobs import Handlers, JobContext, JobKind, enqueue_many
from services.billing.mapping import charge_events
from services.billing.operations import CALCULATE, SERVICE, Books
from services.billing.storage.payments import Payments
from suite.tables import kept

# Younger events have a job of their own. Events older than a month need a person.
_SETTLED = timedelta(minutes=2)
# How far back the sweep looks.
_LOOK_BACK = timedelta(days=31)
# A queue of its own, so that a long sweep never holds up a rating.
SWEEP = JobKind("retention.sweep", service=SERVICE, queue="maintenance")


def job_handlers(calculation: Calculation, payments: Payments) -> Handlers:
    handlers = Handlers()
    handlers.add(CALCULATE, calculation.run)
    # Every ten minutes: a new rate charges what waited for it within that time.
    handlers.cron("rating-missed", "*/10 * * * *", CALCULATE)

    async def sweep(ctx: JobContext) -> Mapping[str, int]:
        async with ctx.finish() as conn:
            before = calculation.clock.now() - kept(SERVICE, "top_up")
            return {"topUps": await payments.sweep(conn, before)}

    handlers.add(SWEEP, sweep)
    handlers.cron("top-ups-sweep", "17 3 * * *", SWEEP)
    return handlers


@dataclass(frozen=True, slots=True)
class Calculation:
    books: Books
    low_micros: int
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, Any]:
        if not ctx.job.org_id:
            return await self._sweep(ctx)
        result: dict[str, Any] = {}
        async with ctx.finish(result) as conn:
            org_id = ctx.job.org_id
            charges = await self.books.charge(conn, org_id, ctx.job.args.get("usageEventIds"))
            await append_many(conn, charge_events(org_id, charges, self.low_micros))
            result.update(rated=len(charges.charged), amountMicros=-sum(e.amount_micros for _, e in charges.charged))
        return result

    async def _sweep(self, ctx: JobContext) -> Mapping[str, Any]:
        now = self.clock.now()
        missed = await self.books.usage.organizations_with_unrated(now - _LOOK_BACK, now - _SETTLED)
        result = {"organizations": len(missed)}
        async with ctx.finish(result) as conn:
            await enqueue_many(conn, [CALCULATE.new(org_id, {"unrated": "all"}) for org_id in missed])
        return result
