"""The call-log's subscriptions: costs from billing, accounts at providers from agent.

Each handler runs in the transaction of its inbox row, so a repeated event changes nothing.
"""

from libs.bus import Bus
from libs.clock import Clock
from libs.events import EventConsumer, ReceivedEvent
from libs.postgres import Connection, Database
from services.calllog.domain.calls import Cost
from services.calllog.operations import SERVICE, count_again
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.calls import Calls
from services.calllog.storage.links import ProviderLinks


class CallLogSubscribers:
    def __init__(self, calls: Calls, analytics: Analytics, links: ProviderLinks, clock: Clock) -> None:
        self._calls = calls
        self._analytics = analytics
        self._links = links
        self._clock = clock

    def consumer(self, bus: Bus, database: Database) -> EventConsumer:
        topics = {
            "usage.recorded": self.on_usage,
            "integration.updated": self.on_integration,
            "integration.synced": self.on_integration,
            "integration.failed": self.on_integration,
        }
        return EventConsumer(bus, database, SERVICE, topics)

    async def on_usage(self, conn: Connection, event: ReceivedEvent) -> None:
        """Store the cost of a call that billing rated."""
        call_id = event.data.get("callId")
        if not call_id:
            return
        cost = Cost(int(event.data["amountMicros"]), event.data["currency"])
        counted_at = await self._calls.set_cost(conn, event.org_id, call_id, cost, self._clock.now())
        if counted_at is not None:
            await count_again(conn, self._analytics, event.org_id, {counted_at})

    async def on_integration(self, conn: Connection, event: ReceivedEvent) -> None:
        """Update the accounts that the reconciler polls. A failing account may work at the next poll."""
        active = event.data["status"] != "disabled"
        await self._links.set_active(conn, event.org_id, event.data["provider"], active)
