"""Realtime's gRPC methods: connection tokens, the event log, webhook endpoints and the mailbox."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import secrets
from collections.abc import Callable

import grpc

from echosenseix.realtime.v1 import realtime_pb2 as pb
from echosenseix.realtime.v1 import realtime_pb2_grpc as pb_grpc
from libs.bus import subjects
from libs.clock import utcnow
from libs.crypto import Envelope
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted, Violation
from libs.ids import is_id, new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.times import to_timestamp
from services.realtime import operations
from services.realtime.config import RealtimeSettings
from services.realtime.domain.channels import LOG, organization_channels
from services.realtime.domain.delivery import MAX_ENDPOINTS, SECRET_OVERLAP, Endpoint
from services.realtime.domain.validation import check_endpoint
from services.realtime.mapping import (
    delivery_to_proto,
    endpoint_event,
    endpoint_to_proto,
    mail_to_proto,
    record_to_proto,
)
from services.realtime.protocol.tokens import ConnectionTokens, Grant
from services.realtime.storage import endpoints as endpoint_rows
from services.realtime.storage.endpoints import DELIVERY_LIST, ENDPOINT_LIST, Endpoints
from services.realtime.storage.event_log import EventLog
from services.realtime.storage.mailbox import MAIL_LIST, Mailbox

TOKEN_LIFETIME = datetime.timedelta(minutes=5)
_MAX_EVENTS = 200
_EVENT_TYPES = [name for name, topic in subjects.TOPICS.items() if topic.service]


class RealtimeServicer(pb_grpc.RealtimeServiceServicer):
    def __init__(self, settings: RealtimeSettings, log: EventLog, mailbox: Mailbox, tokens: ConnectionTokens) -> None:
        self._settings = settings
        self._log = log
        self._mailbox = mailbox
        self._tokens = tokens

    async def CreateConnectionToken(
        self, request: pb.CreateConnectionTokenRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateConnectionTokenResponse:
        require_scope("realtime:read")
        who = current_principal()
        expires_at = utcnow() + TOKEN_LIFETIME
        grant = Grant(who.org_id, who.user_id, who.session_id, who.api_key_id, frozenset(who.scopes), expires_at)
        # A balancer may hash by `u`, so that all sockets of one user meet (the paper's sticky sessions).
        user = hashlib.sha256(f"{who.org_id}/{who.user_id}".encode()).hexdigest()[:16]
        return pb.CreateConnectionTokenResponse(
            token=self._tokens.issue(grant),
            expire_time=to_timestamp(expires_at),
            url=f"{self._settings.public_url}/connection/websocket?u={user}",
            events_url=f"{self._settings.events_public_url}/api/events/stream",
            channels=organization_channels(who.org_id, who.scopes),
        )

    async def ListEvents(
        self, request: pb.ListEventsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListEventsResponse:
        require_scope("realtime:read")
        limit = request.limit or 50
        if not 1 <= limit <= _MAX_EVENTS:
            raise InvalidArgument("invalid_query", f"Set limit to a whole number from 1 to {_MAX_EVENTS}.")
        org_id = current_principal().org_id
        after = await self._position(org_id, request.after)
        rows = await self._log.read_log(org_id, LOG, after, limit + 1, list(request.types))
        records = [record_to_proto(row, LOG) for row in rows[:limit]]
        return pb.ListEventsResponse(events=records, has_more=len(rows) > limit)

    async def _position(self, org_id: str, after: str) -> int:
        if after == "" or after.isdecimal():
            return int(after[:18] or 0)
        position = await self._log.position_of(org_id, LOG, after) if is_id(after, "evt") else None
        if position is None:
            raise InvalidArgument("invalid_query", "Set after to a position or an id of an event that is still kept.")
        return position

    async def ListMail(self, request: pb.ListMailRequest, context: grpc.aio.ServicerContext) -> pb.ListMailResponse:
        require_scope("members:read")
        page = await self._mailbox.list(current_principal().org_id, page_request_from_proto(request.page, MAIL_LIST))
        return pb.ListMailResponse(mails=map(mail_to_proto, page.items), page_info=page_info_to_proto(page))


class WebhookEndpointServicer(pb_grpc.WebhookEndpointServiceServicer):
    def __init__(
        self, database: Database, endpoints: Endpoints, envelope: Envelope, is_forbidden: Callable[[str], str | None]
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._envelope = envelope
        self._is_forbidden = is_forbidden

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.CreateWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id
        endpoint = _new_endpoint(org_id, request.endpoint)
        self._check(endpoint)
        secret = new_secret()

        async def act(connection: Connection) -> pb.CreateWebhookEndpointResponse:
            if await endpoint_rows.count(connection, org_id) >= MAX_ENDPOINTS:
                raise ResourceExhausted(
                    "webhook_endpoint_limit",
                    f"An organisation has at most {MAX_ENDPOINTS} endpoints; delete one first.",
                )
            await endpoint_rows.add(connection, endpoint, self._seal(endpoint, secret))
            return pb.CreateWebhookEndpointResponse(endpoint=endpoint_to_proto(endpoint), secret=secret)

        return await run_write(self._database, org_id, act, pb.CreateWebhookEndpointResponse, secret=True)

    async def GetWebhookEndpoint(
        self, request: pb.GetWebhookEndpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetWebhookEndpointResponse:
        require_scope("webhooks:read")
        return pb.GetWebhookEndpointResponse(endpoint=endpoint_to_proto(await self._get(request.id)))

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListWebhookEndpointsResponse:
        require_scope("webhooks:read")
        wanted = page_request_from_proto(request.page, ENDPOINT_LIST)
        page = await self._endpoints.list(current_principal().org_id, wanted)
        rows = map(endpoint_to_proto, page.items)
        return pb.ListWebhookEndpointsResponse(endpoints=rows, page_info=page_info_to_proto(page))

    async def UpdateWebhookEndpoint(
        self, request: pb.UpdateWebhookEndpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.UpdateWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(connection: Connection) -> pb.UpdateWebhookEndpointResponse:
            endpoint = _found(await endpoint_rows.lock(connection, org_id, request.endpoint.id))
            if request.HasField("expected_version") and request.expected_version != endpoint.version:
                raise FailedPrecondition("stale_version", "It changed since you read it: read it again, then repeat.")
            changed = _changed(endpoint, request)
            if changed == endpoint:
                return pb.UpdateWebhookEndpointResponse(endpoint=endpoint_to_proto(endpoint))
            self._check(changed)
            saved = await endpoint_rows.save(connection, changed)
            return pb.UpdateWebhookEndpointResponse(endpoint=endpoint_to_proto(saved))

        return await run_write(self._database, org_id, act, pb.UpdateWebhookEndpointResponse)

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.DeleteWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(connection: Connection) -> pb.DeleteWebhookEndpointResponse:
            if not await endpoint_rows.delete(connection, org_id, request.id):
                raise _not_found()
            return pb.DeleteWebhookEndpointResponse()

        return await run_write(self._database, org_id, act, pb.DeleteWebhookEndpointResponse)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: grpc.aio.ServicerContext
    ) -> pb.RotateWebhookSecretResponse:
        require_scope("webhooks:write")
        org_id, secret = current_principal().org_id, new_secret()

        async def act(connection: Connection) -> pb.RotateWebhookSecretResponse:
            endpoint = _found(await endpoint_rows.lock(connection, org_id, request.id))
            sealed = self._seal(endpoint, secret)
            fresh = await endpoint_rows.replace_secret(connection, org_id, endpoint.id, sealed, SECRET_OVERLAP)
            return pb.RotateWebhookSecretResponse(endpoint=endpoint_to_proto(fresh), secret=secret)

        return await run_write(self._database, org_id, act, pb.RotateWebhookSecretResponse, secret=True)

    async def TestWebhookEndpoint(
        self, request: pb.TestWebhookEndpointRequest, context: grpc.aio.ServicerContext
    ) -> pb.TestWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(connection: Connection) -> pb.TestWebhookEndpointResponse:
            endpoint = _found(await endpoint_rows.lock(connection, org_id, request.id))
            event = endpoint_event("webhook.test", org_id, endpoint.id, endpoint.url, "")
            delivery = await operations.open_delivery(connection, endpoint, event.envelope(operations.SERVICE))
            return pb.TestWebhookEndpointResponse(delivery_id=delivery.id, job_id=delivery.job_id)

        return await run_write(self._database, org_id, act, pb.TestWebhookEndpointResponse)

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListWebhookDeliveriesResponse:
        require_scope("webhooks:read")
        endpoint = await self._get(request.endpoint_id)
        wanted = page_request_from_proto(request.page, DELIVERY_LIST)
        page = await self._endpoints.list_deliveries(endpoint.org_id, endpoint.id, request.status, wanted)
        rows = map(delivery_to_proto, page.items)
        return pb.ListWebhookDeliveriesResponse(deliveries=rows, page_info=page_info_to_proto(page))

    async def ReplayWebhookDelivery(
        self, request: pb.ReplayWebhookDeliveryRequest, context: grpc.aio.ServicerContext
    ) -> pb.ReplayWebhookDeliveryResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(connection: Connection) -> pb.ReplayWebhookDeliveryResponse:
            delivery = await operations.replay_delivery(connection, org_id, request.endpoint_id, request.delivery_id)
            return pb.ReplayWebhookDeliveryResponse(delivery=delivery_to_proto(delivery))

        return await run_write(self._database, org_id, act, pb.ReplayWebhookDeliveryResponse)

    async def _get(self, endpoint_id: str) -> Endpoint:
        return _found(await self._endpoints.get(current_principal().org_id, endpoint_id))

    def _check(self, endpoint: Endpoint) -> None:
        check_endpoint(endpoint.url, endpoint.event_types, endpoint.description, _EVENT_TYPES)
        if self._is_forbidden(endpoint.url) is not None:
            violation = Violation("#/url", "forbidden_address", "The address must be public.")
            raise InvalidArgument("validation_failed", "Correct the fields named in errors.", violations=[violation])

    def _seal(self, endpoint: Endpoint, secret: str) -> bytes:
        return self._envelope.encrypt(secret.encode(), operations.secret_place(endpoint.org_id, endpoint.id))


def new_secret() -> str:
    """A Standard Webhooks secret: whsec_ and base64 of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _new_endpoint(org_id: str, message: pb.WebhookEndpoint) -> Endpoint:
    now = utcnow()
    return Endpoint(
        id=new_id("whe"),
        org_id=org_id,
        url=message.url,
        event_types=tuple(message.event_types),
        description=message.description,
        status="enabled",
        disabled_reason="",
        version=1,
        created_at=now,
        updated_at=now,
        last_success_at=None,
        last_failure_at=None,
    )


def _changed(endpoint: Endpoint, request: pb.UpdateWebhookEndpointRequest) -> Endpoint:
    """The endpoint with the masked fields of the request; enabling forgets why it was disabled."""
    changes: dict[str, object] = {}
    for path in request.update_mask.paths:
        if path not in ("url", "event_types", "description", "status"):
            raise InvalidArgument("validation_failed", "Only url, eventTypes, description and status can change.")
        value = getattr(request.endpoint, path)
        changes[path] = tuple(value) if path == "event_types" else value
    status = changes.get("status", endpoint.status)
    if status not in ("enabled", "disabled"):
        violation = Violation("#/status", "invalid_choice", "Set status to enabled or disabled.")
        raise InvalidArgument("validation_failed", "Correct the fields named in errors.", violations=[violation])
    if "status" in changes:
        changes["disabled_reason"] = "" if status == "enabled" else "by_customer"
    return dataclasses.replace(endpoint, **changes)  # type: ignore[arg-type]


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise _not_found()
    return endpoint


def _not_found() -> NotFound:
    return NotFound("webhook_endpoint_not_found", "No such webhook endpoint.")
