"""Usage events as clients send them: one, a list, or CloudEvents, and each form's place for every field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from echosenseix.billing.v1 import billing_pb2 as pb
from gateway.http.json_body import invalid_fields
from gateway.http.schema import Answer, Body, CreatedListQuery, WholeListQuery, limits
from gateway.http.wire import struct_to_json, time_to_json
from gateway.schemas.shapes import JsonObject
from libs.errors import Violation

Id = Annotated[str, limits(minLength=1, maxLength=200)]
MeterName = Annotated[
    str,
    limits(minLength=1, maxLength=100),
    Meta(description="One that GET /api/billing/meters lists and does not reserve."),
]
Subject = Annotated[str, limits(maxLength=200)]
Moment = Annotated[datetime, Meta(tz=True)]
_MOST = Meta(min_length=1, max_length=100)


class UsageEvent(Answer):
    id: str
    meter: str
    timestamp: str | None
    value: str
    subject: str | None
    properties: dict[str, Any]
    created_at: str | None


class UsageRecorded(Answer):
    accepted: int
    duplicates: int


class Meter(Answer):
    """What usage is counted in. Usage events of a reserved meter are made by the suite alone."""

    name: str
    unit: str
    description: str
    reserved: bool


class UsageEventBody(Body):
    id: Id
    meter: MeterName
    timestamp: Moment
    value: str | int | float
    subject: Subject | None = None
    properties: JsonObject | None = None


class UsageBody(Body):
    """One event, or up to a hundred under `events`."""

    one_of = (("events",), ("id", "meter", "timestamp", "value"))

    events: Annotated[list[UsageEventBody], _MOST] | None = None
    id: Id | None = None
    meter: MeterName | None = None
    timestamp: Moment | None = None
    value: str | int | float | None = None
    subject: Subject | None = None
    properties: JsonObject | None = None


class CloudEventData(Body):
    """The meter may stand here when the event's `type` is a name of the sender's own."""

    value: str | int | float
    meter: MeterName | None = None
    properties: JsonObject | None = None


class CloudEvent(msgspec.Struct, kw_only=True):
    """CloudEvents 1.0, structured. `type` names the meter unless `data.meter` does. `source` is kept as
    properties.source unless there is one. Extension attributes are ignored; ids are unique across sources."""

    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, Meta(min_length=1, max_length=200)]
    type: MeterName
    time: Moment
    data: CloudEventData
    subject: Subject | None = None
    datacontenttype: Literal["application/json"] | None = None


CloudEvents = Annotated[list[CloudEvent], _MOST]


class UsageEventQuery(CreatedListQuery):
    meter: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class MeterQuery(WholeListQuery):
    """Meters have no filters."""


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event of any form. `places` are the JSON pointers of its fields in the body that it came in."""

    id: str
    meter: str
    timestamp: datetime
    value: str | int | float
    subject: str
    properties: Mapping[str, Any]
    places: Mapping[str, str]


def sent_events(body: UsageBody | CloudEvent | list[CloudEvent]) -> list[SentEvent]:
    """The events of a body in any of its forms."""
    if isinstance(body, CloudEvent):
        return [_of_cloud_event(body, "#")]
    if isinstance(body, list):
        return [_of_cloud_event(event, f"#/{index}") for index, event in enumerate(body)]
    if body.events is None:
        return [_of_event(_the_one_event(body), "#")]
    if (body.id, body.meter, body.timestamp, body.value) != (None, None, None, None):
        raise invalid_fields(Violation("#/events", "invalid_value", "Send one event or `events`, not both."))
    return [_of_event(event, f"#/events/{index}") for index, event in enumerate(body.events)]


def _the_one_event(body: UsageBody) -> UsageEventBody:
    if body.id is None or body.meter is None or body.timestamp is None or body.value is None:
        raise invalid_fields(*_missing(body))
    return UsageEventBody(
        id=body.id,
        meter=body.meter,
        timestamp=body.timestamp,
        value=body.value,
        subject=body.subject,
        properties=body.properties,
    )


def _missing(body: UsageBody) -> Iterator[Violation]:
    for name in ("id", "meter", "timestamp", "value"):
        if getattr(body, name) is None:
            yield Violation(f"#/{name}", "required", "This field is required.")


_FIELDS = ("id", "meter", "timestamp", "value", "subject", "properties")


def _of_event(event: UsageEventBody, place: str) -> SentEvent:
    return SentEvent(
        id=event.id,
        meter=event.meter,
        timestamp=event.timestamp,
        value=event.value,
        subject=event.subject or "",
        properties=event.properties or {},
        places={name: f"{place}/{name}" for name in _FIELDS},
    )


def _of_cloud_event(event: CloudEvent, place: str) -> SentEvent:
    data = event.data
    named = {
        "meter": "type" if data.meter is None else "data/meter",
        "timestamp": "time",
        "value": "data/value",
        "properties": "data/properties",
    }
    return SentEvent(
        id=event.id,
        meter=event.type if data.meter is None else data.meter,
        timestamp=event.time,
        value=data.value,
        subject=event.subject or "",
        properties={"source": event.source, **(data.properties or {})},
        places={name: f"{place}/{named.get(name, name)}" for name in _FIELDS},
    )


def usage_event_from_proto(event: pb.UsageEvent) -> UsageEvent:
    return UsageEvent(
        id=event.id,
        meter=event.meter,
        timestamp=time_to_json(event.event_time),
        value=event.value,
        subject=event.subject or None,
        properties=struct_to_json(event.properties),
        created_at=time_to_json(event.create_time),
    )


def meter_from_proto(meter: pb.Meter) -> Meter:
    return Meter(name=meter.name, unit=meter.unit, description=meter.description, reserved=meter.reserved)
