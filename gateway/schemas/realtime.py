"""Connection tokens, events, webhook endpoints and their deliveries, and the local mailbox, as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from echosenseix.realtime.v1 import realtime_pb2 as pb
from gateway.http.derived import patch_of, reader
from gateway.http.schema import SORT, Answer, Body, CreatedListQuery, PageQuery, Query, limits
from gateway.http.wire import struct_to_json
from libs.events.topics import LOGGED

Url = Annotated[str, limits(maxLength=2000, format="uri")]
After = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{1,18}|evt_[0-9a-z]{1,60})?$",
        description="A position, or an event's id; empty: the oldest kept.",
    ),
]
ContentType = Annotated[
    Literal["application/json", "application/cloudevents+json"],
    Meta(description="Of the deliveries; null: application/json."),
]
# One type, all of one entity, or all.
EVENT_TYPES = ("*", *dict.fromkeys(f"{topic.partition('.')[0]}.*" for topic in LOGGED), *LOGGED)
EventTypes = Annotated[list[Annotated[str, limits(enum=list(EVENT_TYPES))]], limits(minItems=1, maxItems=50)]


class ConnectionToken(Answer):
    token: str
    expires_at: str | None
    # Whole WebSocket URL with its path.
    url: str
    events_url: str
    channels: list[str]


class WebhookEndpoint(Answer):
    id: str
    url: str
    event_types: list[str]
    description: str | None
    content_type: str
    status: str
    disabled_reason: str | None
    version: int
    last_success_at: str | None
    last_failure_at: str | None
    # The first failure since the last success, and the deliveries that ran out of attempts since.
    failing_since: str | None
    exhausted_deliveries: int
    created_at: str | None
    updated_at: str | None


class FreshWebhookEndpoint(WebhookEndpoint):
    """The only answers that carry the secret."""

    secret: str


class WebhookDelivery(Answer):
    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    status: str
    attempts: int
    last_status_code: int | None
    last_error: str | None
    job_id: str | None
    created_at: str | None
    next_attempt_at: str | None
    delivered_at: str | None


class WebhookAttempt(Answer):
    """One exchange with the receiver."""

    number: int
    started_at: str | None
    duration_ms: int
    status_code: int | None
    error: str | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str


class WebhookDeliveryLog(WebhookDelivery):
    """A delivery with what was sent and what came back."""

    request_body: str
    log: list[WebhookAttempt]


class EventReplayBody(Body):
    after: Annotated[datetime, Meta(tz=True, description="Events at or after this time.")]
    before: Annotated[datetime, Meta(tz=True, description="Events before this time; null: until now.")] | None = None
    types: (
        Annotated[
            list[Annotated[str, limits(enum=list(EVENT_TYPES))]],
            limits(minItems=1, maxItems=50),
            Meta(description="Of these types alone; null: of the types that the receiver gets."),
        ]
        | None
    ) = None
    only_undelivered: (
        Annotated[bool, Meta(description="Leave out events that the receiver has taken. null: false.")] | None
    ) = None


class EventReplay(Answer):
    """A replay that has begun, or the one of the same range that runs already."""

    job_id: str
    events: Annotated[int, Meta(description="How many events the range has.")]


class TestDelivery(Answer):
    delivery_id: str
    job_id: str


class MailQuery(CreatedListQuery):
    unregistered: (
        Annotated[bool, Meta(description="Of addresses without an account; a local suite alone shows them.")] | None
    ) = None


class Mail(Answer):
    id: str
    to: list[str]
    subject: str
    text: str
    created_at: str | None


class WebhookEndpointBody(Body):
    url: Url
    event_types: EventTypes
    description: Annotated[str, limits(maxLength=500)] | None = None
    content_type: ContentType | None = None


WebhookEndpointPatch = patch_of("WebhookEndpointPatch", WebhookEndpointBody, status=Literal["enabled", "disabled"])


class DeliveryQuery(CreatedListQuery):
    status: Literal["pending", "delivered", "failed"] | None = None
    event_type: Annotated[str, Meta(min_length=1, max_length=100, description="Only events of this type.")] | None = (
        None
    )
    event_id: Annotated[str, Meta(pattern=r"^evt_", max_length=64, description="Only this event.")] | None = None


class PresenceQuery(PageQuery):
    channel: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=255,
                description="A channel that you may listen to; without it, those of your organization.",
            ),
        ]
        | None
    ) = None
    sort: Annotated[Literal["clientId"], SORT] | None = None


class PresentClient(Answer):
    """A connection that listens to a channel."""

    channel: Annotated[str, Meta(description="What it listens to.")]
    client_id: Annotated[str, Meta(description="The connection.")]
    user_id: str | None


class EventQuery(Query):
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    types: Annotated[str, Meta(min_length=1, max_length=1000, description="Comma list of event types.")] | None = None


PATCHED = {name: name for name in ("url", "event_types", "description", "content_type", "status")}


def event_from_proto(event: pb.EventRecord) -> dict[str, Any]:
    """The CloudEvents envelope, with its place in the log as extension attributes."""
    return {**struct_to_json(event.envelope), "channel": event.channel, "position": event.position}


token_from_proto = reader(ConnectionToken, pb.CreateConnectionTokenResponse, {"expires_at": "expire_time"})
present_client_from_proto = reader(PresentClient, pb.PresentClient)
delivery_from_proto = reader(WebhookDelivery, pb.WebhookDelivery)
_attempt_from_proto = reader(
    WebhookAttempt,
    pb.WebhookAttempt,
    {"started_at": "start_time"},
    request_headers=lambda attempt: dict(sorted(attempt.request_headers.items())),
    response_headers=lambda attempt: dict(sorted(attempt.response_headers.items())),
)
mail_from_proto = reader(Mail, pb.Mail)
endpoint_from_proto = reader(WebhookEndpoint, pb.WebhookEndpoint, {"failing_since": "failing_since_time"})


def fresh_endpoint_from_proto(endpoint: pb.WebhookEndpoint, secret: str) -> FreshWebhookEndpoint:
    shown = endpoint_from_proto(endpoint)
    return FreshWebhookEndpoint(**msgspec.structs.asdict(shown), secret=secret)


def delivery_log_from_proto(answer: pb.GetWebhookDeliveryResponse) -> WebhookDeliveryLog:
    return WebhookDeliveryLog(
        **msgspec.structs.asdict(delivery_from_proto(answer.delivery)),
        request_body=answer.request_body,
        log=[_attempt_from_proto(attempt) for attempt in answer.attempts],
    )
