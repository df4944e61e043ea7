"""Finds the route before anyone asks who calls, so that authentication knows what the route wants.

Answers OPTIONS itself. The authorization layer refuses an unknown path or method, after authentication under /api.
"""

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.exchange import exchange_of, read_headers
from gateway.http.routing import RouteTable


class Routing:
    """Puts the match into the exchange."""

    def __init__(self, app: ASGIApp, table: RouteTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        exchange.headers = read_headers(scope["headers"])
        exchange.match = self._table.match(scope["method"], _path(scope))
        if scope["method"] == "OPTIONS" and exchange.match.allow:
            await Response(status_code=204, headers={"allow": exchange.match.allow})(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _path(scope: Scope) -> str:
    """The decoded path; but an encoded slash stays encoded, for it belongs to a segment and separates none."""
    raw: bytes = scope.get("raw_path", b"")
    return raw.decode("latin-1") if b"%2f" in raw.lower() else scope["path"]
