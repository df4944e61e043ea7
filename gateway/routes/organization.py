"""The caller's own organisation."""

from typing import Any

from starlette.responses import Response

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.http.merge_patch import apply_patch
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoQuery
from gateway.schemas.accounts import Organization, OrganizationPatch, organization_from_proto

_PATCHED = {"name": "name", "time_zone": "time_zone"}


async def get_organization(call: Call[NoQuery, Any]) -> Response:
    answer = await call.clients.identity.GetOrganization(pb.GetOrganizationRequest())
    return call.resource(organization_from_proto(answer.organization), answer.organization.version)


async def update_organization(call: Call[NoQuery, OrganizationPatch]) -> Response:
    request = pb.UpdateOrganizationRequest(expected_version=call.expected_version)
    request.update_mask.CopyFrom(apply_patch(call.body, request.organization, _PATCHED))
    if not request.update_mask.paths:
        call.require_version(await organization_version(call))
        return await get_organization(call)
    answer = await call.clients.identity.UpdateOrganization(request)
    return call.resource(organization_from_proto(answer.organization), answer.organization.version)


async def organization_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.identity.GetOrganization(pb.GetOrganizationRequest())
    return answer.organization.version


ROUTES = tagged(
    "Organisation",
    Route(
        "GET", "/api/organization", get_organization, "Read my organisation", scope="members:read", answer=Organization
    ),
    Route(
        "PATCH",
        "/api/organization",
        update_organization,
        "Change my organisation",
        scope="members:write",
        body=OrganizationPatch,
        body_kind="merge_patch",
        example={"name": "Analytical Engines", "timeZone": "Europe/London"},
        answer=Organization,
        subject=organization_version,
    ),
)
