"""Which requests may be answered by a replica that lags."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.endpoint import Endpoint
from gateway.http.idempotency import Fingerprints
from gateway.http.request import Options, Request
from gateway.http.routing import Route, RouteTable
from libs.context import current_call


async def tell(request: Any) -> Response:
    return Response(str(current_call().may_lag))


TABLE = RouteTable((Route("GET", "/things", tell, "List"), Route("POST", "/things", tell, "Make")))


class Door:
    def __init__(self, *, fills_cache: bool) -> None:
        self._endpoint = Endpoint(Fingerprints(b"k" * 32), frozenset())
        self._fills_cache = fills_cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, Options("https://api.example.com"))
        request.fills_cache = self._fills_cache
        scope.setdefault("state", {})["request"] = request
        match = TABLE.match(scope["method"], scope["path"])
        scope["match"], scope["path_params"] = match, match.params
        await self._endpoint(scope, receive, send)


@pytest.mark.parametrize(
    ("method", "headers", "fills_cache", "may_lag"),
    [
        ("GET", {}, False, True),
        ("GET", {}, True, False),
        ("GET", {"X-Min-Version": "3"}, False, False),
        ("POST", {"Content-Type": "application/json"}, False, False),
    ],
)
async def test_only_a_read_that_fills_no_cache_and_demands_no_version_may_lag(
    method: str, headers: dict[str, str], fills_cache: bool, may_lag: bool
) -> None:
    transport = httpx.ASGITransport(Door(fills_cache=fills_cache))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
        answer = await http.request(method, "/things", headers=headers, content=b"{}" if method == "POST" else None)
    assert answer.text == str(may_lag)
