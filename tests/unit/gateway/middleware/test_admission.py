"""Places are bounded, and shared by the organizations that ask."""

import asyncio
from typing import Any

import pytest

from gateway.app import ROUTES
from gateway.http.request import Options, Request
from gateway.http.routing import RouteTable
from gateway.middleware.admission import Admission, Lane
from libs.errors import Unavailable
from libs.rpc.principal import Principal

TABLE = RouteTable(ROUTES)


def request_of_org(organization: str, path: str = "/api/agents", method: str = "GET") -> Any:
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": [], "client": ("10.0.0.1", 1)}
    scope["match"] = TABLE.match(method, path)
    request: Request[Any, Any, Any] = Request(scope, None, Options("https://api.example.com"))  # type: ignore[arg-type]
    request.principal_or_none = Principal(org_id=organization, user_id="usr_1") if organization else None
    scope["state"] = {"request": request}
    return scope


def test_one_organization_may_hold_all_places_and_others_still_get_their_share() -> None:
    lane = Lane(10)
    assert sum(lane.enter("flood") for _ in range(50)) == 10
    assert [lane.enter("small") for _ in range(6)] == [True] * 5 + [False]
    assert [lane.enter("third") for _ in range(5)] == [True] * 3 + [False] * 2
    assert not lane.enter("flood")
    lane.leave("flood")
    assert not lane.enter("flood"), "it holds more than its share"
    assert sum(lane.enter(f"other{n}") for n in range(20)) == 3, "shares of many exceed the places twice at most"


def test_a_place_that_is_left_is_free_for_everyone() -> None:
    lane = Lane(2)
    assert [lane.enter("one"), lane.enter("one"), lane.enter("one")] == [True, True, False]
    lane.leave("one")
    lane.leave("one")
    assert [lane.enter("two"), lane.enter("two"), lane.enter("two")] == [True, True, False]


async def test_what_is_too_much_is_refused_at_once_and_probes_are_not() -> None:
    gate, inside = asyncio.Event(), 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside
        inside += 1
        await gate.wait()

    layer = Admission(app, places=2)
    running = [asyncio.create_task(layer(request_of_org("org_1"), None, None)) for _ in range(2)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await layer(request_of_org("org_1"), None, None)  # type: ignore[arg-type]
    assert refused.value.reason == "overloaded"
    assert 1 <= (refused.value.retry_after or 0) <= 3
    others = [("org_2", "/api/agents", "GET"), ("", "/health/ready", "GET"), ("org_1", "/api/documents/upload", "POST")]
    running += [asyncio.create_task(layer(request_of_org(*other), None, None)) for other in others]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert inside == 5
    gate.set()
    await asyncio.gather(*running)
    await layer(request_of_org("org_1"), None, None)  # type: ignore[arg-type]
