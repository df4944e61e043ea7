"""Balance, usage and the ledger."""

from dataclasses import replace

from starlette.responses import Response

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http import lists, responses
from gateway.http.json_body import invalid_fields
from gateway.http.query import words
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import decimal_text, set_time, struct_from_json
from gateway.schemas.billing import (
    Balance,
    LedgerEntry,
    LedgerQuery,
    Reconciliation,
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
    usage_event_from_proto,
    usage_row_from_proto,
)
from gateway.schemas.calls import WindowQuery
from gateway.state import ApiRequest
from libs.errors import InvalidArgument, Violation

# Seconds. A reconciliation reads every call and usage event of its window.
_RECONCILE_SECONDS = 20.0


async def get_balance(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.GetBalance(pb.GetBalanceRequest())
    return responses.ok(balance_from_proto(answer.balance))


async def list_usage(request: ApiRequest[UsageQuery, NoBody]) -> Response:
    groups = words(request.query.group_by)
    message = pb.ListUsageRequest(group_by=groups, page=lists.page_request(request.query))
    set_time(message.from_time, request.query.from_)
    set_time(message.to_time, request.query.to)
    answer = await request.app.clients.billing.ListUsage(message)
    return lists.page_response(request, answer.rows, answer.page_info, usage_row_from_proto)


async def list_ledger(request: ApiRequest[LedgerQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.ListLedgerEntries(
        pb.ListLedgerEntriesRequest(
            page=lists.page_request(request.query), type=request.query.type or "", call_id=request.query.call_id or ""
        )
    )
    return lists.page_response(request, answer.entries, answer.page_info, ledger_entry_from_proto)


async def record_usage_events(request: ApiRequest[NoQuery, UsageBody]) -> Response:
    pointer = "#" if request.data.events is None else "#/events/{}"
    events = [_event_to_proto(event, pointer.format(index)) for index, event in enumerate(_events(request.data))]
    try:
        answer = await request.app.clients.billing.RecordUsageEvents(pb.RecordUsageEventsRequest(events=events))
    except InvalidArgument as refusal:
        raise refusal if request.data.events is not None else _of_the_one_event(refusal) from None
    recorded = UsageRecorded(accepted=answer.accepted, duplicates=answer.duplicates)
    return responses.ok(recorded, 201 if answer.accepted else 200)


async def list_usage_events(request: ApiRequest[UsageEventQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.ListUsageEvents(
        pb.ListUsageEventsRequest(page=lists.page_request(request.query), meter=request.query.meter or "")
    )
    return lists.page_response(request, answer.events, answer.page_info, usage_event_from_proto)


async def reconcile(request: ApiRequest[WindowQuery, NoBody]) -> Response:
    message = pb.ReconcileRequest()
    set_time(message.from_time, request.query.from_)
    set_time(message.to_time, request.query.to)
    return responses.ok(reconciliation_from_proto(await request.app.clients.billing.Reconcile(message)))


def _events(body: UsageBody) -> list[UsageEventBody]:
    if body.events is not None:
        if (body.id, body.meter, body.timestamp, body.value) != (None, None, None, None):
            raise _invalid("#/events", "Send one event or `events`, not both.")
        return body.events
    if body.id is None or body.meter is None or body.timestamp is None or body.value is None:
        missing = [name for name in ("id", "meter", "timestamp", "value") if getattr(body, name) is None]
        raise invalid_fields(*(Violation(f"#/{name}", "required", "This field is required.") for name in missing))
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


def _event_to_proto(event: UsageEventBody, pointer: str) -> pb.UsageEvent:
    message = pb.UsageEvent(
        id=event.id,
        meter=event.meter,
        value=event.value if isinstance(event.value, str) else decimal_text(event.value),
        subject=event.subject or "",
        properties=struct_from_json(event.properties or {}),
    )
    set_time(message.event_time, event.timestamp, f"{pointer}/timestamp")
    return message


def _of_the_one_event(refusal: InvalidArgument) -> InvalidArgument:
    """The service points into a list of events; a client that sent one event outside a list has no such list."""
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
        "/api/billing/usage-events",
        record_usage_events,
        "Record one usage event, or up to a hundred",
        scope="billing:write",
        body=UsageBody,
        example=_EVENT,
        answer=UsageRecorded,
        status=201,
        also={200: "All events were recorded before"},
        has_location=False,
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
