"""What the platform's own organization sets for the others: their rate limits."""

from typing import Any

from starlette.responses import Response

from echosenseix.identity.v1 import operators_pb2 as pb
from gateway.http import responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.operators import RequestLimits, RequestLimitsBody, request_limits_from_proto
from gateway.state import ApiRequest


async def get_request_limits(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.operators.GetRequestLimits(
        pb.GetRequestLimitsRequest(organization_id=request.id)
    )
    return responses.ok(request_limits_from_proto(answer.limits))


async def put_request_limits(request: ApiRequest[NoQuery, RequestLimitsBody]) -> Response:
    asked = pb.RequestLimits(organization_id=request.id, percent=request.data.percent, reason=request.data.reason)
    answer = await request.app.clients.operators.PutRequestLimits(pb.PutRequestLimitsRequest(limits=asked))
    return responses.ok(request_limits_from_proto(answer.limits))


async def limits_subject(request: ApiRequest[Any, Any]) -> int:
    """Whether there is such an organization; its limits have no versions."""
    await request.app.clients.operators.GetRequestLimits(pb.GetRequestLimitsRequest(organization_id=request.id))
    return 0


ROUTES = tagged(
    "Operations",
    Route(
        "GET",
        "/api/admin/organizations/{id}/limits",
        get_request_limits,
        "Read the rate limits of an organization, for the platform's own organization",
        scope="*",
        answer=RequestLimits,
    ),
    Route(
        "PUT",
        "/api/admin/organizations/{id}/limits",
        put_request_limits,
        "Set the rate limits of an organization, for the platform's own organization",
        scope="*",
        body=RequestLimitsBody,
        example={"percent": 250, "reason": "Plan Scale"},
        answer=RequestLimits,
        subject=limits_subject,
        repeatable=True,
    ),
)
