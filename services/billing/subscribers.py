"""Billing's subscriptions: created organizations and ended calls.

The handler runs in the transaction of its inbox row; a call's usage event takes its id from the call, so that a call is
metered once, however often and in whichever order its events arrive.
"""

from __future__ import annotations

from collections.abc import Sequence

from echosenseix.events.v1 import events_pb2
from libs.clock import Clock
from libs.events import ReceivedEvent, Subscriptions, Together
from libs.events.outbox import append_many
from libs.postgres import Connection
from libs.rpc.times import from_timestamp
from services.billing.domain.amounts import seconds_to_micros
from services.billing.domain.usage import UsageEvent, call_usage
from services.billing.mapping import charge_events
from services.billing.operations import Books


class Subscribers:
    def __init__(self, books: Books, low_micros: int, clock: Clock) -> None:
        self._books = books
        self._low_micros = low_micros
        self._clock = clock

    def handlers(self) -> Subscriptions:
        # A call that ended without a known duration gets it later, by an update.
        return {
            "org.created": self.on_organization,
            "call.ended": Together(self.on_calls),
            "call.updated": Together(self.on_calls),
        }

    async def on_organization(self, conn: Connection, event: ReceivedEvent) -> None:
        """Its account and its trial credit, which a customer of an agency does not have."""
        if event.read(events_pb2.OrganizationChanged).parent_id:
            await self._books.open_without_trial(conn, event.org_id)
        else:
            await self._books.open_account(conn, event.org_id)

    async def on_calls(self, conn: Connection, events: Sequence[ReceivedEvent]) -> None:
        """Meter the billable calls, rate them and post the charges. What no rate covers is rated by the sweep."""
        org_id = events[0].org_id
        calls = [(event.read(events_pb2.CallChanged), event.traceparent) for event in events]
        # The call log decides: a failed call or one in progress costs nothing.
        metered = [(_usage(call), traceparent) for call, traceparent in calls if call.billable]
        if not metered:
            return
        recorded = await self._books.usage.record(conn, org_id, [usage for usage, _ in metered], self._clock.now())
        if recorded.added:
            charges = await self._books.charge_new(conn, org_id, recorded.added)
            traces = {usage.id: traceparent for usage, traceparent in metered}
            await append_many(conn, charge_events(org_id, charges, self._low_micros, traces))


def _usage(call: events_pb2.CallChanged) -> UsageEvent:
    ended_at = from_timestamp(call, "ended_at")
    if ended_at is None:
        raise ValueError("a billable call has no end")
    return call_usage(
        call_id=call.call_id,
        quantity_micros=seconds_to_micros(call.duration_seconds),
        ended_at=ended_at,
        agent_id=call.agent_id,
        provider=call.provider,
    )
