"""Balance, usage, the ledger, and money coming in."""

from dataclasses import replace

from starlette.responses import Response

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import decimal_text, micros_from_json, set_time, struct_from_json
from gateway.schemas.billing import (
    Balance,
    LedgerEntry,
    LedgerQuery,
    Reconciliation,
    TopUp,
    TopUpBody,
    UsageBody,
    UsageEvent,
    UsageEventBody,
    UsageEventQuery,
    UsageQuery,
    UsageRecorded,
    UsageRow,
    balance_from_proto,
    ledger_entry_from_proto,
    reconciliation_from_proto,
    top_up_from_proto,
    usage_event_from_proto,
    usage_row_from_proto,
)
from gateway.schemas.calls import WindowQuery
from libs.errors import InvalidArgument, Violation

_RECONCILE_SECONDS = 20.0


async def get_balance(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.billing.GetBalance(pb.GetBalanceRequest())
    return call.ok(balance_from_proto(answer.balance))


async def list_usage(call: Call[UsageQuery, NoBody]) -> Response:
    groups = call.words(call.query.group_by)
    request = pb.ListUsageRequest(group_by=groups, page=call.page_request())
    set_time(request.from_time, call.query.from_)
    set_time(request.to_time, call.query.to)
    answer = await call.clients.billing.ListUsage(request)
    return call.page(answer.rows, answer.page_info, usage_row_from_proto)


async def list_ledger(call: Call[LedgerQuery, NoBody]) -> Response:
    answer = await call.clients.billing.ListLedgerEntries(
        pb.ListLedgerEntriesRequest(
            page=call.page_request(), type=call.query.type or "", call_id=call.query.call_id or ""
        )
    )
    return call.page(answer.entries, answer.page_info, ledger_entry_from_proto)


async def create_top_up(call: Call[NoQuery, TopUpBody]) -> Response:
    request = pb.CreateTopUpRequest()
    request.amount.currency = call.body.currency
    try:
        request.amount.micros = micros_from_json(call.body.amount)
    except ValueError:
        raise _invalid("#/amount", "Send a decimal string such as 10.00, with at most six decimals.") from None
    answer = await call.clients.billing.CreateTopUp(request)
    return call.ok(top_up_from_proto(answer), 201)


async def record_usage_events(call: Call[NoQuery, UsageBody]) -> Response:
    events = [_event_to_proto(event) for event in _events(call.body)]
    try:
        answer = await call.clients.billing.RecordUsageEvents(pb.RecordUsageEventsRequest(events=events))
    except InvalidArgument as refusal:
        raise refusal if call.body.events is not None else _of_the_one_event(refusal) from None
    recorded = UsageRecorded(accepted=answer.accepted, duplicates=answer.duplicates)
    return call.ok(recorded, 201 if answer.accepted else 200)


async def list_usage_events(call: Call[UsageEventQuery, NoBody]) -> Response:
    answer = await call.clients.billing.ListUsageEvents(
        pb.ListUsageEventsRequest(page=call.page_request(), meter=call.query.meter or "")
    )
    return call.page(answer.events, answer.page_info, usage_event_from_proto)


async def reconcile(call: Call[WindowQuery, NoBody]) -> Response:
    request = pb.ReconcileRequest()
    set_time(request.from_time, call.query.from_)
    set_time(request.to_time, call.query.to)
    return call.ok(reconciliation_from_proto(await call.clients.billing.Reconcile(request)))


def _events(body: UsageBody) -> list[UsageEventBody]:
    if body.events is not None:
        if (body.id, body.meter, body.timestamp, body.value) != (None, None, None, None):
            raise _invalid("#/events", "Send one event, or events; not both.")
        return body.events
    if body.id is None or body.meter is None or body.timestamp is None or body.value is None:
        missing = [name for name in ("id", "meter", "timestamp", "value") if getattr(body, name) is None]
        raise InvalidArgument(
            "validation_failed",
            "Mend the fields named in errors.",
            violations=[Violation(f"#/{name}", "required", "This field is required.") for name in missing],
        )
    return [
        UsageEventBody(
            id=body.id,
            meter=body.meter,
            timestamp=body.timestamp,
            value=body.value,
            subject=body.subject,
            properties=body.properties,
        )
    ]


def _event_to_proto(event: UsageEventBody) -> pb.UsageEvent:
    message = pb.UsageEvent(
        id=event.id,
        meter=event.meter,
        value=event.value if isinstance(event.value, str) else decimal_text(event.value),
        subject=event.subject or "",
        properties=struct_from_json(event.properties or {}),
    )
    set_time(message.event_time, event.timestamp)
    return message


def _of_the_one_event(refusal: InvalidArgument) -> InvalidArgument:
    """The service counts events; who sent one alone did not."""
    moved = [replace(item, pointer=item.pointer.replace("#/events/0", "#", 1)) for item in refusal.violations]
    return InvalidArgument(refusal.reason, refusal.detail, violations=moved)


def _invalid(pointer: str, detail: str) -> InvalidArgument:
    return InvalidArgument("validation_failed", detail, violations=[Violation(pointer, "invalid_value", detail)])


_EVENT = {
    "id": "evt-2026-0001",
    "meter": "llm_tokens",
    "timestamp": "2026-01-02T03:04:05Z",
    "value": "1200",
    "subject": "customer-7",
    "properties": {"model": "gpt-4o"},
}

ROUTES = tagged(
    "Billing",
    Route("GET", "/api/billing/balance", get_balance, "Read the balance", scope="billing:read", answer=Balance),
    Route(
        "GET",
        "/api/billing/usage",
        list_usage,
        "Sum usage by group",
        scope="billing:read",
        query=UsageQuery,
        answer=list[UsageRow],
    ),
    Route(
        "GET",
        "/api/billing/ledger",
        list_ledger,
        "List ledger entries",
        scope="billing:read",
        query=LedgerQuery,
        answer=list[LedgerEntry],
    ),
    Route(
        "POST",
        "/api/billing/top-ups",
        create_top_up,
        "Add credit (Idempotency-Key required)",
        key_required=True,
        scope="billing:write",
        body=TopUpBody,
        example={"amount": "10.00", "currency": "USD"},
        answer=TopUp,
        status=201,
        problems=(409,),
    ),
    Route(
        "POST",
        "/api/billing/usage-events",
        record_usage_events,
        "Record one usage event, or up to a hundred",
        scope="billing:write",
        body=UsageBody,
        example=_EVENT,
        answer=UsageRecorded,
        status=201,
        problems=(409,),
    ),
    Route(
        "GET",
        "/api/billing/usage-events",
        list_usage_events,
        "List usage events",
        scope="billing:read",
        query=UsageEventQuery,
        answer=list[UsageEvent],
    ),
    Route(
        "GET",
        "/api/billing/reconcile",
        reconcile,
        "Compare calls, usage events and ledger",
        scope="billing:read",
        query=WindowQuery,
        answer=Reconciliation,
        seconds=_RECONCILE_SECONDS,
    ),
)
