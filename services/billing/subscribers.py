"""Billing's subscriptions: created organizations and ended calls.

The handler runs in the transaction of its inbox row; a call's usage event takes its id from the call, so that a call is
metered once, however often and in whichever order its events arrive.
"""

from libs.bus import Bus
from libs.clock import Clock, parse_rfc3339
from libs.events import EventConsumer, ReceivedEvent
from libs.postgres import Connection, Database
from services.billing.domain.amounts import seconds_to_micros
from services.billing.domain.usage import call_usage
from services.billing.operations import CALCULATE, SERVICE, Books


class BillingSubscribers:
    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock

    def consumer(self, bus: Bus, database: Database) -> EventConsumer:
        # A call that ended without a known duration gets it later, by an update.
        topics = {
            "org.created": self.on_organization,
            "call.ended": self.on_call,
            "call.updated": self.on_call,
        }
        return EventConsumer(bus, database, SERVICE, topics)

    async def on_organization(self, conn: Connection, event: ReceivedEvent) -> None:
        """Its account and its trial credit."""
        await self._books.open_account(conn, event.org_id)

    async def on_call(self, conn: Connection, event: ReceivedEvent) -> None:
        """Meter a billable call and have it rated."""
        data = event.data
        if not data.get("billable"):
            return
        usage = call_usage(
            call_id=data["callId"],
            quantity_micros=seconds_to_micros(data["durationSeconds"]),
            ended_at=parse_rfc3339(data["endedAt"]),
            agent_id=data["agentId"],
            provider=data["provider"],
        )
        recorded = await self._books.usage.record(conn, event.org_id, [usage], self._clock.now())
        if recorded.added:
            await CALCULATE.enqueue(conn, event.org_id, {"usageEventIds": [usage.id]})
