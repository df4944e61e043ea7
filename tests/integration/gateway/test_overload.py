"""L1 by order and count: ten times as many requests as there are places, most of them of one organization."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from starlette.responses import Response

from gateway.http.endpoint import Endpoint
from gateway.http.idempotency import Fingerprints
from gateway.http.request import Options
from gateway.http.routing import Route, RouteTable
from gateway.middleware.admission import Admission, Lanes
from gateway.middleware.authentication import Authentication
from gateway.middleware.authorization import Authorization
from gateway.middleware.problems import Problems
from gateway.middleware.request_id import RequestId
from gateway.middleware.routing import Routing
from gateway.middleware.telemetry import RecentRequests, Telemetry
from gateway.principals import Credential, Principals
from libs.http.server import HttpServer
from libs.rpc.principal import Principal

PLACES = 16
FLOOD, OTHERS = "flood", [f"small{number}" for number in range(9)]


class Scene:
    """The layers of a gateway behind the real server, over a service that answers when it is let go."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.running = self.most = 0
        routes = (
            Route("GET", "/api/things", self._handle, "List", seconds=300.0),
            Route("POST", "/api/things", self._handle, "Make", seconds=300.0),
        )
        table, self.lanes = RouteTable(routes), Lanes(PLACES)
        app: Any = Admission(Authorization(Endpoint(Fingerprints(b"k" * 32), frozenset())), lanes=self.lanes)
        app = Authentication(
            app, principals=Principals(self._lookup), lanes=self.lanes, cookie_name="s", public_url="http://gateway"
        )
        app = Telemetry(Problems(Routing(app, table)), RecentRequests())
        self.server = HttpServer(
            RequestId(app, state=None, options=Options("http://gateway")), "127.0.0.1:0", drain_seconds=2.0
        )

    async def _lookup(self, credential: Credential) -> tuple[Principal, float]:
        return Principal(org_id=credential.secret, user_id="usr_1", session_id="ses_1"), 600.0

    async def _handle(self, request: Any) -> Response:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return Response(b"{}")

    async def until(self, running: int) -> None:
        async with asyncio.timeout(60):
            while self.running != running:
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    scene, stop = Scene(), asyncio.Event()
    serving = asyncio.create_task(scene.server.run(stop))
    await scene.server.started()
    yield scene
    stop.set()
    await serving


@pytest_asyncio.fixture
async def http(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=400)
    url = f"http://{scene.server.address}"
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=httpx.Timeout(60)) as client:
        yield client


async def test_a_flood_is_refused_before_anything_is_answered_and_others_are_all_served(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    ended: list[tuple[str, int]] = []

    async def ask(organization: str) -> httpx.Response:
        answer = await http.get("/api/things", headers={"Authorization": f"Bearer {organization}"})
        ended.append((organization, answer.status_code))
        return answer

    flood = [asyncio.create_task(ask(FLOOD)) for _ in range(10 * PLACES)]
    await scene.until(PLACES)
    others = [asyncio.create_task(ask(organization)) for organization in OTHERS]
    await scene.until(PLACES + len(OTHERS))
    async with asyncio.timeout(60):
        while len(ended) < 9 * PLACES:
            await asyncio.sleep(0.01)
    assert Counter(ended) == {(FLOOD, 503): 9 * PLACES}, "every refusal is here, and no answer yet"
    scene.gate.set()
    answers = await asyncio.gather(*flood)
    assert Counter(answer.status_code for answer in answers) == {200: PLACES, 503: 9 * PLACES}
    assert [answer.status_code for answer in await asyncio.gather(*others)] == [200] * len(OTHERS)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.json()["code"] for answer in refused} == {"overloaded"}
    assert all(1 <= int(answer.headers["retry-after"]) <= 3 for answer in refused)
    assert scene.most == PLACES + len(OTHERS)
    assert scene.lanes.organizations.total == 0
    assert (await ask(FLOOD)).status_code == 200


async def test_bodies_that_do_not_arrive_take_no_place_of_those_that_did(scene: Scene, http: httpx.AsyncClient) -> None:
    host, _, port = scene.server.address.rpartition(":")
    head = b"POST /api/things HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer slow\r\nContent-Type: application/json\r\n"
    slow = [await asyncio.open_connection(host, int(port)) for _ in range(PLACES)]
    for _, writer in slow:
        writer.write(head + b"Content-Length: 2\r\n\r\n{")
    async with asyncio.timeout(60):
        while scene.lanes.transfers.total < PLACES:
            await asyncio.sleep(0.01)
    assert scene.lanes.organizations.total == 0
    reads = [
        asyncio.create_task(http.get("/api/things", headers={"Authorization": "Bearer quick"})) for _ in range(PLACES)
    ]
    await scene.until(PLACES)
    for _, writer in slow:
        writer.write(b"}")
    await scene.until(2 * PLACES)
    scene.gate.set()
    assert [answer.status_code for answer in await asyncio.gather(*reads)] == [200] * PLACES
    for reader, writer in slow:
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()
