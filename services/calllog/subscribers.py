"""The call-log's subscriptions: costs from billing, accounts at providers from agent.

Each handler runs in the transaction of its inbox row, so a repeated event changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from echosenseix.events.v1 import events_pb2
from libs.cache.changes import record_many
from libs.clock import Clock
from libs.events import ReceivedEvent, Subscriptions, Together
from libs.postgres import Connection
from services.calllog.domain.calls import Cost
from services.calllog.storage.calls import Calls
from services.calllog.storage.links import ProviderLinks


class Subscribers:
    def __init__(self, calls: Calls, links: ProviderLinks, clock: Clock) -> None:
        self._calls = calls
        self._links = links
        self._clock = clock

    def handlers(self) -> Subscriptions:
        return {
            "usage.recorded": Together(self.on_usage),
            "integration.updated": self.on_integration,
            "integration.synced": self.on_integration,
            "integration.failed": self.on_integration,
        }

    async def on_usage(self, conn: Connection, events: Sequence[ReceivedEvent]) -> None:
        """Store the costs of the calls that billing rated."""
        org_id, usages = events[0].org_id, [event.read(events_pb2.UsageRecorded) for event in events]
        costs = {usage.call_id: Cost(usage.amount_micros, usage.currency) for usage in usages if usage.call_id}
        if costs:
            rated = await self._calls.set_costs(conn, org_id, costs, self._clock.now())
            await record_many(conn, "call.rated", [(org_id, call_id) for call_id in rated])

    async def on_integration(self, conn: Connection, event: ReceivedEvent) -> None:
        """Update the accounts that the reconciler polls. A failing account may work at the next poll."""
        account = event.read(events_pb2.IntegrationChanged)
        await self._links.set_active(conn, event.org_id, account.provider, account.status != "disabled")
