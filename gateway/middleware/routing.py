"""Finds the route before authentication, which needs to know what the route requires.

Answers OPTIONS itself. The authorization layer refuses an unknown path or method, after authentication under /api.
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import request_of
from gateway.http.routing import RouteTable


class Routing:
    """Puts the match and the path's parameters into the scope."""

    def __init__(self, app: ASGIApp, table: RouteTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        request.refuse_repeated_headers()
        match = scope["match"] = self._table.match(scope["method"], _path(scope))
        scope["path_params"] = match.params
        if match.template:
            request.route_template = match.template
        if match.route is not None and match.route.deprecated is not None:
            request.response_headers += match.route.deprecated.headers
        if scope["method"] == "OPTIONS" and match.allow:
            await Response(status_code=204, headers=self._options(match.allow, _path(scope)))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _options(self, allow: str, path: str) -> dict[str, str]:
        """What OPTIONS tells of a path; Accept-Patch after RFC 5789."""
        patch = self._table.match("PATCH", path).route
        return {"allow": allow} | ({"accept-patch": ", ".join(patch.media_types)} if patch is not None else {})


def _path(scope: Scope) -> str:
    """The decoded path. An encoded slash stays encoded, because it is part of a segment and separates none."""
    raw: bytes = scope.get("raw_path", b"")
    return raw.decode("latin-1") if b"%2f" in raw.lower() else scope["path"]
