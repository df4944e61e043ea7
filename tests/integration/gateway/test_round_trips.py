"""How often one cached read asks Redis: for its limits and its value together once, and not at all when both are here.

Counted twice: the batches that the gateway writes, and the scripts that Redis says it ran.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.request import Options, Request, request_of
from gateway.http.routing import Route, RouteTable
from gateway.middleware.edge_cache import EdgeCache
from gateway.middleware.problems import Problems
from gateway.middleware.rate_limits import Policies, RateLimits
from libs.cache.connection import RedisConnection
from libs.cache.process import Caches
from libs.cache.scripts import Script
from libs.cache.spec import CacheClass
from libs.errors import PermissionDenied
from libs.ids import new_id
from libs.ratelimit import RateLimiter
from libs.rpc.principal import Principal
from local.stores import Stores

LISTS = CacheClass("trips_lists", "edge", "query", 60, 5.0, ("thing",), ())


async def never(request: Any) -> Response:
    raise AssertionError("the application below answers")


_NOTHING = Script("return 0")
ROUTES = (Route("GET", "/things", never, "List", scope="things:read", cached=LISTS),)
TABLE = RouteTable(ROUTES)


@dataclass
class Door:
    """One gateway's layers from its limits on, for one caller."""

    caches: Caches
    principal: Principal
    loads: int = 0
    forbidden: bool = False

    def __post_init__(self) -> None:
        edge = EdgeCache(self._load, caches=self.caches, routes=ROUTES, kinds={LISTS.name: LISTS}, schema="1")

        async def authorization(scope: Scope, receive: Receive, send: Send) -> None:
            if self.forbidden:
                raise PermissionDenied("missing_scope", "The scope things:read is required.")
            await edge(scope, receive, send)

        policies = Policies(raised=False, instances=1)
        limiter = RateLimiter(self.caches.client)
        self._app = Problems(RateLimits(authorization, limiter=limiter, policies=policies, edge=True))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self._arrive), base_url="http://gateway")

    async def _load(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loads += 1
        assert request_of(scope).fills_cache
        await Response(json.dumps({"load": self.loads}), 200)(scope, receive, send)

    async def _arrive(self, scope: Any, receive: Any, send: Any) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, Options("https://api.example.com"))
        scope.setdefault("state", {})["request"] = request
        scope["match"] = match = TABLE.match(scope["method"], scope["path"])
        scope["path_params"] = match.params
        request.principal_or_none = self.principal

        async def with_fields(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *request.response_headers]
            await send(message)

        await self._app(scope, receive, with_fields)

    async def get(self, path: str = "/things") -> httpx.Response:
        return await self.http.get(path)


class Trips:
    """Batches to Redis over any connection of this process but the counter's own, and the scripts that Redis ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, counter: RedisConnection) -> None:
        self.batches: list[int] = []
        self._counter = counter
        written = RedisConnection.send

        def send(connection: RedisConnection, commands: Iterable[Any]) -> None:
            found = list(commands)
            if connection is not counter:
                self.batches.append(len(found))
            written(connection, found)

        monkeypatch.setattr(RedisConnection, "send", send)

    async def scripts(self) -> int:
        (told,) = await self._counter.run([("INFO", "commandstats")])
        lines = dict(line.split(":", 1) for line in told.decode().split("\r\n") if ":" in line)
        return int(lines.get("cmdstat_evalsha", "calls=0,").split("=", 1)[1].split(",", 1)[0])


@pytest_asyncio.fixture
async def trips(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Trips]:
    counter = await RedisConnection.open(stores.redis_url)
    yield Trips(monkeypatch, counter)
    counter.drop()


@pytest_asyncio.fixture
async def doors(stores: Stores) -> AsyncIterator[list[Door]]:
    """Three gateways, whose first caller is the same."""
    principal = Principal(org_id=new_id("org"), user_id=new_id("usr"), session_id="ses_1", scopes=frozenset({"*"}))
    made = [Door(Caches(stores.redis_url), principal) for _ in range(3)]
    for door in made:
        await door.caches.client.run(_NOTHING, [])  # connected, with the scripts in place
    yield made
    for door in made:
        await door.http.aclose()
        await door.caches.close()


async def warm(door: Door) -> None:
    assert (await door.get()).headers["x-cache"] == "MISS"


async def test_a_read_that_this_gateway_has_not_seen_takes_its_limits_and_its_value_in_one_batch(
    doors: list[Door], trips: Trips
) -> None:
    await warm(doors[0])
    before, batches = await trips.scripts(), len(trips.batches)
    answer = await doors[1].get()
    assert (answer.headers["x-cache"], "ratelimit" in answer.headers) == ("HIT", True)
    assert trips.batches[batches:] == [2]
    assert await trips.scripts() - before == 2
    assert doors[1].loads == 0


async def test_a_hot_read_asks_redis_nothing_but_for_a_few_permits_at_a_time(doors: list[Door], trips: Trips) -> None:
    await warm(doors[0])
    before, batches = await trips.scripts(), len(trips.batches)
    assert [(await doors[0].get()).status_code for _ in range(300)] == [200] * 300
    commands = sum(trips.batches[batches:])
    assert commands <= 60, trips.batches
    assert await trips.scripts() - before == commands
    assert max(trips.batches[batches:], default=0) <= 3


async def test_a_caller_beyond_its_limit_gets_429_from_the_same_round_trip(doors: list[Door], trips: Trips) -> None:
    await warm(doors[0])
    codes = [(await doors[number % 2].get()).status_code for number in range(520)]
    assert (codes.count(200), codes.count(429)) == (499, 21)
    await asyncio.sleep(0.3)  # the other gateways have given back what they held: their timers come first
    batches = len(trips.batches)
    refused = await doors[2].get()
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert trips.batches[batches:] == [2]
    assert refused.headers["ratelimit"].startswith('"read-user";r=0;t=')


async def test_a_caller_that_is_known_to_be_beyond_its_limit_causes_no_reads(doors: list[Door]) -> None:
    await warm(doors[0])
    while (await doors[0].get()).status_code == 200:
        pass
    loads = doors[0].loads
    answers = [await doors[0].http.get("/things", params={"page": number}) for number in range(20)]
    assert [answer.status_code for answer in answers] == [429] * 20
    await asyncio.sleep(0.3)  # a read that was begun would have ended
    assert doors[0].loads == loads


async def test_a_refusal_by_an_inner_layer_still_counts_and_tells_the_limits(doors: list[Door]) -> None:
    doors[0].forbidden = True
    answers = [await doors[0].get() for _ in range(501)]
    assert [answer.status_code for answer in answers] == [403] * 500 + [429]
    assert all("ratelimit" in answer.headers for answer in answers)
