"""Who gets a place, in which lane, and for how long: never while the client sends or reads."""

import asyncio
import contextlib
from typing import Any

import pytest

from gateway.app import ROUTES
from gateway.http.request import Options, Request, request_of
from gateway.http.routing import RouteTable
from gateway.middleware.admission import Admission, Lanes, Lookup, Place
from gateway.middleware.quick_refusals import shown_secret
from gateway.principals import Credential
from libs.errors import DeadlineExceeded, NotFound, Unavailable
from libs.rpc.principal import Principal
from libs.telemetry.metrics import REGISTRY

TABLE = RouteTable(ROUTES)
WEBHOOK = "/api/webhooks/retell/token"


def request_of_org(organization: str, path: str = "/api/agents", method: str = "GET", address: str = "10.0.0.1") -> Any:
    fields = [(b"authorization", b"Bearer " + organization.encode())] if organization else []
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": fields, "client": (address, 1)}
    scope["match"] = TABLE.match(method, path)
    request: Request[Any, Any, Any] = Request(scope, None, Options("https://api.example.com"))  # type: ignore[arg-type]
    request.principal_or_none = Principal(org_id=organization, user_id="usr_1") if organization else None
    request.shown_credential = Credential("bearer", organization)
    scope["state"] = {"request": request}
    return scope


class Scene:
    """Requests that stay inside until they are let go."""

    def __init__(self, places: int) -> None:
        self.lanes = Lanes(places)
        self.layer = Admission(self.app, lanes=self.lanes)
        self.gate, self.inside = asyncio.Event(), 0
        self.running: list[asyncio.Task[None]] = []
        self.places: list[Any] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.places.append(request_of(scope).place)
        await self.gate.wait()

    async def enter(self, *asked: Any, **named: Any) -> None:
        """Raises the refusal of a request that gets no place."""
        task = asyncio.create_task(self.layer(request_of_org(*asked, **named), None, None))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        if task.done():
            await task
        self.running.append(task)

    async def end(self) -> None:
        self.gate.set()
        await asyncio.gather(*self.running)


async def test_what_is_too_much_is_refused_at_once_and_other_lanes_are_not_concerned() -> None:
    scene = Scene(places=2)
    for _ in range(2):
        await scene.enter("org_1")
    with pytest.raises(Unavailable) as refused:
        await scene.enter("org_1")
    assert refused.value.reason == "overloaded"
    assert 1 <= (refused.value.retry_after or 0) <= 3
    await scene.enter("org_2")
    await scene.enter("", "/health/ready")
    await scene.enter("org_1", "/api/documents/upload", "POST")
    await scene.enter("", WEBHOOK, "POST")
    await scene.enter("", "/api/login", "POST")
    assert scene.inside == 7
    await scene.end()
    await scene.enter("org_1")


async def test_callers_without_a_credential_share_one_lane_by_address() -> None:
    scene = Scene(places=16)
    for _ in range(4):
        await scene.enter("", "/api/login", "POST", "10.0.0.1")
    with pytest.raises(Unavailable):
        await scene.enter("", "/api/login", "POST", "10.0.0.1")
    await scene.enter("", "/api/login", "POST", "10.0.0.2")
    await scene.enter("org_1")
    await scene.end()


async def test_a_flood_of_organizations_and_strangers_leaves_the_places_of_deliveries_free() -> None:
    scene = Scene(places=4)
    for number in range(8):
        await scene.enter(f"org_{number}")
    for number in range(8):
        await scene.enter("", "/api/login", "POST", f"10.0.0.{number}")
    for number in range(4):
        scene.lanes.accept(f"/api/webhooks/retell/token{number}", "10.1.1.1")
    for number in range(32):
        await scene.enter("", f"/api/webhooks/retell/token{number % 4}", "POST")
    with pytest.raises(Unavailable):
        await scene.enter("", "/api/webhooks/retell/token0", "POST")
    await scene.enter("", "/api/webhooks/retell/another", "POST")
    await scene.end()


def test_a_place_is_free_for_others_while_the_body_arrives_and_while_the_answer_is_sent() -> None:
    lanes = Lanes(1)
    place = Place(lanes, lanes.organizations, "org_1")
    assert lanes.organizations.is_full
    place.receive()
    assert (lanes.organizations.total, lanes.transfers.total) == (0, 1)
    place.work()
    assert (lanes.organizations.total, lanes.transfers.total) == (1, 0)
    place.answer("/api/agents")
    assert (lanes.organizations.total, lanes.transfers.total, lanes.answers.total) == (0, 0, 1)
    place.leave()
    assert (lanes.organizations.total, lanes.transfers.total) == (0, 0)
    for late in (place.receive, place.work, place.leave):
        late()
    place.answer("/api/agents")
    assert (lanes.organizations.total, lanes.transfers.total) == (0, 0)


def test_slow_bodies_are_bounded_by_their_own_places_and_one_that_came_is_never_sent_back() -> None:
    lanes = Lanes(2)
    for _ in range(2):
        Place(lanes, lanes.organizations, "org_1").receive()
    third = Place(lanes, lanes.organizations, "org_1")
    with pytest.raises(Unavailable):
        third.receive()
    third.leave()
    arrived = Place(lanes, lanes.organizations, "org_2")
    arrived.receive()
    for _ in range(2):
        Place(lanes, lanes.organizations, "org_3")
    arrived.work()
    assert lanes.organizations.total == 3


async def test_bodies_under_invented_paths_hold_places_of_their_address_and_of_no_other_lane() -> None:
    scene = Scene(places=32)
    for number in range(256):
        with contextlib.suppress(Unavailable):
            await scene.enter("", f"/api/webhooks/retell/invented{number}", "POST", "10.6.6.6")
            scene.places[-1].receive()
    assert (scene.lanes.first_delivery_transfers.total, scene.lanes.delivery_transfers.total) == (32, 0)
    scene.lanes.accept(WEBHOOK, "10.1.1.1")
    for asked in (("", WEBHOOK, "POST"), ("org_1", "/api/agents", "POST"), ("", "/api/login", "POST", "10.0.0.2")):
        await scene.enter(*asked)
        scene.places[-1].receive()
    await scene.end()
    assert not any(lane.total for lane in scene.lanes.all)


async def test_bodies_from_many_addresses_keep_out_neither_a_known_path_nor_a_known_address() -> None:
    scene = Scene(places=32)
    scene.lanes.accept(WEBHOOK, "10.1.1.1")
    for number in range(256):
        with contextlib.suppress(Unavailable):
            await scene.enter("", f"/api/webhooks/retell/invented{number}", "POST", f"10.6.6.{number}")
            scene.places[-1].receive()
    assert scene.lanes.first_delivery_transfers.total == 64
    for path, address in ((WEBHOOK, "10.2.2.2"), ("/api/webhooks/retell/new", "10.1.1.1")):
        await scene.enter("", path, "POST", address)
        scene.places[-1].receive()
    assert scene.lanes.delivery_transfers.total == 2
    await scene.end()
    assert not any(lane.total for lane in scene.lanes.all)


async def test_senders_from_many_addresses_forget_no_known_path_and_a_sender_in_use_is_not_the_oldest() -> None:
    scene = Scene(places=32)
    scene.lanes.accept(WEBHOOK, "10.1.1.1")
    for number in range(10_000):
        scene.lanes.accept(WEBHOOK, f"10.{number >> 8}.{number & 255}.1")
        if number == 5_000:
            scene.lanes.accept(WEBHOOK, "10.1.1.1")
    for path, address in ((WEBHOOK, "192.0.2.1"), ("/api/webhooks/retell/new", "10.1.1.1")):
        await scene.enter("", path, "POST", address)
    assert (scene.lanes.deliveries.total, scene.lanes.first_deliveries.total) == (2, 0)
    await scene.end()


async def test_slow_readers_are_refused_further_files_and_take_no_place_of_bodies() -> None:
    scene, file = Scene(places=16), "/api/documents/doc_1/download"
    for _ in range(256):
        with contextlib.suppress(Unavailable):
            await scene.enter("org_slow", file)
            scene.places[-1].answer(("GET", file))
    assert scene.lanes.answers.total == 16
    with pytest.raises(Unavailable):
        await scene.enter("org_slow", file)
    await scene.enter("org_2", file)
    for organization in ("org_slow", "org_2"):
        await scene.enter(organization, "/api/agents", "POST")
        scene.places[-1].receive()
    await scene.end()


def test_bodies_released_together_keep_no_other_organization_out_and_are_bounded() -> None:
    lanes = Lanes(16)
    parked = []
    for _ in range(16):
        parked.append(Place(lanes, lanes.organizations, "org_slow"))
        parked[-1].receive()
    for _ in range(15):
        Place(lanes, lanes.organizations, "org_slow")
    parked[0].work()
    with pytest.raises(Unavailable):
        parked[1].work()
    other = [Place(lanes, lanes.organizations, "org_2") for _ in range(8)]
    assert lanes.organizations.total == 16 + len(other)


def test_only_work_that_says_something_about_the_load_is_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = Lanes(8)
    seen: list[str] = []
    monkeypatch.setattr(lanes.adaptive, "add", lambda *_: seen.append("answered"))
    monkeypatch.setattr(lanes.adaptive, "refused", lambda *_: seen.append("strained"))
    late, busy = DeadlineExceeded("deadline_exceeded", ""), Unavailable("database_busy", "")
    away, missing = Unavailable("service_unavailable", ""), NotFound("agent_not_found", "")
    Place(lanes, lanes.anonymous, "10.0.0.1").answer("/api/login")
    for error in (None, late, busy, away, missing):
        Place(lanes, lanes.organizations, "org_1").answer("/api/agents", error)
    Place(lanes, lanes.transfers, "org_1").answer("/api/documents/upload")
    assert seen == ["answered", "strained", "strained"]


def test_identity_is_asked_about_so_many_strangers_at_a_time_and_about_everyone_who_is_known() -> None:
    lanes = Lanes(4)
    held = [Lookup(lanes, request_of_org(f"org_{number}")["state"]["request"]) for number in range(32)]
    for lookup in held:
        lookup.__enter__()
    stranger = request_of_org("org_32")
    with pytest.raises(Unavailable):
        Lookup(lanes, stranger["state"]["request"]).__enter__()
    lanes.remember(Credential("bearer", "org_32"), "org_32")
    with Lookup(lanes, stranger["state"]["request"]):
        assert lanes.lookups.total == 32
    held[0].__exit__()
    with Lookup(lanes, request_of_org("org_33")["state"]["request"]):
        assert lanes.lookups.total == 32
    assert lanes.lookups.total == 31


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ([(b"authorization", b"Bearer a")], "a"),
        ([(b"authorization", b"bEARER   a ")], "a"),
        ([(b"authorization", b"Basic a")], ""),
        ([(b"accept", b"*/*"), (b"x-api-key", b" esx_a")], "esx_a"),
        ([(b"x-api-key", b"esx_a"), (b"authorization", b"Bearer a")], ""),
        ([(b"authorization", b"Bearer a"), (b"cookie", b"s=1")], ""),
        ([(b"cookie", b"a=b; s=1")], "1"),
        ([(b"cookie", b"s=0;s = 1 ;t=s=2; s")], "1"),
        ([(b"cookie", b"a=b")], ""),
        ([(b"cookie", b"s=1"), (b"cookie", b"s=2")], ""),
        ([(b"cookie", b"s=1"), (b"x-organization-id", b"org_2")], ""),
        ([(b"cookie", b"s=" + b"x" * 1_024)], ""),
        ([(b"authorization", b"Bearer a"), (b"x-organization-id", b"org_2")], ""),
        ([], ""),
    ],
)
def test_only_one_credential_alone_tells_whose_request_it_is(fields: list[tuple[bytes, bytes]], shown: str) -> None:
    assert shown_secret({"headers": fields}, b"s") == shown


async def test_one_session_with_many_invented_cookies_is_one_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.middleware.admission._REMEMBERED", 16)
    scene = Scene(places=32)
    scene.gate.set()
    await scene.enter("org_known")
    for number in range(17):
        scope = request_of_org("org_1")
        scope["headers"].append((b"cookie", b"invented=%d" % number))
        await scene.layer(scope, None, None)  # type: ignore[arg-type]
    assert scene.lanes.organization_of("org_known") == "org_known"
    assert scene.lanes.organization_of("org_1") == "org_1"


async def test_a_refused_credential_and_one_that_names_an_organization_are_not_remembered() -> None:
    scene = Scene(places=32)
    scene.gate.set()
    stranger, agency = request_of_org("", "/api/login", "POST"), request_of_org("org_child")
    stranger["state"]["request"].shown_credential = Credential("bearer", "invented")
    agency["state"]["request"].shown_credential = Credential("bearer", "agency", organization_id="org_child")
    for scope in (stranger, agency):
        await scene.layer(scope, None, None)  # type: ignore[arg-type]
    assert [scene.lanes.organization_of(secret) for secret in ("invented", "agency")] == ["", ""]


def test_the_least_recently_used_credential_is_forgotten_first_and_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.middleware.admission._REMEMBERED", 16)
    lanes = Lanes(32)
    for number in range(16):
        lanes.remember(Credential("bearer", f"key_{number}"), "org_1")
    lanes.remember(Credential("bearer", "key_0"), "org_1")
    lanes.remember(Credential("bearer", "key_new"), "org_2")
    forgotten = [number for number in range(16) if not lanes.organization_of(f"key_{number}")]
    assert (forgotten, lanes.organization_of("key_new")) == ([1], "org_2")


async def test_an_unsubscribe_link_makes_no_sender_known() -> None:
    scene = Scene(places=32)
    scene.gate.set()
    await scene.enter("", "/api/notifications/unsubscribe/token", "POST", "10.6.6.6")
    scene.gate.clear()
    await scene.enter("", "/api/notifications/unsubscribe/token", "POST", "10.6.6.6")
    await scene.enter("", WEBHOOK, "POST", "10.6.6.6")
    assert (scene.lanes.deliveries.total, scene.lanes.first_deliveries.total, scene.lanes.anonymous.total) == (0, 1, 1)
    await scene.end()
    await scene.enter("", WEBHOOK, "POST", "10.6.6.6")


def test_who_may_become_a_known_sender_has_signed_what_it_sent() -> None:
    """The documents of these routes answer 401: the services verify the sender over the raw bytes."""
    delivering = [route for route in ROUTES if route.limited == "webhook"]
    assert {route.tag for route in delivering} == {"Webhooks in"}
    assert all(401 in route.problems and route.body_kind in ("raw", "stream") for route in delivering)


def test_the_places_are_gauges_and_refusals_are_counted_by_lane() -> None:
    lanes = Lanes(2)
    place = Place(lanes, lanes.organizations, "org_1")
    labels = {"lane": "organizations"}
    assert REGISTRY.get_sample_value("http_server_places", {**labels, "state": "held"}) == 1
    assert REGISTRY.get_sample_value("http_server_places", {**labels, "state": "limit"}) == 2
    before = REGISTRY.get_sample_value("http_server_shed_total", labels) or 0
    lanes.refuse(lanes.organizations)
    assert REGISTRY.get_sample_value("http_server_shed_total", labels) == before + 1
    place.leave()
