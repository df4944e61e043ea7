"""The edge cache over an application that counts its answers, on a Redis that is not there: memory and rules alone.

tests/integration/gateway/test_edge_cache.py has the levels below it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.request import Options, Request, request_of
from gateway.http.routing import Match, Route, RouteTable
from gateway.middleware.admission import Lanes, Place
from gateway.middleware.edge_cache import EdgeCache
from gateway.middleware.problems import Problems
from libs.cache.process import Caches
from libs.cache.spec import CacheClass
from libs.errors import NotFound
from libs.rpc.principal import Principal

# Long enough for a slow machine: nothing here is about time.
LISTS = CacheClass("unit_lists", "edge", "query", 3_600, 600.0, ("thing",), ("things",))
SINGLE = CacheClass("unit_single", "edge", "id", 3_600, 600.0, ("thing",), ("things",), single=True)
KINDS = {kind.name: kind for kind in (LISTS, SINGLE)}
AWAY = "redis://127.0.0.1:1/0"


async def never(request: Any) -> Response:
    raise AssertionError("the application below answers")


ROUTES = (
    Route("GET", "/things", never, "List", scope="things:read", cached=LISTS),
    Route("POST", "/things/search", never, "Search", scope="things:read", cached=LISTS),
    Route("GET", "/things/{id}", never, "Read", scope="things:read", cached=SINGLE, etag="version"),
    Route("GET", "/things/moving/{id}", never, "Read", scope="things:read", cached=SINGLE, etag="match"),
    Route("PATCH", "/things/{id}", never, "Change", scope="things:write"),
)
TABLE = RouteTable(ROUTES)


class Things:
    """Answers with who asked for what, and how many answers it has given."""

    def __init__(self) -> None:
        self.answers = 0
        self.version = 1
        self.digest = ""
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.answers += 1
        await self.gate.wait()
        request = request_of(scope)
        if request.path.endswith("/absent"):
            raise NotFound("thing_not_found", "No such thing.")
        principal = request.principal
        told = {
            "org": principal.org_id, "role": principal.role, "scopes": sorted(principal.scopes), "path": request.path,
            "query": scope["query_string"].decode("latin-1"), "answer": self.answers, "filler": "x" * 2_000,
        }  # fmt: skip
        if request.method == "POST":
            told["body"] = (await request.read_body(10_000)).decode()
        headers = {"cache-control": "private, no-cache", "content-type": "application/json"}
        if scope["path_params"]:
            headers["etag"] = f'"{self.version}{self.digest}"'
        assert not request.header("if-none-match")
        assert request.fills_cache == (request.method != "PATCH")
        await Response(json.dumps(told), 200, headers)(scope, receive, send)


class Door:
    """Stands for the layers outside: a request, its route, and the principal that the test names."""

    def __init__(self, things: Things, caches: Caches) -> None:
        self.arrived = 0
        self.sent_from: list[tuple[int, int]] = []
        self._app = Problems(EdgeCache(things, caches=caches, routes=ROUTES, kinds=KINDS, schema="1"))
        self.principal = Principal(org_id="org_1", role="owner", scopes=frozenset({"*"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.arrived += 1
        request: Request[Any, Any, Any] = Request(scope, receive, Options("https://api.example.com"))
        scope.setdefault("state", {})["request"] = request
        match: Match = TABLE.match(scope["method"], scope["path"])
        scope["match"], scope["path_params"] = match, match.params
        request.principal_or_none = self.principal
        self.lanes = Lanes(4)
        request.place = Place(self.lanes, self.lanes.organizations, "org_1")

        async def with_headers(message: Any) -> None:
            self.sent_from.append((self.lanes.organizations.total, self.lanes.answers.total))
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *request.response_headers]
            await send(message)

        await self._app(scope, receive, with_headers)


class Scene:
    def __init__(self) -> None:
        self.things = Things()
        self.caches = Caches(AWAY)
        self.door = Door(self.things, self.caches)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.door), base_url="http://t")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(path, headers={"Accept-Encoding": "identity", **fields})

    async def close(self) -> None:
        await self.http.aclose()
        await self.caches.close()


@pytest_asyncio.fixture(loop_scope="session")
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.close()


def cache_of(answer: httpx.Response) -> str:
    return answer.headers["x-cache"]


async def test_a_second_read_is_a_hit_with_the_same_bytes_and_an_age(scene: Scene) -> None:
    first, second = await scene.get("/things"), await scene.get("/things")
    assert (cache_of(first), cache_of(second)) == ("MISS", "HIT")
    assert first.content == second.content
    assert second.headers["age"] == "0"
    assert scene.things.answers == 1


async def test_an_answer_from_the_cache_leaves_from_the_places_of_answers(scene: Scene) -> None:
    """A slow reader of a hit keeps no place of those that run."""
    while cache_of(await scene.get("/things")) != "HIT":
        scene.door.sent_from.clear()
    assert set(scene.door.sent_from[-2:]) == {(0, 1)}


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_the_stored_codings_have_the_same_content_and_tags_of_their_own(scene: Scene, coding: str) -> None:
    plain = await scene.get("/things")
    packed = await scene.get("/things", Accept_Encoding=coding)
    assert packed.headers["content-encoding"] == coding
    assert packed.content == plain.content
    assert packed.headers["etag"] == plain.headers["etag"][:-1] + f'-{coding}"'
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert scene.things.answers == 1


async def test_a_client_with_the_current_tag_of_any_coding_gets_304(scene: Scene) -> None:
    for path in ("/things", "/things/t1"):
        tag = (await scene.get(path)).headers["etag"]
        for sent in (tag, "W/" + tag, tag[:-1] + '-gzip"', '"other", ' + tag):
            unchanged = await scene.get(path, If_None_Match=sent)
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert unchanged.headers["etag"] == tag
        assert (await scene.get(path, If_None_Match='"other"')).status_code == 200


async def test_a_tag_of_version_and_bytes_is_known_with_its_version(scene: Scene) -> None:
    scene.things.digest = "-0123456789abcdef"
    tag = (await scene.get("/things/moving/t1")).headers["etag"]
    assert tag == '"1-0123456789abcdef"'
    assert (await scene.get("/things/moving/t1", If_None_Match=tag)).status_code == 304
    assert (await scene.get("/things/moving/t1", If_None_Match='"1-fedcba9876543210"')).status_code == 200
    assert (await scene.get("/things/moving/t1", If_Match=tag)).status_code == 200
    assert (await scene.get("/things/moving/t1", X_Min_Version="2")).status_code == 409


async def test_a_condition_of_the_first_reader_is_not_stored_for_the_others(scene: Scene) -> None:
    tag = '"1"'
    assert (await scene.get("/things/t1", If_None_Match=tag)).status_code == 304
    assert (await scene.get("/things/t1")).status_code == 200


async def test_a_read_that_requires_another_version_is_refused_from_the_cache_too(scene: Scene) -> None:
    for _ in range(2):
        assert (await scene.get("/things/t1", If_Match='"1"')).status_code == 200
        assert (await scene.get("/things/t1", If_Match='"7"')).status_code == 412


async def test_a_demanded_version_is_never_answered_with_an_older_one(scene: Scene) -> None:
    await scene.get("/things/t1")
    scene.things.version = 2
    assert (await scene.get("/things/t1")).headers["etag"] == '"1"'
    assert (await scene.get("/things/t1", X_Min_Version="2")).headers["etag"] == '"2"'
    assert (await scene.get("/things/t1")).headers["etag"] == '"2"'


async def test_a_version_beyond_the_present_is_refused_to_its_reader_alone(scene: Scene) -> None:
    ahead, plain = await asyncio.gather(scene.get("/things/t1", X_Min_Version="9"), scene.get("/things/t1"))
    assert (ahead.status_code, ahead.json()["code"], ahead.headers["retry-after"]) == (409, "version_not_reached", "1")
    assert plain.status_code == 200
    assert (await scene.get("/things/t1", X_Min_Version="1")).status_code == 200


async def test_a_list_for_which_a_version_is_demanded_comes_from_its_service(scene: Scene) -> None:
    for _ in range(2):
        assert cache_of(await scene.get("/things", X_Min_Version="1")) == "MISS"
    assert scene.things.answers == 2


async def test_a_write_through_this_gateway_renews_what_its_organization_reads(scene: Scene) -> None:
    before = await scene.get("/things")
    assert (await scene.http.patch("/things/t1")).status_code == 200
    after = await scene.get("/things")
    assert cache_of(after) == "MISS"
    assert after.content != before.content


async def test_another_organizations_write_renews_nothing_of_ours(scene: Scene) -> None:
    await scene.get("/things")
    scene.door.principal = Principal(org_id="org_2", role="owner", scopes=frozenset({"*"}))
    await scene.http.patch("/things/t1")
    scene.door.principal = Principal(org_id="org_1", role="owner", scopes=frozenset({"*"}))
    assert cache_of(await scene.get("/things")) == "HIT"


async def test_a_message_over_nats_renews_the_values_of_its_tags_alone(scene: Scene) -> None:
    for path in ("/things", "/things/t1", "/things/t2"):
        await scene.get(path)
    scene.caches.on_message("cache.inv.things", b"thing:org_1\nthing:org_1:t1")
    found = [cache_of(await scene.get(path)) for path in ("/things", "/things/t1", "/things/t2")]
    assert found == ["MISS", "MISS", "HIT"]


async def test_an_absence_is_remembered_and_answered_as_a_problem(scene: Scene) -> None:
    answers = [await scene.get("/things/absent") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.json()["code"] for answer in answers] == ["thing_not_found"] * 2
    assert [cache_of(answer) for answer in answers] == ["MISS", "HIT"]
    assert scene.things.answers == 1


async def test_readers_at_once_cause_one_answer(scene: Scene) -> None:
    scene.things.gate.clear()
    first = asyncio.ensure_future(scene.get("/things"))
    while not scene.things.answers:
        await asyncio.sleep(0.001)
    others = asyncio.gather(*(scene.get("/things") for _ in range(99)))
    while scene.door.arrived < 100:
        await asyncio.sleep(0)
    scene.things.gate.set()
    answers = [await first, *await others]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert scene.things.answers == 1


async def test_a_search_is_cached_by_its_body(scene: Scene) -> None:
    async def search(body: str) -> httpx.Response:
        return await scene.http.post("/things/search", content=body, headers={"Content-Type": "application/json"})

    first, second, other = await search('{"q":1}'), await search('{"q":1}'), await search('{"q":2}')
    assert [cache_of(answer) for answer in (first, second, other)] == ["MISS", "HIT", "MISS"]
    assert (first.json()["body"], other.json()["body"]) == ('{"q":1}', '{"q":2}')


async def test_a_range_or_an_idempotency_key_goes_to_the_service(scene: Scene) -> None:
    await scene.get("/things")
    assert "x-cache" not in (await scene.get("/things", Range="bytes=0-1")).headers
    assert "x-cache" not in (await scene.get("/things", Idempotency_Key="k")).headers
    assert scene.things.answers == 3


PRINCIPALS = [
    Principal(org_id=org, user_id=user, role=role, scopes=frozenset(scopes))
    for org in ("org_1", "org_2", "org_1:org_2")
    for user, role, scopes in (
        ("usr_1", "owner", {"*"}), ("usr_2", "viewer", {"*:read"}), ("usr_3", "member", {"things:read"}),
        ("usr_4", "member", {"things:read", "members:read"}),
    )
]  # fmt: skip
PATHS = ["/things", "/things?a=1", "/things?a=1&b=2", "/things?a=1%26b=2", "/things/t1", "/things/org_2", "/things/t1?"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.lists(st.tuples(st.sampled_from(PRINCIPALS), st.sampled_from(PATHS), st.booleans()), max_size=40))
def test_no_answer_crosses_organizations_permissions_or_queries(reads: Sequence[tuple[Principal, str, bool]]) -> None:
    async def run() -> None:
        scene = Scene()
        for principal, path, packed in reads:
            scene.door.principal = principal
            answer = await scene.get(path, Accept_Encoding="gzip" if packed else "identity")
            told, (asked, _, query) = answer.json(), path.partition("?")
            assert (told["org"], told["path"], told["query"]) == (principal.org_id, asked, query)
            assert (told["role"], told["scopes"]) == (principal.role, sorted(principal.scopes))
        await scene.close()

    asyncio.run(run())


async def test_a_304_carries_the_plain_tag_whatever_coding_the_client_takes(scene: Scene) -> None:
    tag = (await scene.get("/things/t1")).headers["etag"]
    unchanged = await scene.get("/things/t1", If_None_Match=tag, Accept_Encoding="zstd")
    assert (unchanged.status_code, unchanged.headers["etag"]) == (304, tag)
