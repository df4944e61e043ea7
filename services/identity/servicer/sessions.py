"""A user's own sessions: list, end one or all others, log out, change the token."""

from __future__ import annotations

from echosenseix.identity.v1 import identity_pb2
from libs.crypto import random_token
from libs.errors import FailedPrecondition, NotFound, Unauthenticated
from libs.events.outbox import append
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from services.identity.domain.credentials import hashed
from services.identity.mapping.credentials import session_to_proto
from services.identity.mapping.events import session_event
from services.identity.storage.sessions import SESSION_LIST

from .parts import Methods, at_home, signed_in


class SessionMethods(Methods):
    async def Logout(self, request: identity_pb2.LogoutRequest, context: object) -> identity_pb2.LogoutResponse:
        principal = at_home()
        if not principal.session_id:
            raise FailedPrecondition("session_required", "An API key has no session to log out of. Revoke it instead.")
        async with self._parts.database.transaction(principal.org_id) as conn:
            await self._end(conn, principal, principal.session_id)
        return identity_pb2.LogoutResponse()

    async def ListSessions(
        self, request: identity_pb2.ListSessionsRequest, context: object
    ) -> identity_pb2.ListSessionsResponse:
        principal = _owner_of_sessions("members:read")
        wanted = page_request_from_proto(request.page, SESSION_LIST)
        page = await self._parts.sessions.page(principal.org_id, principal.user_id, wanted)
        return identity_pb2.ListSessionsResponse(
            sessions=[session_to_proto(session, principal.session_id) for session in page.items],
            page_info=page_info_to_proto(page),
        )

    async def RevokeSession(
        self, request: identity_pb2.RevokeSessionRequest, context: object
    ) -> identity_pb2.RevokeSessionResponse:
        principal = _owner_of_sessions("members:write")

        async def act(conn: Connection) -> identity_pb2.RevokeSessionResponse:
            if not await self._end(conn, principal, request.id):
                raise NotFound("session_not_found", "No such session.")
            return identity_pb2.RevokeSessionResponse()

        return await run_write(self._parts.database, principal.org_id, act, identity_pb2.RevokeSessionResponse)

    async def RevokeOtherSessions(
        self, request: identity_pb2.RevokeOtherSessionsRequest, context: object
    ) -> identity_pb2.RevokeOtherSessionsResponse:
        principal, parts = _owner_of_sessions("members:write"), self._parts
        org_id, user_id, kept = principal.org_id, principal.user_id, principal.session_id

        async def act(conn: Connection) -> identity_pb2.RevokeOtherSessionsResponse:
            ended = await parts.credentials.end_sessions(conn, org_id, user_id, parts.clock.now(), kept)
            return identity_pb2.RevokeOtherSessionsResponse(ids=ended)

        return await run_write(parts.database, org_id, act, identity_pb2.RevokeOtherSessionsResponse)

    async def RotateSession(
        self, request: identity_pb2.RotateSessionRequest, context: object
    ) -> identity_pb2.RotateSessionResponse:
        principal, parts, token = signed_in(), self._parts, random_token()
        async with parts.database.transaction(principal.org_id) as conn:
            ends = await parts.sessions.rotate(
                conn, principal.org_id, principal.session_id, hashed(token), parts.clock.now()
            )
        if ends is None:
            raise Unauthenticated("invalid_credentials", "Log in again, or send a valid API key.")
        response = identity_pb2.RotateSessionResponse(token=token)
        response.expire_time.FromDatetime(ends)
        return response

    async def _end(self, conn: Connection, principal: Principal, session_id: str) -> bool:
        org_id, user_id, now = principal.org_id, principal.user_id, self._parts.clock.now()
        ended = await self._parts.sessions.revoke(conn, org_id, user_id, session_id, now)
        if ended:
            await append(conn, session_event("session.revoked", org_id, session_id, user_id))
        return ended


def _owner_of_sessions(scope: str) -> Principal:
    """A session may always manage its user's sessions; a key needs the scope."""
    principal = at_home()
    return principal if principal.session_id else require_scope(scope)
