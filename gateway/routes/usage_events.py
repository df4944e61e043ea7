"""Usage events in, as JSON or CloudEvents, and the meters that they count."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http import lists, responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import decimal_text, set_time, struct_from_json
from gateway.schemas.usage_events import (
    CloudEvent,
    CloudEvents,
    Meter,
    MeterQuery,
    SentEvent,
    UsageBody,
    UsageEvent,
    UsageEventQuery,
    UsageRecorded,
    meter_from_proto,
    sent_events,
    usage_event_from_proto,
)
from gateway.state import ApiRequest
from libs.errors import InvalidArgument, Violation

# The service points into its own list of events.
_SERVICE_POINTER = re.compile(r"#/events/(\d+)/(\w+)(.*)", re.DOTALL)


async def record_usage_events(request: ApiRequest[NoQuery, Any]) -> Response:
    """An event may also come as a CloudEvent, up to a hundred as a batch of them."""
    sent = sent_events(request.data)
    message = pb.RecordUsageEventsRequest(events=[_event_to_proto(event) for event in sent])
    try:
        answer = await request.app.clients.billing.RecordUsageEvents(message)
    # The service knows one list of events; the client may have sent one event or CloudEvents.
    except InvalidArgument as refusal:
        moved = [_moved(violation, sent) for violation in refusal.violations]
        raise InvalidArgument(refusal.reason, refusal.detail, violations=moved) from None
    # 200 tells a client that repeats a batch that nothing was added.
    recorded = UsageRecorded(accepted=answer.accepted, duplicates=answer.duplicates)
    return responses.ok(recorded, 201 if answer.accepted else 200)


async def list_usage_events(request: ApiRequest[UsageEventQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.ListUsageEvents(
        pb.ListUsageEventsRequest(page=lists.page_request(request.query), meter=request.query.meter or "")
    )
    return lists.page_response(request, answer.events, answer.page_info, usage_event_from_proto)


async def list_meters(request: ApiRequest[MeterQuery, NoBody]) -> Response:
    answer = await request.app.clients.billing.ListMeters(pb.ListMetersRequest())
    rows = [meter_from_proto(meter) for meter in answer.meters]
    return lists.list_response(request, lists.whole_list(rows, request.query, request.app.cursors, "meters"))


def _event_to_proto(event: SentEvent) -> pb.UsageEvent:
    message = pb.UsageEvent(
        id=event.id,
        meter=event.meter,
        # As text, so that no digit is lost on the way.
        value=event.value if isinstance(event.value, str) else decimal_text(event.value),
        subject=event.subject,
        properties=struct_from_json(event.properties),
    )
    set_time(message.event_time, event.timestamp, event.places["timestamp"])
    return message


def _moved(violation: Violation, sent: Sequence[SentEvent]) -> Violation:
    """The violation at its place in the body that the client sent."""
    found = _SERVICE_POINTER.fullmatch(violation.pointer)
    if found is None:
        return violation
    places = sent[int(found[1])].places
    return replace(violation, pointer=places[found[2]] + found[3]) if found[2] in places else violation


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
    Route(
        "POST",
        "/api/billing/usage-events",
        record_usage_events,
        "Record one usage event, or up to a hundred",
        scope="billing:write",
        body=UsageBody,
        bodies={"application/cloudevents+json": CloudEvent, "application/cloudevents-batch+json": CloudEvents},
        example=_EVENT,
        answer=UsageRecorded,
        status=201,
        also={200: "All events were recorded before"},
        has_location=False,
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
        "/api/billing/meters",
        list_meters,
        "List the meters and their units",
        scope="billing:read",
        query=MeterQuery,
        answer=list[Meter],
    ),
)
