"""WebhookEndpointService: webhook endpoints, their secrets and their deliveries."""

from __future__ import annotations

import base64
import dataclasses
import secrets
from collections.abc import Callable, Iterator, Sequence

from echosenseix.realtime.v1 import realtime_pb2 as pb
from echosenseix.realtime.v1 import realtime_pb2_grpc as pb_grpc
from libs.clock import utcnow
from libs.crypto import Envelope
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Violation, invalid_parameter
from libs.events.topics import LOGGED
from libs.http.addresses import ascii_url, parse_target
from libs.ids import lowest_id, new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope
from libs.rpc.masks import Edit, Editable
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.versions import require_version
from services.realtime import operations
from services.realtime.domain.delivery import CONTENT_TYPES, SECRET_OVERLAP, Endpoint, matches
from services.realtime.domain.validation import violations_of
from services.realtime.mapping import (
    attempt_to_proto,
    delivery_to_proto,
    endpoint_event,
    endpoint_to_proto,
)
from services.realtime.protocol.hearing import check_hearing, heard_topics, unknown_types
from services.realtime.storage import deliveries
from services.realtime.storage import endpoints as endpoint_rows
from services.realtime.storage.endpoints import DELIVERY_LIST, ENDPOINT_LIST, Endpoints
from services.realtime.storage.event_log import count_range

# Types of events that a delivery can have; the log has none of the one that a customer asks for.
DELIVERED = frozenset((*LOGGED, "webhook.test"))
EDITABLE: Editable[Endpoint] = Editable(
    {name: name for name in ("url", "event_types", "description", "content_type", "status")}
)


class WebhookEndpointServicer(pb_grpc.WebhookEndpointServiceServicer):
    def __init__(
        self, database: Database, endpoints: Endpoints, envelope: Envelope, is_forbidden: Callable[[str], str | None]
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._envelope = envelope
        self._is_forbidden = is_forbidden

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: object
    ) -> pb.CreateWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id
        endpoint = _new_endpoint(org_id, request.endpoint)
        self._check(endpoint)
        check_hearing(endpoint.event_types, current_principal().scopes)
        secret = new_secret()

        async def act(conn: Connection) -> pb.CreateWebhookEndpointResponse:
            await self._database.quotas.admit(conn, org_id, "webhook_endpoints")
            await endpoint_rows.add(conn, endpoint, self._seal(endpoint, secret))
            return pb.CreateWebhookEndpointResponse(endpoint=endpoint_to_proto(endpoint), secret=secret)

        return await run_write(self._database, org_id, act, pb.CreateWebhookEndpointResponse, secret=True)

    async def GetWebhookEndpoint(
        self, request: pb.GetWebhookEndpointRequest, context: object
    ) -> pb.GetWebhookEndpointResponse:
        require_scope("webhooks:read")
        return pb.GetWebhookEndpointResponse(endpoint=endpoint_to_proto(await self._get(request.id)))

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: object
    ) -> pb.ListWebhookEndpointsResponse:
        require_scope("webhooks:read")
        wanted = page_request_from_proto(request.page, ENDPOINT_LIST)
        page = await self._endpoints.list(current_principal().org_id, wanted)
        rows = map(endpoint_to_proto, page.items)
        return pb.ListWebhookEndpointsResponse(endpoints=rows, page_info=page_info_to_proto(page))

    async def UpdateWebhookEndpoint(
        self, request: pb.UpdateWebhookEndpointRequest, context: object
    ) -> pb.UpdateWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id, edit = current_principal().org_id, EDITABLE.read(request.update_mask)

        async def act(conn: Connection) -> pb.UpdateWebhookEndpointResponse:
            endpoint = _found(await endpoint_rows.lock(conn, org_id, request.endpoint.id))
            require_version(request, endpoint.version)
            changed = _changed(endpoint, edit, request.endpoint)
            if changed == endpoint:
                return pb.UpdateWebhookEndpointResponse(endpoint=endpoint_to_proto(endpoint))
            self._check(changed)
            # Another address would receive all events of the endpoint, so any change needs all of its scopes.
            check_hearing(changed.event_types, current_principal().scopes)
            saved = await endpoint_rows.save(conn, changed)
            return pb.UpdateWebhookEndpointResponse(endpoint=endpoint_to_proto(saved))

        return await run_write(self._database, org_id, act, pb.UpdateWebhookEndpointResponse)

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, context: object
    ) -> pb.DeleteWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(conn: Connection) -> pb.DeleteWebhookEndpointResponse:
            endpoint = _found(await endpoint_rows.lock(conn, org_id, request.id))
            require_version(request, endpoint.version)
            await endpoint_rows.delete(conn, org_id, endpoint.id)
            return pb.DeleteWebhookEndpointResponse()

        return await run_write(self._database, org_id, act, pb.DeleteWebhookEndpointResponse)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: object
    ) -> pb.RotateWebhookSecretResponse:
        require_scope("webhooks:write")
        org_id, secret = current_principal().org_id, new_secret()

        async def act(conn: Connection) -> pb.RotateWebhookSecretResponse:
            endpoint = _found(await endpoint_rows.lock(conn, org_id, request.id))
            require_version(request, endpoint.version)
            check_hearing(endpoint.event_types, current_principal().scopes)
            sealed = self._seal(endpoint, secret)
            fresh = await endpoint_rows.replace_secret(conn, org_id, endpoint.id, sealed, SECRET_OVERLAP)
            return pb.RotateWebhookSecretResponse(endpoint=endpoint_to_proto(fresh), secret=secret)

        return await run_write(self._database, org_id, act, pb.RotateWebhookSecretResponse, secret=True)

    async def TestWebhookEndpoint(
        self, request: pb.TestWebhookEndpointRequest, context: object
    ) -> pb.TestWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(conn: Connection) -> pb.TestWebhookEndpointResponse:
            endpoint = _found(await endpoint_rows.lock(conn, org_id, request.id))
            await self._database.quotas.spend(conn, org_id, "webhook_tests_per_day")
            event = endpoint_event("webhook.test", org_id, endpoint.id, endpoint.url)
            delivery = await operations.open_delivery(conn, endpoint, event.envelope())
            return pb.TestWebhookEndpointResponse(delivery_id=delivery.id, job_id=delivery.job_id)

        return await run_write(self._database, org_id, act, pb.TestWebhookEndpointResponse)

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: object
    ) -> pb.ListWebhookDeliveriesResponse:
        require_scope("webhooks:read")
        endpoint = await self._get(request.endpoint_id)
        if request.event_type and request.event_type not in DELIVERED:
            raise invalid_parameter("eventType", "No event has this type; see the events' documentation.")
        page = await self._endpoints.list_deliveries(
            endpoint.org_id,
            endpoint.id,
            page_request_from_proto(request.page, DELIVERY_LIST),
            status=request.status,
            event_type=request.event_type,
            event_id=request.event_id,
        )
        rows = map(delivery_to_proto, page.items)
        return pb.ListWebhookDeliveriesResponse(deliveries=rows, page_info=page_info_to_proto(page))

    async def GetWebhookDelivery(
        self, request: pb.GetWebhookDeliveryRequest, context: object
    ) -> pb.GetWebhookDeliveryResponse:
        require_scope("webhooks:read")
        endpoint = await self._get(request.endpoint_id)
        found = await self._endpoints.get_delivery(endpoint.org_id, endpoint.id, request.delivery_id)
        if found is None:
            raise NotFound("webhook_delivery_not_found", "No such webhook delivery.")
        delivery, body = found
        # The body is the event itself.
        check_hearing((delivery.event_type,), current_principal().scopes)
        attempts = await deliveries.attempts(self._database, endpoint.org_id, delivery.id)
        return pb.GetWebhookDeliveryResponse(
            delivery=delivery_to_proto(delivery), request_body=body.decode(), attempts=map(attempt_to_proto, attempts)
        )

    async def ReplayWebhookEndpoint(
        self, request: pb.ReplayWebhookEndpointRequest, context: object
    ) -> pb.ReplayWebhookEndpointResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id
        endpoint = await self._get(request.endpoint_id)
        if endpoint.status != "enabled":
            raise FailedPrecondition("webhook_endpoint_disabled", "Enable the endpoint before you replay events to it.")
        _check_types(request.types)
        types = tuple(request.types) or endpoint.event_types
        wanted = [topic for topic in heard_topics(current_principal().scopes, types) if matches(types, topic)]
        check_hearing(types, current_principal().scopes)
        after, before = _id_range(request)
        events = await count_range(self._database, org_id, after, before, wanted, operations.MAX_REPLAY + 1)
        if events > operations.MAX_REPLAY:
            raise InvalidArgument(
                "replay_too_large", f"The range has more than {operations.MAX_REPLAY} events. Ask for a smaller one."
            )
        args = {
            "endpointId": endpoint.id, "after": after, "before": before, "types": wanted,
            "onlyUndelivered": request.only_undelivered,
        }  # fmt: skip

        async def act(conn: Connection) -> pb.ReplayWebhookEndpointResponse:
            job_id = await operations.replay_range(conn, org_id, args)
            await self._database.quotas.spend(conn, org_id, "webhook_tests_per_day")
            return pb.ReplayWebhookEndpointResponse(job_id=job_id, events=events)

        return await run_write(self._database, org_id, act, pb.ReplayWebhookEndpointResponse)

    async def ReplayWebhookDelivery(
        self, request: pb.ReplayWebhookDeliveryRequest, context: object
    ) -> pb.ReplayWebhookDeliveryResponse:
        require_scope("webhooks:write")
        org_id = current_principal().org_id

        async def act(conn: Connection) -> pb.ReplayWebhookDeliveryResponse:
            await self._database.quotas.spend(conn, org_id, "webhook_tests_per_day")
            delivery = await operations.replay_delivery(conn, org_id, request.endpoint_id, request.delivery_id)
            return pb.ReplayWebhookDeliveryResponse(delivery=delivery_to_proto(delivery))

        return await run_write(self._database, org_id, act, pb.ReplayWebhookDeliveryResponse)

    async def _get(self, endpoint_id: str) -> Endpoint:
        return _found(await self._endpoints.get(current_principal().org_id, endpoint_id))

    def _check(self, endpoint: Endpoint) -> None:
        """Raises InvalidArgument("validation_failed") that names everything that is wrong."""
        wrong = violations_of(endpoint.url, endpoint.event_types, endpoint.description, endpoint.content_type, LOGGED)
        if not any(one.pointer == "#/url" for one in wrong):
            wrong += self._of_target(endpoint.url)
        if wrong:
            raise InvalidArgument("validation_failed", "Correct the fields named in errors.", violations=wrong)

    def _of_target(self, url: str) -> Iterator[Violation]:
        try:
            parse_target(ascii_url(url))
        except ValueError as error:
            yield _wrong_url("invalid_url", error)
            return
        if self._is_forbidden(url) is not None:
            yield _wrong_url("forbidden_address", "the address must be public")

    def _seal(self, endpoint: Endpoint, secret: str) -> bytes:
        return self._envelope.encrypt(secret.encode(), endpoint_rows.secret_place(endpoint.org_id, endpoint.id))


def new_secret() -> str:
    """A Standard Webhooks secret: whsec_ and base64 of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _id_range(request: pb.ReplayWebhookEndpointRequest) -> tuple[str, str]:
    """The event ids between which the range lies. Ids begin with the milliseconds of their event."""
    before = (
        request.before_time.ToMilliseconds()
        if request.HasField("before_time")
        else int(utcnow().timestamp() * 1000) + 1
    )
    after = request.after_time.ToMilliseconds()
    if after >= before:
        violation = Violation("#/before", "invalid_range", "Set before to a time later than after.")
        raise InvalidArgument("validation_failed", "Correct the fields named in errors.", violations=[violation])
    return lowest_id("evt", after), lowest_id("evt", before)


def _new_endpoint(org_id: str, message: pb.WebhookEndpoint) -> Endpoint:
    now = utcnow()
    return Endpoint(
        id=new_id("whe"),
        org_id=org_id,
        url=_address(message.url),
        event_types=tuple(message.event_types),
        description=message.description,
        content_type=message.content_type or CONTENT_TYPES[0],
        status="enabled",
        disabled_reason="",
        version=1,
        created_at=now,
        updated_at=now,
        last_success_at=None,
        last_failure_at=None,
        failing_since=None,
        exhausted=0,
    )


def _changed(endpoint: Endpoint, edit: Edit[Endpoint], asked: pb.WebhookEndpoint) -> Endpoint:
    """The endpoint with the edited fields of the request; enabling forgets why it was disabled."""
    given = dataclasses.replace(
        endpoint, url=_address(asked.url) if "url" in edit.attributes else endpoint.url,
        event_types=tuple(asked.event_types), description=asked.description,
        content_type=asked.content_type or CONTENT_TYPES[0], status=asked.status,
    )  # fmt: skip
    changed = edit.merge(endpoint, given)
    if "status" not in edit.attributes:
        return changed
    if changed.status not in ("enabled", "disabled"):
        violation = Violation("#/status", "invalid_choice", "Set status to enabled or disabled.")
        raise InvalidArgument("validation_failed", "Correct the fields named in errors.", violations=[violation])
    return dataclasses.replace(changed, disabled_reason="" if changed.status == "enabled" else "by_customer")


def _address(url: str) -> str:
    """The URL as it goes on the wire; as it was given where it has no such form, which the check refuses."""
    try:
        return ascii_url(url)
    except ValueError:
        return url


def _wrong_url(code: str, reason: object) -> Violation:
    text = str(reason)
    return Violation("#/url", code, f"{text[:1].upper()}{text[1:]}.")


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise _not_found()
    return endpoint


def _not_found() -> NotFound:
    return NotFound("webhook_endpoint_not_found", "No such webhook endpoint.")


def _check_types(types: Sequence[str]) -> None:
    """A body is told its wrong words where they stand; a query, which heard_topics reads, has one parameter."""
    found = [
        Violation(f"#/types/{index}", "unknown_value", "No event has this type; see the events' documentation.")
        for index in unknown_types(types)
    ]
    if found:
        raise InvalidArgument("validation_failed", "Some types are not known.", violations=found)
