"""A repeated read is answered before a task is made for it, with what the layers would have answered, or by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.request import Options
from gateway.http.routing import Route, RouteTable
from gateway.middleware.admission import Admission, Lanes
from gateway.middleware.authentication import Authentication
from gateway.middleware.authorization import Authorization
from gateway.middleware.edge_cache import EdgeCache
from gateway.middleware.hot_reads import HotReads
from gateway.middleware.problems import Problems
from gateway.middleware.quick_refusals import QuickRefusals
from gateway.middleware.rate_limits import Policies, RateLimits
from gateway.middleware.request_id import RequestId
from gateway.middleware.routing import Routing
from gateway.middleware.security_headers import SecurityHeaders
from gateway.middleware.telemetry import RecentRequests, Telemetry
from gateway.principals import Credential, Principals
from libs.cache.process import Caches
from libs.cache.spec import CacheClass
from libs.errors import Unauthenticated
from libs.http.server import HttpServer
from libs.ids import new_id
from libs.ratelimit import RateLimiter
from libs.rpc.principal import Principal
from local.stores import Stores

SINGLE = CacheClass("hot_single", "edge", "id", 60, 5.0, ("thing",), (), single=True)
HOURLY = CacheClass("hot_hourly", "edge", "hour", 60, 5.0, ("thing",), (), period_seconds=3_600)
MADE_ANEW = {"x-request-id", "ratelimit", "age"}


async def never(request: Any) -> Response:
    raise AssertionError("the application below answers")


ROUTES = (
    Route("GET", "/api/things/{id}", never, "Read", scope="things:read", cached=SINGLE, etag="version"),
    Route("GET", "/api/hours", never, "Read", scope="things:read", cached=HOURLY),
    Route("PATCH", "/api/things/{id}", never, "Change", scope="things:write"),
)
PATH = "/api/things/t1"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def kept(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name not in MADE_ANEW}


class Scene:
    """All layers of a gateway over an application that counts, behind the real server."""

    def __init__(self, caches: Caches, *, memory_seconds: float = 600.0) -> None:
        self.caches = caches
        self.org = new_id("org")
        self.principals = Principals(self._lookup)
        self.scopes = frozenset({"*"})
        self.addresses: tuple[str, ...] = ()
        self.revoked = False
        self.answers = 0
        self.recent = RecentRequests()
        limiter = self.limiter = RateLimiter(caches.client)
        policies = Policies(raised=True, instances=1)
        kinds = {kind.name: kind for kind in (SINGLE, HOURLY)}
        app: Any = EdgeCache(self._things, caches=caches, routes=ROUTES, kinds=kinds, schema="1")
        app = RateLimits(Authorization(app), limiter=limiter, policies=policies, edge=True)
        self.lanes, table = Lanes(2), RouteTable(ROUTES)
        app = Admission(app, lanes=self.lanes)
        app = Authentication(
            app,
            principals=self.principals,
            lanes=self.lanes,
            cookie_name="session",
            public_url="https://api.example.com",
        )
        app = SecurityHeaders(Problems(Routing(app, table)), over_tls=True)
        app = telemetry = Telemetry(app, self.recent)
        app = outermost = RequestId(app, state=None, options=Options("https://api.example.com"))
        refusals = QuickRefusals(self.lanes, table, telemetry, over_tls=True, cookie_name="session")
        self.hot = HotReads(app, principals=self.principals, limiter=limiter, refusals=refusals, telemetry=telemetry)
        outermost.on_hot_read = self.hot.learn
        self.now = 0
        answer_now = self.hot.answer_now

        def counting(scope: Any) -> tuple[int, bytes, bytes] | None:
            found = answer_now(scope)
            self.now += found is not None
            return found

        self.hot.answer_now = counting  # type: ignore[method-assign]
        self.server = HttpServer(self.hot, "127.0.0.1:0", drain_seconds=2.0)

    async def _lookup(self, credential: Credential) -> tuple[Principal, float]:
        if self.revoked:
            raise Unauthenticated("invalid_credentials", "Log in again.")
        principal = Principal(org_id=self.org, user_id="usr_1", session_id="ses_1", scopes=self.scopes)
        return replace(principal, allowed_addresses=self.addresses), 600.0

    async def _things(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.answers += 1
        headers = {"cache-control": "private, no-cache", "content-type": "application/json"}
        if scope["path_params"]:
            headers["etag"] = f'"{self.answers}"'
        await Response(json.dumps({"n": self.answers, "filler": "x" * 2_000}), 200, headers)(scope, receive, send)

    async def send(self, raw: bytes, answers: int = 1) -> list[Answer]:
        host, _, port = self.server.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        found = [await _read(reader, head_only=raw.startswith(b"HEAD")) for _ in range(answers)]
        writer.close()
        return found

    async def get(self, path: str = PATH, method: str = "GET", **fields: str) -> Answer:
        return (await self.send(request(path, method, **fields)))[0]

    async def heated(self, path: str = PATH, **fields: str) -> Answer:
        """Read until the request is known and permits for many repetitions are here; the last answer."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.get(path, **fields)
                if self.hot._known and any(lease.permits > 8 for lease in self.limiter._leases._leases.values()):
                    self.now = 0
                    return answer


def request(path: str, method: str = "GET", **fields: str) -> bytes:
    sent = {"Host": "gateway", "Authorization": "Bearer token", "Accept-Encoding": "identity"}
    sent |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read(reader: asyncio.StreamReader, *, head_only: bool) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = [line.split(": ", 1) for line in head[1:] if line]
    assert len(fields) == len(dict(fields)), "a field is sent twice"
    headers = {name.lower(): value for name, value in fields}
    size = 0 if head_only or head[0].split()[1] == "304" else int(headers["content-length"])
    return Answer(int(head[0].split()[1]), headers, await reader.readexactly(size))


@pytest_asyncio.fixture
async def scene(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    # A machine that is busy must not decide what is fresh.
    monkeypatch.setattr("libs.cache.tiered.L1_SECONDS", 4.0)
    monkeypatch.setattr("gateway.middleware.hot_reads._FORGOTTEN_SECONDS", 600.0)
    monkeypatch.setattr("libs.ratelimit.leases.LEASED_TIME_SHARE", 0.5)
    monkeypatch.setattr("gateway.principals.REMEMBER_SECONDS", 600.0)
    caches = Caches(stores.redis_url)
    made, stop = Scene(caches), asyncio.Event()
    running = asyncio.ensure_future(made.server.run(stop))
    await made.server.started()
    yield made
    stop.set()
    await running
    await caches.close()


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
async def test_a_repetition_is_answered_as_the_layers_answer_it(scene: Scene, coding: str) -> None:
    before = await scene.heated(Accept_Encoding=coding)
    repeated = await scene.get(Accept_Encoding=coding)
    assert scene.now == 1
    assert (repeated.status, repeated.body, repeated.kept) == (200, before.body, before.kept)
    assert set(repeated.headers) == set(before.headers)
    assert repeated.headers["x-request-id"] != before.headers["x-request-id"]
    assert _left(repeated) == _left(before) - 1
    assert scene.answers == 1


def _left(answer: Answer) -> int:
    return int(answer.headers["ratelimit"].split(";r=")[1].split(";")[0])


async def test_many_on_one_connection_are_answered_in_their_order(scene: Scene) -> None:
    await scene.heated()
    mixed = request(PATH) + request("/api/nothing") + request(PATH) + request(PATH, If_None_Match='"1"')
    statuses = [answer.status for answer in await scene.send(mixed, 4)]
    assert statuses == [200, 404, 200, 304]


async def test_a_request_over_a_proxy_is_answered_at_once_too(scene: Scene) -> None:
    over = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_Proto": "https", "X_Real_IP": "203.0.113.7"}
    await scene.heated(**over)
    assert (await scene.get(**over)).status == 200
    assert scene.now == 1


async def test_every_repetition_is_in_the_figures(scene: Scene) -> None:
    await scene.heated()
    before, seen = scene.principals.hits, len(scene.recent._kept)
    for _ in range(5):
        await scene.get()
    assert scene.now == 5
    assert (scene.principals.hits - before, len(scene.recent._kept) - seen) == (5, 5)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If_None_Match": '"1"'}, 304),
        ({"If_Match": '"9"'}, 412),
        ({"X_Min_Version": "9"}, 409),
        ({"Authorization": "Basic token"}, 401),
        ({"Range": "bytes=0-1"}, 200),
        ({"Origin": "https://elsewhere.example"}, 200),
        ({"traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01"}, 200),
        ({"X_Request_Id": "mine"}, 200),
    ],
)
async def test_a_request_that_says_more_goes_through_the_layers(
    scene: Scene, fields: dict[str, str], status: int
) -> None:
    await scene.heated()
    assert [(await scene.get(**fields)).status for _ in range(2)] == [status] * 2
    assert scene.now == 0


async def test_another_method_or_path_or_an_end_of_the_connection_goes_through_the_layers(scene: Scene) -> None:
    await scene.heated()
    await scene.get(method="HEAD")
    await scene.get("/api/things/t2")
    await scene.get(PATH + "?fields=id")
    closing = await scene.get(Connection="close")
    assert closing.headers["connection"] == "close"
    assert scene.now == 0


async def test_a_revoked_credential_is_refused(scene: Scene) -> None:
    await scene.heated()
    scene.revoked = True
    scene.principals.forget("ses_1")
    assert [(await scene.get()).status for _ in range(2)] == [401, 401]
    assert scene.now == 0


async def test_a_principal_with_other_permissions_is_judged_by_them(scene: Scene) -> None:
    await scene.heated()
    scene.scopes = frozenset({"other:read"})
    scene.principals.forget("ses_1")
    assert [(await scene.get()).status for _ in range(2)] == [403, 403]
    assert scene.now == 0


async def test_a_credential_that_is_bound_to_addresses_is_never_remembered(scene: Scene) -> None:
    scene.addresses = ("127.0.0.0/8",)
    for _ in range(10):
        assert (await scene.get()).status == 200
    assert not scene.hot._known


async def test_an_invalidation_ends_the_repetition(scene: Scene) -> None:
    await scene.heated()
    scene.caches.on_message("cache.inv.things", f"thing:{scene.org}:t1".encode())
    assert (await scene.get()).headers["x-cache"] == "HIT"  # from Redis, whose value the message did not replace
    assert scene.now == 0


async def test_a_write_through_this_gateway_ends_the_repetition(scene: Scene) -> None:
    await scene.heated()
    await scene.get(method="PATCH", Content_Length="0")
    await scene.get()
    assert scene.now == 0


async def test_what_memory_answers_needs_no_place_and_anything_else_is_refused_without_a_task(scene: Scene) -> None:
    await scene.heated()
    lane = scene.lanes.organizations
    assert [lane.enter(scene.org) for _ in range(3)] == [True, True, False]
    assert (await scene.get()).status == 200
    answers, at_once = scene.answers, scene.now
    refused = await scene.get(PATH + "x")
    assert (refused.status, scene.now - at_once, scene.answers) == (503, 1, answers)
    lane.leave(scene.org)
    assert (await scene.get(PATH + "x")).status == 200


async def test_a_refusal_before_the_layers_is_the_refusal_of_the_layers(scene: Scene) -> None:
    await scene.get()
    assert [scene.lanes.organizations.enter(scene.org) for _ in range(3)] == [True, True, False]
    quick = await scene.get("/api/things/t2")
    layered = await scene.get("/api/things/t2", X_Request_Id="mine")
    assert scene.now == 1
    assert (quick.status, layered.status) == (503, 503)
    waits = [int(answer.headers.pop("retry-after")) for answer in (quick, layered)]
    assert all(1 <= wait <= 3 for wait in waits)
    ids = [answer.headers.pop("x-request-id") for answer in (quick, layered)]
    lengths = [int(answer.headers.pop("content-length")) for answer in (quick, layered)]
    assert quick.headers == layered.headers
    documents = [json.loads(answer.body) for answer in (quick, layered)]
    assert [document.pop("requestId") for document in documents] == ids
    assert documents[0] == documents[1]
    assert lengths == [len(quick.body), len(layered.body)]


@pytest.mark.parametrize(
    "fields",
    [
        {"Origin": "https://app.example.com"},
        {"X_Organization_Id": "org_2"},
        {"Cookie": "session=token"},
        {"Authorization": "Bearer unknown"},
    ],
    ids=str,
)
async def test_what_the_layers_must_judge_is_not_refused_before_them(scene: Scene, fields: dict[str, str]) -> None:
    await scene.get()
    assert [scene.lanes.organizations.enter(scene.org) for _ in range(3)] == [True, True, False]
    scene.now = 0
    await scene.get("/api/things/t3", **fields)
    assert scene.now == 0


async def test_a_browser_is_known_by_its_cookies_as_a_key_is_by_its_field(scene: Scene) -> None:
    browser = {"Authorization": "", "Cookie": "theme=dark; session=token"}
    await scene.get(**browser)
    assert [scene.lanes.organizations.enter(scene.org) for _ in range(3)] == [True, True, False]
    scene.now = 0
    assert ((await scene.get("/api/things/t3", **browser)).status, scene.now) == (503, 1)
    # Whether a write is a forgery is asked before whether there is a place.
    write = await scene.get(PATH, "PATCH", Content_Length="0", **browser)
    assert (write.status, scene.now) == (403, 1)


async def test_a_refused_write_leaves_its_connection_usable(scene: Scene) -> None:
    await scene.get()
    assert [scene.lanes.organizations.enter(scene.org) for _ in range(3)] == [True, True, False]
    write = request(PATH, "PATCH", Content_Length="2", Content_Type="application/merge-patch+json") + b"{}"
    answers = await scene.send(write + write + request(PATH + "y"), answers=3)
    assert [answer.status for answer in answers] == [503, 503, 503]


async def test_an_answer_of_the_current_hour_is_never_remembered(scene: Scene) -> None:
    for _ in range(10):
        assert (await scene.get("/api/hours")).status == 200
    assert not scene.hot._known
