"""The caller's organization."""

from typing import Any

from starlette.responses import Response

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.http import conditional, responses
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoQuery
from gateway.schemas.accounts import Organization, OrganizationPatch, organization_from_proto
from gateway.state import ApiRequest
from libs.cache.classes import ORGANIZATION


async def get_organization(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.identity.GetOrganization(pb.GetOrganizationRequest())
    return responses.resource(request, organization_from_proto(answer.organization), answer.organization.version)


async def update_organization(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.UpdateOrganizationRequest(expected_version=conditional.expected_version(request))
    message.update_mask.CopyFrom(apply_patch(request.data, message.organization))
    if not message.update_mask.paths:
        conditional.require_version(request, await organization_version(request))
        return await get_organization(request)
    answer = await request.app.clients.identity.UpdateOrganization(message)
    return responses.resource(request, organization_from_proto(answer.organization), answer.organization.version)


async def organization_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.identity.GetOrganization(pb.GetOrganizationRequest())
    return answer.organization.version


ROUTES = tagged(
    "Organization",
    Route(
        "GET",
        "/api/organization",
        get_organization,
        "Read the organization",
        scope="members:read",
        cached=ORGANIZATION,
        answer=Organization,
        etag="version",
    ),
    Route(
        "PATCH",
        "/api/organization",
        update_organization,
        "Change the organization",
        scope="members:write",
        body=OrganizationPatch,
        body_kind="merge_patch",
        example={"name": "Analytical Engines", "timeZone": "Europe/London"},
        answer=Organization,
        subject=organization_version,
        etag="version",
        cached=ORGANIZATION,
    ),
)
