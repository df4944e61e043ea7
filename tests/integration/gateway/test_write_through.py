"""A write stores its answer in Redis before its writer hears of it, and never over what others changed meanwhile.

Two gateways' edge caches on one Redis; the service below is a row and its invalidations.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
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
from libs.cache import invalidation
from libs.cache.changes import Change
from libs.cache.invalidation import EVENT_HEADER, Invalidator
from libs.cache.process import Caches
from libs.cache.spec import CacheClass
from libs.cache.store import RedisStore
from libs.context import CallContext
from libs.ids import new_id
from libs.rpc.context import acting_as, remember_response_headers, serving
from libs.rpc.principal import Grants, Principal
from local.stores import Stores

KIND = CacheClass("written_things", "edge", "id", 60, 600.0, ("thing",), (), single=True)

# A command that a busy machine delays is none that failed.
PATIENT_SECONDS = 10.0


async def never(request: Any) -> Response:
    raise AssertionError("the service below answers")


ROUTES = (
    Route("GET", "/things/{id}", never, "Read", scope="things:read", cached=KIND, etag="version"),
    Route("PATCH", "/things/{id}", never, "Change", scope="things:write", cached=KIND, etag="version"),
)
TABLE = RouteTable(ROUTES)


class Service:
    """One row. `between` happens after the commit of a write, before its invalidation."""

    def __init__(self, store: RedisStore) -> None:
        self.version, self.reads = 1, 0
        self.store = store
        self.between: Callable[[], Awaitable[None]] | None = None
        self.tells = True
        self.last = Change("", "", "", "")

    async def change(self, thing: str) -> Change:
        """A committed write."""
        self.version += 1
        self.last = Change(new_id("evt"), "org_1", "thing.updated", thing)
        return self.last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        context = CallContext()
        with serving(context), acting_as(request.principal):
            if request.method == "PATCH":
                change = await self.change(request.path_params["id"])
                answered = self.version
                if self.between is not None:
                    await self.between()
                if self.tells:
                    await Invalidator("things", self.store, nothing).tell([change])
                    # The answer's trailing metadata.
                    remember_response_headers(dict(context.response_headers))
                else:
                    remember_response_headers({EVENT_HEADER: change.event_id})
            else:
                self.reads += 1
                answered = self.version
            headers = {"etag": f'"{answered}"', "content-type": "application/json"}
            await Response(json.dumps({"version": answered, "text": "x" * 2_000}), 200, headers)(scope, receive, send)


async def nothing(data: bytes) -> None:
    """NATS is away: gateways are told of no change."""


class Gateway:
    def __init__(self, service: Service, redis_url: str) -> None:
        self.caches = Caches(redis_url, seconds=PATIENT_SECONDS)
        kinds = {KIND.name: KIND}
        self._app = Problems(EdgeCache(service, caches=self.caches, routes=ROUTES, kinds=kinds, schema="1"))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self._arrive), base_url="http://gateway")
        self.principal = Principal(org_id="org_1", role="owner", scopes=frozenset({"*"}))

    async def _arrive(self, scope: Any, receive: Any, send: Any) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive, Options("https://api.example.com"))
        scope.setdefault("state", {})["request"] = request
        scope["match"] = match = TABLE.match(scope["method"], scope["path"])
        scope["path_params"], request.principal_or_none = match.params, self.principal

        async def with_fields(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *request.response_headers]
            await send(message)

        await self._app(scope, receive, with_fields)

    async def read(self, thing: str, **headers: str) -> tuple[str, int]:
        answer = await self.http.get(f"/things/{thing}", headers={"Accept-Encoding": "identity", **headers})
        return answer.headers["x-cache"], answer.json()["version"]

    async def write(self, thing: str) -> int:
        version: int = (await self.http.patch(f"/things/{thing}")).json()["version"]
        return version


class Scene:
    def __init__(self, url: str) -> None:
        self.caches = Caches(url, seconds=PATIENT_SECONDS)
        self.store = RedisStore(self.caches.client)
        self.service = Service(self.store)
        self.one, self.other = Gateway(self.service, url), Gateway(self.service, url)
        self.thing = new_id("thi")

    async def close(self) -> None:
        for gateway in (self.one, self.other):
            await gateway.http.aclose()
            await gateway.caches.close()
        await self.caches.close()


@pytest_asyncio.fixture
async def scene(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(invalidation, "WRITER_SECONDS", PATIENT_SECONDS)
    made = Scene(stores.redis_url)
    yield made
    await made.close()


async def test_what_was_written_is_a_hit_at_every_gateway_without_a_load(scene: Scene) -> None:
    written = await scene.one.write(scene.thing)
    for gateway in (scene.other, scene.one):
        assert await gateway.read(scene.thing, **{"X-Min-Version": str(written)}) == ("HIT", written)
    assert scene.service.reads == 0


async def test_it_replaces_what_was_cached_before(scene: Scene) -> None:
    assert await scene.one.read(scene.thing) == ("MISS", 1)
    assert await scene.one.write(scene.thing) == 2
    assert await scene.one.read(scene.thing) == ("HIT", 2)
    assert await scene.one.write(scene.thing) == 3
    assert await scene.one.read(scene.thing) == ("HIT", 3)
    assert scene.service.reads == 1


@pytest.mark.parametrize(
    "reader",
    [
        Principal(org_id="org_2", role="owner", scopes=frozenset({"*"})),
        Principal(org_id="org_1", role="member", scopes=frozenset({"things:read"})),
        Principal(org_id="org_1", role="owner", scopes=frozenset({"*"}), grants=Grants(readable=frozenset({"thi_1"}))),
    ],
    ids=["organization", "scopes", "grants"],
)
async def test_what_was_written_is_stored_for_readers_of_the_same_rights_alone(scene: Scene, reader: Principal) -> None:
    await scene.one.write(scene.thing)
    assert await scene.other.read(scene.thing) == ("HIT", 2)
    scene.other.principal = reader
    assert await scene.other.read(scene.thing) == ("MISS", 2)


async def test_the_stored_bytes_are_those_that_a_read_gives(scene: Scene) -> None:
    await scene.one.write(scene.thing)
    stored = await scene.one.http.get(f"/things/{scene.thing}")
    await scene.store.invalidate(new_id("evt"), KIND.tags("org_1", scene.thing))
    scene.one.caches.tombstones.note(("org_1",))
    loaded = await scene.one.http.get(f"/things/{scene.thing}")
    assert [answer.headers["x-cache"] for answer in (stored, loaded)] == ["HIT", "MISS"]
    assert stored.content == loaded.content
    own = {"x-cache", "age"}
    assert {k: v for k, v in stored.headers.items() if k not in own} == {
        k: v for k, v in loaded.headers.items() if k not in own
    }


async def test_a_change_of_another_between_its_commit_and_its_invalidation_makes_it_void(scene: Scene) -> None:
    async def another_writes() -> None:
        change = await scene.service.change(scene.thing)
        await Invalidator("things", scene.store, nothing).tell([change])

    scene.service.between = another_writes
    assert await scene.one.write(scene.thing) == 2
    assert await scene.other.read(scene.thing) == ("MISS", 3)


async def test_a_change_of_another_after_it_replaces_it(scene: Scene) -> None:
    await scene.one.write(scene.thing)
    change = await scene.service.change(scene.thing)
    await Invalidator("things", scene.store, nothing).tell([change])
    assert await scene.other.read(scene.thing) == ("MISS", 3)


async def test_it_does_not_take_the_place_of_a_value_that_a_reader_loaded_since(scene: Scene) -> None:
    """A reader between the invalidation of the write and its store has younger evidence."""
    noted = await scene.store.note(KIND, KIND.tags("org_1", scene.thing))
    change = await scene.service.change(scene.thing)
    await Invalidator("things", scene.store, nothing).tell([change])
    assert await scene.other.read(scene.thing) == ("MISS", 2)
    stored = await scene.store.write(
        KIND, await _key(scene), KIND.tags("org_1", scene.thing), noted, change.event_id, b"late", 2
    )
    assert not stored
    assert await scene.other.read(scene.thing) == ("HIT", 2)


async def _key(scene: Scene) -> str:
    """Of the one value that the other gateway's memory holds."""
    return next(iter(scene.other.caches._opened[0]._memory._entries))


async def test_a_write_whose_invalidation_is_still_to_come_is_void_once_it_comes(scene: Scene) -> None:
    """The relay applies what its writer could not: one load more, never a stale value."""
    scene.service.tells = False
    await scene.one.write(scene.thing)
    assert await scene.other.read(scene.thing) == ("HIT", 2)
    await Invalidator("things", scene.store, nothing).apply([scene.service.last])
    scene.other.caches.tombstones.note(KIND.tags("org_1", scene.thing))
    assert await scene.other.read(scene.thing) == ("MISS", 2)


async def test_without_redis_a_write_is_answered_and_nothing_is_stored(scene: Scene) -> None:
    away = Gateway(scene.service, "redis://127.0.0.1:1")
    assert await away.write(scene.thing) == 2
    assert await scene.other.read(scene.thing) == ("MISS", 2)
    await away.http.aclose()
    await away.caches.close()
