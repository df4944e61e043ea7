"""Grants of agents: which agents a member or a viewer reaches, set by who may give that role."""

from __future__ import annotations

from echosenseix.identity.v1 import members_pb2, members_pb2_grpc
from libs.errors import PermissionDenied
from libs.events.outbox import append
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.principal import Principal
from libs.rpc.versions import require_version
from services.identity.domain.agent_grants import AgentGrant, check_grants
from services.identity.domain.people import User, with_agent_access
from services.identity.domain.scopes import Role, check_role
from services.identity.mapping.agent_grants import access_from_proto, grant_to_proto
from services.identity.mapping.events import user_event
from services.identity.mapping.people import user_to_proto

from .parts import Parts


class AgentGrantMethods(members_pb2_grpc.MemberServiceServicer):
    """A part of MemberService."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def GetAgentGrants(
        self, request: members_pb2.GetAgentGrantsRequest, context: object
    ) -> members_pb2.GetAgentGrantsResponse:
        org_id, parts = require_scope("members:read").org_id, self._parts
        user = await parts.members.get(org_id, request.user_id)
        grants = await parts.grants.of_user(org_id, user.id)
        return members_pb2.GetAgentGrantsResponse(user=user_to_proto(user), grants=map(grant_to_proto, grants))

    async def PutAgentGrants(
        self, request: members_pb2.PutAgentGrantsRequest, context: object
    ) -> members_pb2.PutAgentGrantsResponse:
        principal, parts, now = require_scope("members:write"), self._parts, self._parts.clock.now()
        access = access_from_proto(request.agent_access)
        asked = [AgentGrant(grant.agent_id, grant.writable) for grant in request.grants]

        async def act(conn: Connection) -> members_pb2.PutAgentGrantsResponse:
            user = await parts.members.lock(conn, principal.org_id, request.user_id)
            require_version(request, user.version)
            _check_ceiling(principal, user)
            check_grants(access, asked, user.role)
            grants = await parts.grants.locked(conn, user)
            if user.agent_access is not access or _places(grants) != _places(asked):
                user = with_agent_access(user, access, now)
                await parts.members.save(conn, user)
                await parts.grants.replace(conn, user, asked, principal.user_id or principal.api_key_id)
                await append(conn, user_event("user.updated", user, access_changed=True))
                grants = await parts.grants.locked(conn, user)
            return members_pb2.PutAgentGrantsResponse(user=user_to_proto(user), grants=map(grant_to_proto, grants))

        return await run_write(parts.database, principal.org_id, act, members_pb2.PutAgentGrantsResponse)


def _check_ceiling(principal: Principal, user: User) -> None:
    """No one grants what it lacks: the caller may give the user's role, and its own credential changes agents."""
    check_role(user.role, Role(principal.role), principal.scopes)
    if not principal.has_scope("agents:write"):
        raise PermissionDenied("scope_not_grantable", "You may grant no agents that your own scopes do not reach.")


def _places(grants: list[AgentGrant]) -> set[tuple[str, bool]]:
    return {(grant.agent_id, grant.writable) for grant in grants}
