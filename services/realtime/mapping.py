"""Between realtime's domain objects and its protos and events. Pure."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2, timestamp_pb2

from echosenseix.events.v1 import events_pb2
from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.clock import parse_rfc3339, rfc3339_ms
from libs.events import Event
from libs.events.topics import TOPICS
from libs.rpc.times import to_timestamp
from services.realtime.domain.delivery import Attempt, Delivery, Endpoint
from services.realtime.domain.mail import Mail

_TIMESTAMP = timestamp_pb2.Timestamp.DESCRIPTOR


def endpoint_to_proto(endpoint: Endpoint) -> pb.WebhookEndpoint:
    return pb.WebhookEndpoint(
        id=endpoint.id,
        url=endpoint.url,
        event_types=endpoint.event_types,
        description=endpoint.description,
        content_type=endpoint.content_type,
        status=endpoint.status,
        disabled_reason=endpoint.disabled_reason,
        version=endpoint.version,
        create_time=to_timestamp(endpoint.created_at),
        update_time=to_timestamp(endpoint.updated_at),
        last_success_time=to_timestamp(endpoint.last_success_at),
        last_failure_time=to_timestamp(endpoint.last_failure_at),
        failing_since_time=to_timestamp(endpoint.failing_since),
        exhausted_deliveries=endpoint.exhausted,
    )


def delivery_to_proto(delivery: Delivery) -> pb.WebhookDelivery:
    return pb.WebhookDelivery(
        id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        status=delivery.status,
        attempts=delivery.attempts,
        last_status_code=delivery.last_status_code or 0,
        last_error=delivery.last_error,
        create_time=to_timestamp(delivery.created_at),
        next_attempt_time=to_timestamp(delivery.next_attempt_at),
        delivered_time=to_timestamp(delivery.delivered_at),
        job_id=delivery.job_id,
    )


def attempt_to_proto(attempt: Attempt) -> pb.WebhookAttempt:
    exchange = attempt.exchange
    return pb.WebhookAttempt(
        number=attempt.number,
        start_time=to_timestamp(exchange.started_at),
        duration_ms=exchange.duration_ms,
        status_code=exchange.status_code or 0,
        error=exchange.error,
        request_headers=exchange.request_headers,
        response_headers=exchange.response_headers,
        response_body=exchange.response_body,
    )


def mail_to_proto(mail: Mail) -> pb.Mail:
    return pb.Mail(
        id=mail.id, to=mail.recipients, subject=mail.subject, text=mail.body, create_time=to_timestamp(mail.created_at)
    )


def record_to_proto(row: Mapping[str, Any], channel: str) -> pb.EventRecord:
    envelope = struct_pb2.Struct()
    json_format.ParseDict(json.loads(row["envelope"]), envelope)
    return pb.EventRecord(
        id=row["id"],
        type=row["type"],
        channel=channel,
        position=row["position"],
        event_time=to_timestamp(row["occurred_at"]),
        subject=row["subject"],
        envelope=envelope,
    )


def public_envelope(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent as customers get it: times spelled as everywhere in the API. Between services they keep their
    microseconds."""
    message = TOPICS[envelope["type"]].message.DESCRIPTOR
    times = [field.json_name for field in message.fields if field.message_type is _TIMESTAMP]
    data = envelope["data"]
    spelled = {name: rfc3339_ms(parse_rfc3339(data[name])) for name in times if data.get(name)}
    return {**envelope, "data": {**data, **spelled}}


def endpoint_event(
    topic: str,
    org_id: str,
    endpoint_id: str,
    url: str,
    reason: str = "",
    failing_since: datetime.datetime | None = None,
    disabled_after: datetime.datetime | None = None,
) -> Event:
    message = events_pb2.WebhookEndpointChanged(
        webhook_endpoint_id=endpoint_id,
        url=url,
        reason=reason,
        failing_since=to_timestamp(failing_since),
        disabled_after=to_timestamp(disabled_after),
    )
    return Event(topic=topic, org_id=org_id, key=endpoint_id, data=message)
