"""Checks the scope that the route declares.

Services check scopes again; this layer refuses before a body is read. It comes after authentication, so that 401
precedes 403, and before anything that could show whether a resource exists.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import request_of
from gateway.http.routing import match_of
from libs.errors import NotFound, PermissionDenied, Unimplemented


class Authorization:
    """403 without the scope; 404 for an unknown path and 405 for an unknown method."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        match, principal = match_of(request), request.principal_or_none
        if not match.allow:
            raise NotFound("route_not_found", "No such path. See /docs.")
        route = match.route
        if route is None:
            raise Unimplemented(
                "method_not_allowed", f"Use one of {match.allow} here.", metadata={"allow": match.allow}
            )
        if route.scope and (principal is None or not principal.has_scope(route.scope)):
            raise PermissionDenied("missing_scope", f"The scope {route.scope} is required.")
        await self._app(scope, receive, send)
