"""The call-log's subscriptions: costs from billing, accounts at providers from agent.

Each handler runs in the transaction of its inbox row, so a repeated event changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from echosenseix.events.v1 import events_pb2
from libs.cache.changes import record
from libs.clock import Clock
from libs.events import Handler, ReceivedEvent
from libs.postgres import Connection
from services.calllog.domain.calls import Cost
from services.calllog.operations import count_again
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.calls import Calls
from services.calllog.storage.links import ProviderLinks


class Subscribers:
    def __init__(self, calls: Calls, analytics: Analytics, links: ProviderLinks, clock: Clock) -> None:
        self._calls = calls
        self._analytics = analytics
        self._links = links
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "usage.recorded": self.on_usage,
            "integration.updated": self.on_integration,
            "integration.synced": self.on_integration,
            "integration.failed": self.on_integration,
        }

    async def on_usage(self, conn: Connection, event: ReceivedEvent) -> None:
        """Store the cost of a call that billing rated."""
        usage = event.read(events_pb2.UsageRecorded)
        if not usage.call_id:
            return
        cost = Cost(usage.amount_micros, usage.currency)
        counted_at = await self._calls.set_cost(conn, event.org_id, usage.call_id, cost, self._clock.now())
        if counted_at is not None:
            await record(conn, "call.rated", event.org_id, usage.call_id)
            await count_again(conn, self._analytics, event.org_id, {counted_at})

    async def on_integration(self, conn: Connection, event: ReceivedEvent) -> None:
        """Update the accounts that the reconciler polls. A failing account may work at the next poll."""
        account = event.read(events_pb2.IntegrationChanged)
        await self._links.set_active(conn, event.org_id, account.provider, account.status != "disabled")
