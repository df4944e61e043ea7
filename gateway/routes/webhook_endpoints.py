"""Receivers of outbound webhooks, their secrets, and what was delivered to them."""

from typing import Any

from starlette.responses import Response

from echosenseix.realtime.v1 import realtime_pb2 as pb
from gateway.http.merge_patch import apply_patch
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import ListQuery, NoBody, NoQuery
from gateway.schemas.realtime import (
    PATCHED,
    DeliveryQuery,
    FreshWebhookEndpoint,
    TestDelivery,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointBody,
    WebhookEndpointPatch,
    delivery_from_proto,
    endpoint_from_proto,
    fresh_endpoint_from_proto,
)


async def create_endpoint(call: Call[NoQuery, WebhookEndpointBody]) -> Response:
    body = call.body
    answer = await call.clients.webhook_endpoints.CreateWebhookEndpoint(
        pb.CreateWebhookEndpointRequest(
            endpoint=pb.WebhookEndpoint(url=body.url, event_types=body.event_types, description=body.description or "")
        )
    )
    fresh = fresh_endpoint_from_proto(answer.endpoint, answer.secret)
    return call.created(fresh, f"/api/webhook-endpoints/{fresh.id}", fresh.version)


async def list_endpoints(call: Call[ListQuery, NoBody]) -> Response:
    answer = await call.clients.webhook_endpoints.ListWebhookEndpoints(
        pb.ListWebhookEndpointsRequest(page=call.page_request())
    )
    return call.page(answer.endpoints, answer.page_info, endpoint_from_proto)


async def get_endpoint(call: Call[NoQuery, Any]) -> Response:
    answer = await call.clients.webhook_endpoints.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=call.id))
    return call.current(endpoint_from_proto(answer.endpoint), answer.endpoint.version)


async def update_endpoint(call: Call[NoQuery, WebhookEndpointPatch]) -> Response:
    request = pb.UpdateWebhookEndpointRequest(expected_version=call.expected_version)
    request.update_mask.CopyFrom(apply_patch(call.body, request.endpoint, PATCHED))
    request.endpoint.id = call.id
    if not request.update_mask.paths:
        call.require_version(await endpoint_version(call))
        return await get_endpoint(call)
    answer = await call.clients.webhook_endpoints.UpdateWebhookEndpoint(request)
    return call.current(endpoint_from_proto(answer.endpoint), answer.endpoint.version)


async def delete_endpoint(call: Call[NoQuery, NoBody]) -> Response:
    await call.clients.webhook_endpoints.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=call.id))
    return call.no_content()


async def rotate_secret(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.webhook_endpoints.RotateWebhookSecret(pb.RotateWebhookSecretRequest(id=call.id))
    return call.ok(fresh_endpoint_from_proto(answer.endpoint, answer.secret))


async def test_endpoint(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.webhook_endpoints.TestWebhookEndpoint(pb.TestWebhookEndpointRequest(id=call.id))
    return call.accepted(TestDelivery(delivery_id=answer.delivery_id, job_id=answer.job_id), answer.job_id)


async def list_deliveries(call: Call[DeliveryQuery, NoBody]) -> Response:
    answer = await call.clients.webhook_endpoints.ListWebhookDeliveries(
        pb.ListWebhookDeliveriesRequest(endpoint_id=call.id, page=call.page_request(), status=call.query.status or "")
    )
    return call.page(answer.deliveries, answer.page_info, delivery_from_proto)


async def replay_delivery(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.webhook_endpoints.ReplayWebhookDelivery(
        pb.ReplayWebhookDeliveryRequest(endpoint_id=call.id, delivery_id=call.params["deliveryId"])
    )
    return call.accepted(delivery_from_proto(answer.delivery), answer.delivery.job_id)


async def endpoint_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.webhook_endpoints.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=call.id))
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
        problems=(409,),
    ),
    Route(
        "GET",
        _PATH,
        list_endpoints,
        "List receivers",
        scope="webhooks:read",
        query=ListQuery,
        answer=list[WebhookEndpoint],
    ),
    Route("GET", _PATH + "/{id}", get_endpoint, "Read a receiver", scope="webhooks:read", answer=WebhookEndpoint),
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
        problems=(409,),
    ),
    Route("DELETE", _PATH + "/{id}", delete_endpoint, "Remove a receiver", scope="webhooks:write", status=204),
    Route(
        "POST",
        _PATH + "/{id}/rotate",
        rotate_secret,
        "Replace the signing secret; the old one signs along for a day",
        scope="webhooks:write",
        answer=FreshWebhookEndpoint,
        secret=True,
        subject=endpoint_version,
        problems=(409,),
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
        problems=(409,),
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
        "POST",
        _PATH + "/{id}/deliveries/{deliveryId}/replay",
        replay_delivery,
        "Deliver again",
        scope="webhooks:write",
        answer=WebhookDelivery,
        status=202,
        subject=endpoint_version,
        problems=(409,),
    ),
)
