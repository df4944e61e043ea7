"""MemberService: the users of an organization, their roles, and invitations."""

from __future__ import annotations

from dataclasses import replace

from echosenseix.identity.v1 import members_pb2
from libs.errors import FailedPrecondition
from libs.events.outbox import append
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.masks import Editable
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from libs.rpc.versions import require_version
from services.identity import operations
from services.identity.domain.people import User, edit_user, email_key
from services.identity.domain.scopes import Role, check_role, may_grant
from services.identity.mapping.events import user_event
from services.identity.mapping.people import role_from_proto, role_to_proto, user_to_proto
from services.identity.storage.members import USER_LIST
from suite.roles import ROLE_SCOPES

from .agent_grants import AgentGrantMethods
from .invitations import InvitationMethods

EDITABLE: Editable[User] = Editable({"role": "role", "first_name": "first_name", "last_name": "last_name"})


class MemberMethods(InvitationMethods, AgentGrantMethods):
    async def ListUsers(self, request: members_pb2.ListUsersRequest, context: object) -> members_pb2.ListUsersResponse:
        principal = require_scope("members:read")
        wanted = page_request_from_proto(request.page, USER_LIST)
        role, address = role_from_proto(request.role), email_key(request.email)
        page = await self._parts.members.page(principal.org_id, wanted, role, address)
        return members_pb2.ListUsersResponse(users=map(user_to_proto, page.items), page_info=page_info_to_proto(page))

    async def GetUser(self, request: members_pb2.GetUserRequest, context: object) -> members_pb2.GetUserResponse:
        principal = require_scope("members:read")
        user = await self._parts.members.get(principal.org_id, request.id)
        return members_pb2.GetUserResponse(user=user_to_proto(user))

    async def UpdateUser(
        self, request: members_pb2.UpdateUserRequest, context: object
    ) -> members_pb2.UpdateUserResponse:
        principal, parts, asked = require_scope("members:write"), self._parts, request.user
        edit, org_id = EDITABLE.read(request.update_mask), principal.org_id

        async def act(conn: Connection) -> members_pb2.UpdateUserResponse:
            # Changes of roles wait here for each other, so that two owners cannot demote each other at once.
            await parts.people.lock_organization(conn, org_id)
            user = await parts.members.lock(conn, org_id, asked.id)
            require_version(request, user.version)
            role = role_from_proto(asked.role) or user.role
            given = replace(user, role=role, first_name=asked.first_name, last_name=asked.last_name)
            edited = edit_user(user, edit.merge(user, given), parts.clock.now())
            if edited is not user:
                await self._check_change(conn, principal, user, edited.role)
                await parts.members.save(conn, edited)
                changed = edited.role is not user.role
                await append(conn, user_event("user.updated", edited, access_changed=changed))
            return members_pb2.UpdateUserResponse(user=user_to_proto(edited))

        return await run_write(parts.database, org_id, act, members_pb2.UpdateUserResponse)

    async def RemoveUser(
        self, request: members_pb2.RemoveUserRequest, context: object
    ) -> members_pb2.RemoveUserResponse:
        principal, parts = require_scope("members:write"), self._parts
        org_id = principal.org_id

        async def act(conn: Connection) -> members_pb2.RemoveUserResponse:
            await parts.people.lock_organization(conn, org_id)
            user = await parts.members.lock(conn, org_id, request.id)
            require_version(request, user.version)
            await self._check_change(conn, principal, user, None)
            await append(conn, user_event("user.removed", user, access_changed=True))
            await operations.remove_user(
                conn, parts.credentials, parts.members, parts.accounts, user, parts.clock.now()
            )
            return members_pb2.RemoveUserResponse()

        return await run_write(parts.database, org_id, act, members_pb2.RemoveUserResponse)

    async def ListRoles(self, request: members_pb2.ListRolesRequest, context: object) -> members_pb2.ListRolesResponse:
        principal = require_scope("members:read")
        own, scopes = Role(principal.role), principal.scopes
        roles = [
            members_pb2.RoleInfo(
                role=role_to_proto(role), scopes=sorted(ROLE_SCOPES[role]), grantable=may_grant(role, own, scopes)
            )
            for role in Role
        ]
        return members_pb2.ListRolesResponse(roles=roles)

    async def _check_change(self, conn: Connection, principal: Principal, user: User, role: Role | None) -> None:
        """Whether the caller may take the user's role away and give it this one; None removes the user."""
        own = Role(principal.role)
        check_role(user.role, own, principal.scopes)
        if role is not None:
            check_role(role, own, principal.scopes)
        leaves = user.role is Role.OWNER and role is not Role.OWNER
        if leaves and not await self._parts.members.has_other_owner(conn, user):
            raise FailedPrecondition("last_owner", "An organization keeps an owner. Make another user one first.")
