"""Operations that methods, jobs and subscribers share: log an event with its deliveries, open a delivery, disable an
endpoint or alert about it, write to an organization's owners.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from libs.clock import rfc3339_ms, utcnow
from libs.errors import FailedPrecondition, NotFound
from libs.events import ReceivedEvent, outbox
from libs.ids import new_id
from libs.jobs import JobKind
from libs.jobs.enqueue import enqueue
from libs.jobs.job import NewJob
from libs.postgres import Connection
from libs.telemetry import use_traceparent
from services.realtime.domain import mail_templates
from services.realtime.domain.channels import LOG, channels_of_event
from services.realtime.domain.delivery import ATTEMPT_SECONDS, MAX_ATTEMPTS, RUN_SECONDS, Delivery, Endpoint, matches
from services.realtime.domain.history import Logged, Published
from services.realtime.domain.mail import MailRequest
from services.realtime.mapping import endpoint_event, public_envelope
from services.realtime.storage import deliveries, endpoints, event_log, turns
from suite.mails import MailTemplate

SERVICE = "realtime"
# The receiver's schedule, not a backoff, says when to try again: each failed attempt raises RetryAfter. Its
# seconds are for a run and the attempt that it may end with; the rest is for the database.
DELIVER = JobKind(
    "webhook.deliver", service=SERVICE, queue="webhooks", max_attempts=MAX_ATTEMPTS,
    timeout_seconds=RUN_SECONDS + ATTEMPT_SECONDS + 30,
)  # fmt: skip
# One replay of an endpoint at a time. replay_range refuses another range while one runs.
REPLAY = JobKind(
    "webhook.replay", service=SERVICE, queue="replays", timeout_seconds=600, unique_by=("endpointId",)
)  # fmt: skip
# Events of one replay. More would keep an endpoint busy for hours; a smaller range is the next request.
MAX_REPLAY = 10_000
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
    places, has_endpoints = await event_log.append(conn, org_id, logged)
    # The log gives its positions in the order of the events.
    in_log = (published.offset for channel, published in places if channel == LOG)
    positions = dict(zip(dict.fromkeys(entry.envelope["id"] for entry in logged), in_log, strict=True))
    enabled = await endpoints.enabled(conn, org_id) if has_endpoints else []
    for entry, event in zip(logged, events, strict=True):
        for endpoint in enabled:
            if matches(endpoint.event_types, event.topic):
                with use_traceparent(event.traceparent):
                    await _open_delivery(conn, endpoint, entry.envelope, entry.data, positions[entry.envelope["id"]])
    return places


def _logged(event: ReceivedEvent) -> Logged:
    envelope = public_envelope(event.envelope)
    user_id = str(envelope["data"].get("userId", ""))
    channels = channels_of_event(event.topic, event.org_id, event.key, user_id)
    return Logged(envelope, encoded(envelope), event.time, tuple(channels))


async def open_delivery(conn: Connection, endpoint: Endpoint, envelope: Mapping[str, Any]) -> Delivery:
    """A delivery of an envelope that is not in the log to this endpoint, at once, and the job that brings it there."""
    await turns.clear_rest(conn, endpoint.org_id, endpoint.id)
    return await _open_delivery(conn, endpoint, envelope, encoded(envelope), 0)


async def _open_delivery(
    conn: Connection, endpoint: Endpoint, envelope: Mapping[str, Any], body: bytes, position: int
) -> Delivery:
    delivery = new_delivery(endpoint, envelope["id"], envelope["type"], position)
    job_id = await enqueue(conn, deliver_job(delivery))
    delivery = dataclasses.replace(delivery, job_id=job_id)
    await deliveries.add(conn, endpoint.org_id, delivery, body)
    return delivery


async def replay_delivery(conn: Connection, org_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    """Send it again under the same webhook-id, whatever its state."""
    found = await deliveries.lock(conn, org_id, endpoint_id, delivery_id)
    if found is None:
        raise NotFound("webhook_delivery_not_found", "No such webhook delivery.")
    await turns.clear_rest(conn, org_id, endpoint_id)
    job_id = await enqueue(conn, deliver_job(found))
    return await deliveries.reopen(conn, org_id, delivery_id, job_id)


async def replay_range(conn: Connection, org_id: str, args: Mapping[str, Any]) -> str:
    """The job that replays this range. While one runs, only the same range gets it; raises FailedPrecondition for
    another, which would be lost otherwise."""
    job_id = await REPLAY.enqueue(conn, org_id, args)
    if await deliveries.args_of_job(conn, org_id, job_id) != args:
        raise FailedPrecondition(
            "replay_running", "Another range is being replayed to the endpoint. Ask again when that job has ended."
        )
    return job_id


async def disable_endpoint(conn: Connection, org_id: str, endpoint_id: str, reason: str) -> None:
    row = await deliveries.disable_endpoint(conn, org_id, endpoint_id, reason)
    if row is not None:
        event = endpoint_event("webhook_endpoint.disabled", org_id, row["id"], row["url"], reason, row["failing_since"])
        await outbox.append(conn, event)
        values = mail_templates.webhook_values(row["id"], row["url"], reason)
        await write_to_owners(conn, org_id, MailTemplate.WEBHOOK_ENDPOINT_DISABLED, values, about=row["id"])


async def alert_owners(conn: Connection, org_id: str, endpoint_id: str, patience: datetime.timedelta) -> None:
    """Say once that the endpoint fails and when it will be disabled."""
    row = await deliveries.mark_alerted(conn, org_id, endpoint_id)
    if row is not None:
        ends = row["failing_since"] + patience
        event = endpoint_event(
            "webhook_endpoint.failing", org_id, row["id"], row["url"], "failing", row["failing_since"], ends
        )
        await outbox.append(conn, event)
        values = mail_templates.webhook_values(row["id"], row["url"], "failing")
        values |= {"since": rfc3339_ms(row["failing_since"]), "until": rfc3339_ms(ends)}
        await write_to_owners(conn, org_id, MailTemplate.WEBHOOK_ENDPOINT_FAILING, values, about=row["id"])


async def write_to_owners(
    conn: Connection, org_id: str, template: MailTemplate, values: Mapping[str, str], about: str
) -> str:
    """A mail to each owner of the organization; `about` names what it reports."""
    return await MAIL.enqueue(conn, org_id, {"template": template, "values": dict(values), "about": about})


async def write_to_address(conn: Connection, org_id: str, request: MailRequest) -> str:
    """A mail to one address that another service asks for."""
    return await MAIL.enqueue(conn, org_id, dataclasses.asdict(request))


def deliver_job(delivery: Delivery) -> NewJob:
    return DELIVER.new(delivery.org_id, {"deliveryId": delivery.id, "endpointId": delivery.endpoint_id})


def encoded(envelope: Mapping[str, Any]) -> bytes:
    return json.dumps(envelope, separators=(",", ":")).encode()


def new_delivery(endpoint: Endpoint, event_id: str, event_type: str, position: int) -> Delivery:
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
        position=position,
    )
