"""The customers of an agency. The path names the caller's own organization; another one's is not found."""

from typing import Any

from msgspec import UNSET
from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from echosenseix.identity.v1 import children_pb2 as pb
from echosenseix.identity.v1 import identity_pb2
from gateway.http import conditional, lists, responses
from gateway.http.derived import fill
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.accounts import Organization, organization_from_proto
from gateway.schemas.children import ChildBody, ChildPatch, ChildQuery
from gateway.state import ApiRequest
from suite.services import ORGANIZATIONS

_NAMES = {"name": "name", "time_zone": "time_zone"}
_STATUSES = {
    "active": identity_pb2.ORGANIZATION_STATUS_ACTIVE,
    "suspended": identity_pb2.ORGANIZATION_STATUS_SUSPENDED,
}


async def create_child(request: ApiRequest[NoQuery, ChildBody]) -> Response:
    body = request.data
    answer = await request.app.clients.children.CreateChild(
        pb.CreateChildRequest(parent_id=request.id, name=body.name, time_zone=body.time_zone)
    )
    shown = organization_from_proto(answer.child)
    location = f"/api/organizations/{shown.parent_id}/children/{shown.id}"
    return responses.created(shown, location, answer.child.version)


async def list_children(request: ApiRequest[ChildQuery, NoBody]) -> Response:
    message = pb.ListChildrenRequest(parent_id=request.id, page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.children.ListChildren(message)
    return lists.page_response(request, answer.children, answer.page_info, organization_from_proto)


async def get_child(request: ApiRequest[NoQuery, Any]) -> Response:
    child = await _child(request)
    return responses.resource(request, organization_from_proto(child), child.version)


async def update_child(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.UpdateChildRequest(parent_id=request.id, expected_version=conditional.expected_version(request))
    message.child.id = request.path_params["childId"]
    message.update_mask.CopyFrom(apply_patch(request.data, message.child, _NAMES))
    if request.data.status is not UNSET:
        message.child.status = _STATUSES[request.data.status]
        message.update_mask.paths.append("status")
    if not message.update_mask.paths:
        conditional.require_version(request, await child_version(request))
        return await get_child(request)
    answer = await request.app.clients.children.UpdateChild(message)
    return responses.resource(request, organization_from_proto(answer.child), answer.child.version)


async def archive_child(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.children.ArchiveChild(
        pb.ArchiveChildRequest(
            parent_id=request.id,
            id=request.path_params["childId"],
            expected_version=conditional.expected_version(request),
        )
    )
    return responses.no_content()


async def parent_subject(request: ApiRequest[Any, Any]) -> int:
    """Whether the organization of the path is the caller's own, before its body is judged; it has no version here."""
    one = common_pb2.PageRequest(limit=1, cursor_mode=True)
    await request.app.clients.children.ListChildren(pb.ListChildrenRequest(parent_id=request.id, page=one))
    return 0


async def child_version(request: ApiRequest[Any, Any]) -> int:
    return (await _child(request)).version


async def _child(request: ApiRequest[Any, Any]) -> identity_pb2.Organization:
    answer = await request.app.clients.children.GetChild(
        pb.GetChildRequest(parent_id=request.id, id=request.path_params["childId"])
    )
    return answer.child


_READ, _WRITE = f"{ORGANIZATIONS}:read", f"{ORGANIZATIONS}:write"
_CHILDREN = "/api/organizations/{id}/children"

ROUTES = tagged(
    "Organization",
    Route(
        "GET",
        _CHILDREN,
        list_children,
        "List the customers of the agency",
        scope=_READ,
        query=ChildQuery,
        answer=list[Organization],
        problems=(404,),
    ),
    Route(
        "POST",
        _CHILDREN,
        create_child,
        "Make a customer of the agency",
        scope=_WRITE,
        body=ChildBody,
        example={"name": "Difference Engines", "timeZone": "Europe/London"},
        answer=Organization,
        status=201,
        subject=parent_subject,
        problems=(404, 409),
    ),
    Route(
        "GET",
        f"{_CHILDREN}/{{childId}}",
        get_child,
        "Read a customer of the agency",
        scope=_READ,
        answer=Organization,
        etag="version",
    ),
    Route(
        "PATCH",
        f"{_CHILDREN}/{{childId}}",
        update_child,
        "Rename, suspend or resume a customer of the agency",
        scope=_WRITE,
        body=ChildPatch,
        body_kind="merge_patch",
        example={"status": "suspended"},
        answer=Organization,
        subject=child_version,
        problems=(409,),
        etag="version",
    ),
    Route(
        "DELETE",
        f"{_CHILDREN}/{{childId}}",
        archive_child,
        "Archive a customer of the agency: all access to it ends, its data stay",
        scope=_WRITE,
        status=204,
        subject=child_version,
        problems=(409,),
    ),
)
