"""Billing's subscriptions: created organizations and ended calls.

The handler runs in the transaction of its inbox row; a call's usage event takes its id from the call, so that a call is
metered once, however often and in whichever order its events arrive.
"""

from __future__ import annotations

from collections.abc import Mapping

from echosenseix.events.v1 import events_pb2
from libs.clock import Clock
from libs.events import Handler, ReceivedEvent
from libs.events.outbox import append_many
from libs.postgres import Connection
from libs.rpc.times import from_timestamp
from services.billing.domain.amounts import seconds_to_micros
from services.billing.domain.usage import call_usage
from services.billing.mapping import charge_events
from services.billing.operations import Books


class Subscribers:
    def __init__(self, books: Books, low_micros: int, clock: Clock) -> None:
        self._books = books
        self._low_micros = low_micros
        self._clock = clock

    def handlers(self) -> Mapping[str, Handler]:
        # A call that ended without a known duration gets it later, by an update.
        return {
            "org.created": self.on_organization,
            "call.ended": self.on_call,
            "call.updated": self.on_call,
        }

    async def on_organization(self, conn: Connection, event: ReceivedEvent) -> None:
        """Its account and its trial credit."""
        await self._books.open_account(conn, event.org_id)

    async def on_call(self, conn: Connection, event: ReceivedEvent) -> None:
        """Meter a billable call, rate it and post the charge. What no rate covers is rated by the sweep."""
        call = event.read(events_pb2.CallChanged)
        # The call log decides: a failed call or one in progress costs nothing.
        if not call.billable:
            return
        ended_at = from_timestamp(call, "ended_at")
        if ended_at is None:
            raise ValueError("a billable call has no end")
        usage = call_usage(
            call_id=call.call_id,
            quantity_micros=seconds_to_micros(call.duration_seconds),
            ended_at=ended_at,
            agent_id=call.agent_id,
            provider=call.provider,
        )
        recorded = await self._books.usage.record(conn, event.org_id, [usage], self._clock.now())
        if recorded.added:
            charges = await self._books.charge(conn, event.org_id, [usage.id])
            await append_many(conn, charge_events(event.org_id, charges, self._low_micros))
