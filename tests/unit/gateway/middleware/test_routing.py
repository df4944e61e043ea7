"""What the routing layer adds to the answers of a deprecated route, and that it adds nothing to others."""

from dataclasses import replace
from datetime import date
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.app import ROUTES
from gateway.http.routing import Deprecation, RouteTable
from gateway.middleware.routing import Routing
from tests.unit.gateway.requests import make_request

ENDED = Deprecation(date(2026, 1, 1), date(2026, 12, 31), "/api/agents")


async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for the layers inside."""


async def headers_of(deprecated: Deprecation | None, method: str = "GET") -> dict[bytes, bytes]:
    listed = next(route for route in ROUTES if (route.method, route.path) == ("GET", "/api/agents"))
    layer = Routing(passed_on, RouteTable([replace(listed, deprecated=deprecated)]))
    request = make_request({})
    scope: Any = {**request.scope, "method": method, "path": "/api/agents", "state": {"request": request}}

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        """Takes the answer to OPTIONS."""

    await layer(scope, receive, send)
    return dict(request.response_headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_answers_of_a_deprecated_route_say_since_when_until_when_and_what_instead(method: str) -> None:
    headers = await headers_of(ENDED, method)
    assert headers[b"deprecation"] == b"@1767225600"
    assert parsedate_to_datetime(headers[b"sunset"].decode()).date() == date(2026, 12, 31)
    assert headers[b"link"] == b'</api/agents>; rel="successor-version"'


async def test_the_answers_of_other_routes_say_nothing() -> None:
    assert not {b"deprecation", b"sunset", b"link"} & set(await headers_of(None))
