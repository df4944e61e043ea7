"""Operations that methods, jobs and subscribers share: log an event with its deliveries, open a delivery, disable an
endpoint, write to an organization's owners.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from libs.clock import utcnow
from libs.errors import NotFound
from libs.events import ReceivedEvent, outbox
from libs.ids import new_id
from libs.jobs import JobKind
from libs.postgres import Connection
from libs.telemetry import use_traceparent
from services.realtime.domain import mail_templates
from services.realtime.domain.channels import channels_of_event
from services.realtime.domain.delivery import MAX_ATTEMPTS, Delivery, Endpoint, matches
from services.realtime.domain.history import Logged, Published
from services.realtime.domain.mail import MailRequest
from services.realtime.mapping import endpoint_disabled_event, public_envelope
from services.realtime.storage import deliveries, endpoints, event_log

SERVICE = "realtime"
# Seconds that a receiver has to answer one webhook.
WEBHOOK_TIMEOUT_SECONDS = 15.0
# The receiver's schedule, not a backoff, says when to try again: each failed attempt raises RetryAfter.
DELIVER = JobKind(
    "webhook.deliver", service=SERVICE, queue="webhooks", max_attempts=MAX_ATTEMPTS,
    timeout_seconds=WEBHOOK_TIMEOUT_SECONDS + 15,
)  # fmt: skip
# The first retry is for a passing fault of the server, the later ones for greylisting and outages. While a mail to an
# owner about one subject waits, a second one adds nothing.
MAIL = JobKind(
    "email.send", service=SERVICE, queue="mail", max_attempts=5, timeout_seconds=60,
    backoff=(5.0, 300.0, 1800.0, 7200.0), unique_by=("template", "about", "userId"),
)  # fmt: skip
SWEEP = JobKind("retention.sweep", service=SERVICE, queue="maintenance", timeout_seconds=600)


async def log_events(conn: Connection, org_id: str, events: Sequence[ReceivedEvent]) -> list[tuple[str, Published]]:
    """One transaction's work for events in their order: their places in each channel, and a delivery per endpoint that
    wants one."""
    logged = [_logged(event) for event in events]
    places = await event_log.append(conn, org_id, logged)
    enabled = await endpoints.enabled(conn, org_id)
    for entry, event in zip(logged, events, strict=True):
        for endpoint in enabled:
            if matches(endpoint.event_types, event.topic):
                with use_traceparent(event.traceparent):
                    await _open_delivery(conn, endpoint, entry.envelope, entry.data)
    return places


def _logged(event: ReceivedEvent) -> Logged:
    envelope = public_envelope(event.envelope)
    channels = channels_of_event(event.topic, event.org_id, event.key)
    return Logged(envelope, _encoded(envelope), event.time, tuple(channels))


async def open_delivery(conn: Connection, endpoint: Endpoint, envelope: Mapping[str, Any]) -> Delivery:
    """A delivery of this envelope to this endpoint, and the job that brings it there."""
    return await _open_delivery(conn, endpoint, envelope, _encoded(envelope))


async def _open_delivery(conn: Connection, endpoint: Endpoint, envelope: Mapping[str, Any], body: bytes) -> Delivery:
    delivery = _new_delivery(endpoint, envelope["id"], envelope["type"])
    job_id = await _enqueue(conn, delivery)
    delivery = dataclasses.replace(delivery, job_id=job_id)
    await deliveries.add(conn, endpoint.org_id, delivery, body)
    return delivery


async def replay_delivery(conn: Connection, org_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    """Send it again under the same webhook-id, whatever its state."""
    found = await deliveries.lock(conn, org_id, endpoint_id, delivery_id)
    if found is None:
        raise NotFound("webhook_delivery_not_found", "No such webhook delivery.")
    job_id = await _enqueue(conn, found[0])
    return await deliveries.reopen(conn, org_id, delivery_id, job_id)


async def disable_endpoint(conn: Connection, org_id: str, endpoint_id: str, reason: str) -> None:
    row = await deliveries.disable_endpoint(conn, org_id, endpoint_id, reason)
    if row is not None:
        await outbox.append(conn, endpoint_disabled_event(org_id, row["id"], row["url"], reason))
        values = mail_templates.webhook_values(row["id"], row["url"], reason)
        await write_to_owners(conn, org_id, mail_templates.WEBHOOK_DISABLED, values, about=row["id"])


async def write_to_owners(conn: Connection, org_id: str, template: str, values: Mapping[str, str], about: str) -> str:
    """A mail to each owner of the organization; `about` names what it reports."""
    return await MAIL.enqueue(conn, org_id, {"template": template, "values": dict(values), "about": about})


async def write_to_address(conn: Connection, org_id: str, request: MailRequest) -> str:
    """A mail to one address that another service asks for."""
    return await MAIL.enqueue(conn, org_id, dataclasses.asdict(request))


async def _enqueue(conn: Connection, delivery: Delivery) -> str:
    args = {"deliveryId": delivery.id, "endpointId": delivery.endpoint_id}
    return await DELIVER.enqueue(conn, delivery.org_id, args)


def _encoded(envelope: Mapping[str, Any]) -> bytes:
    return json.dumps(envelope, separators=(",", ":")).encode()


def _new_delivery(endpoint: Endpoint, event_id: str, event_type: str) -> Delivery:
    return Delivery(
        id=new_id("msg"),
        org_id=endpoint.org_id,
        endpoint_id=endpoint.id,
        event_id=event_id,
        event_type=event_type,
        status="pending",
        attempts=0,
        last_status_code=None,
        last_error="",
        job_id="",
        created_at=utcnow(),
        next_attempt_at=None,
        delivered_at=None,
    )


def secret_place(org_id: str, endpoint_id: str) -> tuple[str, ...]:
    """What a sealed secret is bound to: organisation, table, row, column."""
    return (org_id, "webhook_endpoint", endpoint_id, "secret")
