"""Reconcile: walk the call log's billable calls beside the usage they made, and the usage beside the ledger.

A call that ended a moment ago may not have arrived here yet, so a difference is checked again before it is reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from echosenseix.calllog.v1 import calllog_pb2
from libs.rpc.context import remaining_seconds
from libs.rpc.times import to_timestamp
from services.billing.domain.amounts import seconds_to_micros
from services.billing.domain.reconciliation import Difference, compare_calls, compare_ratings
from services.billing.storage.reconciliation import Reconciliations

# The call log's method, as its stub has it.
ListBillable = Callable[[calllog_pb2.ListBillableCallsRequest], Awaitable[calllog_pb2.ListBillableCallsResponse]]
# Differences in one answer. More do not help a person; the message would grow.
MAX_DIFFERENCES = 1_000
# Calls per page of the call log.
_PAGE = 1_000
# Checks of a difference before it is reported, because a call that has just ended may still be on its way.
_LOOKS = 3
# Seconds between these checks.
_SETTLE_SECONDS = 0.4


@dataclass(slots=True)
class Findings:
    calls: int = 0
    usage_events: int = 0
    ledger_entries: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reconciler:
    stored: Reconciliations
    list_billable: ListBillable

    async def reconcile(self, org_id: str, start: datetime, end: datetime) -> Findings:
        """All differences of the window, at most 1,000."""
        for _ in range(_LOOKS - 1):
            found = await self._look(org_id, start, end)
            left = remaining_seconds()
            # Another look must fit into what is left of the caller's deadline.
            if not found.differences or (left is not None and left < 3 * _SETTLE_SECONDS):
                return found
            await asyncio.sleep(_SETTLE_SECONDS)
        return await self._look(org_id, start, end)

    async def _look(self, org_id: str, start: datetime, end: datetime) -> Findings:
        found = Findings()
        await self._compare_calls(org_id, start, end, found)
        async for batch in self.stored.rated(org_id, start, end):
            found.usage_events += len(batch)
            found.ledger_entries += sum(1 for usage in batch if usage.ledger_entry_id)
            found.differences += compare_ratings(batch)
        found.differences += await self.stored.ledger_faults(org_id, start, end, MAX_DIFFERENCES)
        del found.differences[MAX_DIFFERENCES:]
        return found

    async def _compare_calls(self, org_id: str, start: datetime, end: datetime, found: Findings) -> None:
        """Page by page in the order of ids: each page of calls against the usage of the same range of ids."""
        after, more = "", True
        while more:
            page = await self.list_billable(
                calllog_pb2.ListBillableCallsRequest(
                    organization_id=org_id,
                    from_time=to_timestamp(start),
                    to_time=to_timestamp(end),
                    after_id=after,
                    limit=_PAGE,
                )
            )
            more = page.has_more and bool(page.calls)
            calls = {call.call_id: seconds_to_micros(call.duration_seconds) for call in page.calls}
            # The last page has no upper bound: usage beyond every call is a difference too.
            up_to = page.calls[-1].call_id if more else ""
            found.calls += len(calls)
            found.differences += compare_calls(calls, await self.stored.metered(org_id, start, end, after, up_to))
            after = up_to
