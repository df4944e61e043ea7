"""Money, usage and the ledger as the API shows them: amounts are decimal strings."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http.schema import SORT, Answer, CreatedListQuery, PageQuery
from gateway.http.wire import time_to_json
from libs.json_rows import micros_to_json

_GROUP = "(agentId|provider|meter|day)"
Groups = Annotated[
    str, Meta(pattern=f"^{_GROUP}(,{_GROUP})*$", description="Comma list of agentId, provider, meter, day.")
]


class Balance(Answer):
    """available = posted - reserved."""

    available: str
    reserved: str
    posted: str
    currency: str


class UsageRow(Answer):
    meter: str
    quantity: str
    amount: str
    currency: str
    events: int
    # Null when not grouped by it.
    agent_id: str | None
    provider: str | None
    day: str | None


class LedgerEntry(Answer):
    """Append only; usage is negative."""

    id: str
    type: str
    amount: str
    currency: str
    call_id: str | None
    usage_event_id: str | None
    balance_after: str
    description: str | None
    transaction_id: str | None
    created_at: str | None


class Difference(Answer):
    kind: str
    call_id: str | None
    usage_event_id: str | None
    ledger_entry_id: str | None
    detail: str


class Reconciliation(Answer):
    from_: str | None
    to: str | None
    calls: int
    usage_events: int
    ledger_entries: int
    differences: list[Difference]


class UsageQuery(PageQuery):
    sort: Annotated[Literal["day"], SORT] | None = None
    from_: Annotated[datetime, Meta(tz=True, description="At or after.")] | None = None
    to: Annotated[datetime, Meta(tz=True, description="Before.")] | None = None
    group_by: Groups | None = None


class LedgerQuery(CreatedListQuery):
    type: Literal["grant", "top_up", "usage", "adjustment", "refund"] | None = None
    call_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


def balance_from_proto(balance: pb.Balance) -> Balance:
    return Balance(
        available=micros_to_json(balance.available_micros),
        reserved=micros_to_json(balance.reserved_micros),
        posted=micros_to_json(balance.posted_micros),
        currency=balance.currency,
    )


def usage_row_from_proto(row: pb.UsageRow) -> UsageRow:
    return UsageRow(
        meter=row.meter,
        quantity=row.quantity,
        amount=micros_to_json(row.amount_micros),
        currency=row.currency,
        events=row.events,
        agent_id=row.agent_id or None,
        provider=row.provider or None,
        day=row.day or None,
    )


def ledger_entry_from_proto(entry: pb.LedgerEntry) -> LedgerEntry:
    return LedgerEntry(
        id=entry.id,
        type=entry.type,
        amount=micros_to_json(entry.amount_micros),
        currency=entry.currency,
        call_id=entry.call_id or None,
        usage_event_id=entry.usage_event_id or None,
        balance_after=micros_to_json(entry.balance_after_micros),
        description=entry.description or None,
        transaction_id=entry.transaction_id or None,
        created_at=time_to_json(entry.create_time),
    )


def reconciliation_from_proto(answer: pb.ReconcileResponse) -> Reconciliation:
    return Reconciliation(
        from_=time_to_json(answer.from_time),
        to=time_to_json(answer.to_time),
        calls=answer.calls,
        usage_events=answer.usage_events,
        ledger_entries=answer.ledger_entries,
        differences=[
            Difference(
                kind=item.kind,
                call_id=item.call_id or None,
                usage_event_id=item.usage_event_id or None,
                ledger_entry_id=item.ledger_entry_id or None,
                detail=item.detail,
            )
            for item in answer.differences
        ],
    )
