"""The users of an organization and the roles that they can have."""

from typing import Any

from msgspec import UNSET
from starlette.responses import Response

from echosenseix.identity.v1 import members_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.derived import fill
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.members import (
    ROLES,
    AgentGrants,
    AgentGrantsBody,
    Member,
    Roles,
    UserPatch,
    UserQuery,
    grants_from_proto,
    grants_to_proto,
    member_from_proto,
    role_from_proto,
)
from gateway.state import ApiRequest

_NAMES = {"first_name": "first_name", "last_name": "last_name"}


async def list_users(request: ApiRequest[UserQuery, NoBody]) -> Response:
    message = pb.ListUsersRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.members.ListUsers(message)
    return lists.page_response(request, answer.users, answer.page_info, member_from_proto)


async def get_user(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.members.GetUser(pb.GetUserRequest(id=request.id))
    return responses.current(request, member_from_proto(answer.user), answer.user.version)


async def update_user(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.UpdateUserRequest(expected_version=conditional.expected_version(request))
    message.user.id = request.id
    message.update_mask.CopyFrom(apply_patch(request.data, message.user, _NAMES))
    if request.data.role is not UNSET:
        message.user.role = ROLES[request.data.role]
        message.update_mask.paths.append("role")
    if not message.update_mask.paths:
        conditional.require_version(request, await user_version(request))
        return await get_user(request)
    answer = await request.app.clients.members.UpdateUser(message)
    request.app.principals.forget(request.id)
    return responses.current(request, member_from_proto(answer.user), answer.user.version)


async def remove_user(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.members.RemoveUser(
        pb.RemoveUserRequest(id=request.id, expected_version=conditional.expected_version(request))
    )
    request.app.principals.forget(request.id)
    return responses.no_content()


async def get_agent_grants(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.members.GetAgentGrants(pb.GetAgentGrantsRequest(user_id=request.id))
    return responses.current(request, grants_from_proto(answer), answer.user.version)


async def put_agent_grants(request: ApiRequest[NoQuery, AgentGrantsBody]) -> Response:
    message = grants_to_proto(request.data)
    message.user_id = request.id
    if (expected := conditional.expected_version(request)) is not None:
        message.expected_version = expected
    answer = await request.app.clients.members.PutAgentGrants(message)
    request.app.principals.forget(request.id)
    return responses.current(request, grants_from_proto(answer), answer.user.version)


async def list_roles(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.members.ListRoles(pb.ListRolesRequest())
    return responses.ok(Roles(data=[role_from_proto(role) for role in answer.roles]))


async def user_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.members.GetUser(pb.GetUserRequest(id=request.id))
    return answer.user.version


ROUTES = tagged(
    "Users",
    Route(
        "GET",
        "/api/users",
        list_users,
        "List the users of the organization",
        scope="members:read",
        query=UserQuery,
        answer=list[Member],
    ),
    Route("GET", "/api/users/{id}", get_user, "Read a user", scope="members:read", answer=Member, etag="match"),
    Route(
        "PATCH",
        "/api/users/{id}",
        update_user,
        "Change the role or the name of a user",
        scope="members:write",
        body=UserPatch,
        body_kind="merge_patch",
        example={"firstName": "Grace", "lastName": "Hopper"},
        answer=Member,
        subject=user_version,
        problems=(409,),
        etag="match",
    ),
    Route(
        "DELETE",
        "/api/users/{id}",
        remove_user,
        "Remove a user from the organization, with its sessions and API keys",
        scope="members:write",
        status=204,
        subject=user_version,
        problems=(409,),
    ),
    Route(
        "GET",
        "/api/users/{id}/agent-grants",
        get_agent_grants,
        "Read which agents a user reaches",
        scope="members:read",
        answer=AgentGrants,
        etag="match",
    ),
    Route(
        "PUT",
        "/api/users/{id}/agent-grants",
        put_agent_grants,
        "Limit a member or viewer to some agents, or lift the limit",
        scope="members:write",
        body=AgentGrantsBody,
        example={
            "agentAccess": "granted",
            "grants": [{"agentId": "agt_01m8f59rmhe3d9h1wxp49bjd1g", "access": "write"}],
        },
        answer=AgentGrants,
        subject=user_version,
        problems=(409,),
        etag="match",
        repeatable=True,
    ),
    Route("GET", "/api/roles", list_roles, "List the roles and their scopes", scope="members:read", answer=Roles),
)
