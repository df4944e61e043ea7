"""Between protos and domain: usage events, ledger entries, balances, and the events this service writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from echosenseix.billing.v1 import billing_pb2
from echosenseix.common.v1 import common_pb2
from echosenseix.events.v1 import events_pb2
from libs.errors import InvalidArgument, Violation
from libs.events import Event
from libs.rpc.times import from_timestamp, to_timestamp
from services.billing.domain.amounts import format_micros, parse_micros
from services.billing.domain.charges import Charges
from services.billing.domain.credit import Balance, credit_topics
from services.billing.domain.ledger import LedgerEntry
from services.billing.domain.payments import TopUp
from services.billing.domain.reconciliation import Difference
from services.billing.domain.usage import Meter, UsageEvent
from services.billing.domain.usage_sums import UsageSum


def usage_event_from_proto(message: billing_pb2.UsageEvent, pointer: str) -> UsageEvent:
    """The event as it was sent; `pointer` is where it stands in the request."""
    event_time = from_timestamp(message, "event_time")
    if event_time is None:
        raise InvalidArgument(
            "validation_failed",
            "Some fields break a rule.",
            violations=[Violation(f"{pointer}/timestamp", "required", "Give the time of use.")],
        )
    return UsageEvent(
        id=message.id,
        meter=message.meter,
        event_time=event_time,
        quantity_micros=parse_micros(message.value, f"{pointer}/value"),
        subject=message.subject,
        properties=MessageToDict(message.properties),
    )


def meter_to_proto(meter: Meter) -> billing_pb2.Meter:
    return billing_pb2.Meter(
        name=meter.name, unit=meter.unit, description=meter.description, reserved=meter.is_reserved
    )


def usage_event_to_proto(event: UsageEvent) -> billing_pb2.UsageEvent:
    properties = Struct()
    properties.update(event.properties)
    return billing_pb2.UsageEvent(
        id=event.id,
        meter=event.meter,
        event_time=to_timestamp(event.event_time),
        value=format_micros(event.quantity_micros),
        subject=event.subject,
        properties=properties,
        create_time=to_timestamp(event.created_at),
    )


def usage_sum_to_proto(row: UsageSum) -> billing_pb2.UsageRow:
    return billing_pb2.UsageRow(
        meter=row.meter,
        quantity=format_micros(row.quantity_micros),
        amount_micros=row.amount_micros,
        currency=row.currency,
        events=row.events,
        agent_id=row.agent_id,
        provider=row.provider,
        day=row.day.isoformat() if row.day else "",
    )


def entry_to_proto(entry: LedgerEntry) -> billing_pb2.LedgerEntry:
    return billing_pb2.LedgerEntry(
        id=entry.id,
        type=entry.type,
        amount_micros=entry.amount_micros,
        currency=entry.currency,
        call_id=entry.call_id,
        usage_event_id=entry.usage_event_id,
        balance_after_micros=entry.balance_after_micros,
        create_time=to_timestamp(entry.created_at),
        description=entry.description,
        transaction_id=entry.transaction_id,
    )


def balance_to_proto(balance: Balance) -> billing_pb2.Balance:
    return billing_pb2.Balance(
        available_micros=balance.available_micros,
        reserved_micros=balance.reserved_micros,
        posted_micros=balance.posted_micros,
        currency=balance.currency,
    )


def top_up_to_proto(top_up: TopUp) -> billing_pb2.TopUp:
    return billing_pb2.TopUp(
        id=top_up.id,
        amount=common_pb2.Money(micros=top_up.amount_micros, currency=top_up.currency),
        status=top_up.status.value,
        payment_url=top_up.payment_url,
        reversed_micros=top_up.reversed_micros,
        create_time=to_timestamp(top_up.created_at),
    )


def difference_to_proto(difference: Difference) -> billing_pb2.ReconcileDifference:
    return billing_pb2.ReconcileDifference(
        kind=difference.kind,
        call_id=difference.call_id,
        usage_event_id=difference.usage_event_id,
        ledger_entry_id=difference.ledger_entry_id,
        detail=difference.detail,
    )


def usage_recorded(org_id: str, event: UsageEvent, entry: LedgerEntry, traceparent: str = "") -> Event:
    recorded = events_pb2.UsageRecorded(
        usage_event_id=event.id,
        meter=event.meter,
        quantity=format_micros(event.quantity_micros),
        amount_micros=-entry.amount_micros,
        currency=entry.currency,
        call_id=event.call_id,
        ledger_entry_id=entry.id,
    )
    # Events of one call keep their order among themselves.
    key = event.call_id or event.id
    return Event(topic="usage.recorded", org_id=org_id, key=key, data=recorded, traceparent=traceparent)


def credit_event(topic: str, org_id: str, balance: Balance, entry: LedgerEntry) -> Event:
    changed = events_pb2.CreditChanged(
        available_micros=balance.available_micros,
        posted_micros=balance.posted_micros,
        currency=balance.currency,
        ledger_entry_id=entry.id,
    )
    return Event(topic=topic, org_id=org_id, key=org_id, data=changed)


def charge_events(
    org_id: str, charges: Charges, low_micros: int, traces: Mapping[str, str] = MappingProxyType({})
) -> list[Event]:
    """usage.recorded for each charge, then credit.low and credit.depleted where these charges crossed them. `traces`
    has the traceparent of each usage event's cause."""
    if not charges.charged:
        return []
    # The balance event names the entry that crossed the threshold.
    last = charges.charged[-1][1]
    topics = credit_topics(charges.before.available_micros, charges.after.available_micros, low_micros)
    return [
        *(usage_recorded(org_id, event, entry, traces.get(event.id, "")) for event, entry in charges.charged),
        *(credit_event(topic, org_id, charges.after, last) for topic in topics),
    ]
