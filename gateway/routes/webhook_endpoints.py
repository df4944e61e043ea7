"""Receivers of outbound webhooks, their secrets, and what was delivered to them."""

from typing import Any

from starlette.responses import Response

from echosenseix.realtime.v1 import realtime_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import Body, CreatedListQuery, NoBody, NoQuery
from gateway.http.wire import set_time
from gateway.schemas.realtime import (
    PATCHED,
    DeliveryQuery,
    EventReplay,
    EventReplayBody,
    FreshWebhookEndpoint,
    TestDelivery,
    WebhookDelivery,
    WebhookDeliveryLog,
    WebhookEndpoint,
    WebhookEndpointBody,
    WebhookEndpointPatch,
    delivery_from_proto,
    delivery_log_from_proto,
    endpoint_from_proto,
    fresh_endpoint_from_proto,
)
from gateway.state import ApiRequest


async def create_endpoint(request: ApiRequest[NoQuery, WebhookEndpointBody]) -> Response:
    body = request.data
    answer = await request.app.clients.webhook_endpoints.CreateWebhookEndpoint(
        pb.CreateWebhookEndpointRequest(
            endpoint=pb.WebhookEndpoint(
                url=body.url,
                event_types=body.event_types,
                description=body.description or "",
                content_type=body.content_type or "",
            )
        )
    )
    fresh = fresh_endpoint_from_proto(answer.endpoint, answer.secret)
    return responses.created(fresh, f"/api/webhook-endpoints/{fresh.id}", fresh.version)


async def list_endpoints(request: ApiRequest[CreatedListQuery, NoBody]) -> Response:
    answer = await request.app.clients.webhook_endpoints.ListWebhookEndpoints(
        pb.ListWebhookEndpointsRequest(page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.endpoints, answer.page_info, endpoint_from_proto)


async def get_endpoint(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.webhook_endpoints.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=request.id))
    return responses.current(request, endpoint_from_proto(answer.endpoint), answer.endpoint.version)


async def update_endpoint(request: ApiRequest[NoQuery, Body]) -> Response:
    message = pb.UpdateWebhookEndpointRequest(
        expected_version=conditional.expected_version(request),
    )
    message.update_mask.CopyFrom(apply_patch(request.data, message.endpoint, PATCHED))
    message.endpoint.id = request.id
    if not message.update_mask.paths:
        conditional.require_version(request, await endpoint_version(request))
        return await get_endpoint(request)
    answer = await request.app.clients.webhook_endpoints.UpdateWebhookEndpoint(message)
    return responses.current(request, endpoint_from_proto(answer.endpoint), answer.endpoint.version)


async def delete_endpoint(request: ApiRequest[NoQuery, NoBody]) -> Response:
    # A delivery that waits finds its endpoint gone and is discarded.
    await request.app.clients.webhook_endpoints.DeleteWebhookEndpoint(
        pb.DeleteWebhookEndpointRequest(
            id=request.id,
            expected_version=conditional.expected_version(request),
        )
    )
    return responses.no_content()


async def rotate_secret(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.webhook_endpoints.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(
            id=request.id,
            expected_version=conditional.expected_version(request),
        )
    )
    return responses.ok(fresh_endpoint_from_proto(answer.endpoint, answer.secret))


async def test_endpoint(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.webhook_endpoints.TestWebhookEndpoint(
        pb.TestWebhookEndpointRequest(id=request.id)
    )
    return responses.accepted(
        TestDelivery(delivery_id=answer.delivery_id, job_id=answer.job_id), f"/api/jobs/{answer.job_id}"
    )


async def list_deliveries(request: ApiRequest[DeliveryQuery, NoBody]) -> Response:
    answer = await request.app.clients.webhook_endpoints.ListWebhookDeliveries(
        pb.ListWebhookDeliveriesRequest(
            endpoint_id=request.id,
            page=lists.page_request(request.query),
            status=request.query.status or "",
            event_type=request.query.event_type or "",
            event_id=request.query.event_id or "",
        )
    )
    return lists.page_response(request, answer.deliveries, answer.page_info, delivery_from_proto)


async def get_delivery(request: ApiRequest[NoQuery, NoBody]) -> Response:
    """What was sent and what came back at each attempt: at most 20 attempts, the first KiB of each response's body, and
    no values of headers that authenticate."""
    answer = await request.app.clients.webhook_endpoints.GetWebhookDelivery(
        pb.GetWebhookDeliveryRequest(endpoint_id=request.id, delivery_id=request.path_params["deliveryId"])
    )
    return responses.ok(delivery_log_from_proto(answer))


async def replay_endpoint(request: ApiRequest[NoQuery, EventReplayBody]) -> Response:
    """The events of the range, at most 10,000, are delivered again in a job, in their order, each under the webhook-id
    of its first delivery. A second request for the same range while one runs gets its job; another range is refused
    until then."""
    body = request.data
    message = pb.ReplayWebhookEndpointRequest(
        endpoint_id=request.id, types=body.types or (), only_undelivered=body.only_undelivered or False
    )
    set_time(message.after_time, body.after, "#/after")
    set_time(message.before_time, body.before, "#/before")
    answer = await request.app.clients.webhook_endpoints.ReplayWebhookEndpoint(message)
    return responses.accepted(EventReplay(job_id=answer.job_id, events=answer.events), f"/api/jobs/{answer.job_id}")


async def replay_delivery(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.webhook_endpoints.ReplayWebhookDelivery(
        pb.ReplayWebhookDeliveryRequest(endpoint_id=request.id, delivery_id=request.path_params["deliveryId"])
    )
    return responses.accepted(delivery_from_proto(answer.delivery), f"/api/jobs/{answer.delivery.job_id}")


async def endpoint_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.webhook_endpoints.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=request.id))
    return answer.endpoint.version


_ENDPOINT = {"url": "https://example.com/hooks", "eventTypes": ["call.ended"], "description": "CRM"}
_PATH = "/api/webhook-endpoints"

ROUTES = tagged(
    "Webhooks out",
    Route(
        "POST",
        _PATH,
        create_endpoint,
        "Register a receiver",
        scope="webhooks:write",
        body=WebhookEndpointBody,
        example=_ENDPOINT,
        answer=FreshWebhookEndpoint,
        status=201,
        secret=True,
        etag="match",
    ),
    Route(
        "GET",
        _PATH,
        list_endpoints,
        "List receivers",
        scope="webhooks:read",
        query=CreatedListQuery,
        answer=list[WebhookEndpoint],
    ),
    Route(
        "GET",
        _PATH + "/{id}",
        get_endpoint,
        "Read a receiver",
        scope="webhooks:read",
        answer=WebhookEndpoint,
        etag="match",
    ),
    Route(
        "PATCH",
        _PATH + "/{id}",
        update_endpoint,
        "Change a receiver",
        scope="webhooks:write",
        body=WebhookEndpointPatch,
        body_kind="merge_patch",
        example={"eventTypes": ["call.ended", "call.recording_ready"]},
        answer=WebhookEndpoint,
        subject=endpoint_version,
        etag="match",
    ),
    Route(
        "DELETE",
        _PATH + "/{id}",
        delete_endpoint,
        "Remove a receiver",
        scope="webhooks:write",
        status=204,
        subject=endpoint_version,
    ),
    Route(
        "POST",
        _PATH + "/{id}/rotate",
        rotate_secret,
        "Replace the signing secret; the old one signs along for a day",
        scope="webhooks:write",
        answer=FreshWebhookEndpoint,
        secret=True,
        subject=endpoint_version,
    ),
    Route(
        "POST",
        _PATH + "/{id}/test",
        test_endpoint,
        "Send a test event",
        scope="webhooks:write",
        answer=TestDelivery,
        status=202,
        subject=endpoint_version,
    ),
    Route(
        "GET",
        _PATH + "/{id}/deliveries",
        list_deliveries,
        "List deliveries",
        scope="webhooks:read",
        query=DeliveryQuery,
        answer=list[WebhookDelivery],
    ),
    Route(
        "GET",
        _PATH + "/{id}/deliveries/{deliveryId}",
        get_delivery,
        "Read a delivery with its attempts",
        scope="webhooks:read",
        answer=WebhookDeliveryLog,
    ),
    Route(
        "POST",
        _PATH + "/{id}/replay",
        replay_endpoint,
        "Deliver the events of a time range again",
        scope="webhooks:write",
        body=EventReplayBody,
        example={"after": "2026-01-02T00:00:00Z", "before": "2026-01-03T00:00:00Z", "types": ["call.*"]},
        answer=EventReplay,
        status=202,
        subject=endpoint_version,
        problems=(409,),
    ),
    Route(
        "POST",
        _PATH + "/{id}/deliveries/{deliveryId}/replay",
        replay_delivery,
        "Deliver again",
        scope="webhooks:write",
        answer=WebhookDelivery,
        status=202,
        subject=endpoint_version,
    ),
)
