"""One fixture for all public listeners; a test that takes `door` runs against each."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from gateway.app import build_app
from gateway.clients import SuiteStatus, open_clients
from gateway.config import GatewaySettings
from gateway.http.idempotency import Fingerprints
from gateway.http.signed_links import SignedLinks
from gateway.middleware.telemetry import RecentRequests
from gateway.principals import Credential, Principals
from gateway.state import Gateway
from libs.bus import Bus
from libs.clock import utcnow
from libs.config import load
from libs.http import request_head
from libs.http.connection_limits import ConnectionLimits
from libs.http.server import HttpServer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.principal import Principal, PrincipalMinter
from local.stores import Stores
from services.realtime.config import RealtimeSettings
from services.realtime.doors.opening import Doors
from services.realtime.protocol import websocket
from services.realtime.protocol.tokens import ConnectionTokens, Grant
from services.realtime.storage.event_log import EventLog
from suite.services import SERVICES
from tests.integration.services.realtime.driving import KEYS, Realtime
from tests.security.doors import Door, Watched, health_is_answered, memory_returns, prompt_loop

AWAY = "127.0.0.1:9"
PATIENCE_SECONDS = 1.0
CONNECTIONS = 40
# Event streams of one organization.
STREAMS = 25


@contextlib.asynccontextmanager
async def gateway_door() -> AsyncIterator[Door]:
    settings = GatewaySettings(
        principal_signing_key="gateway=" + "A" * 43 + "=",
        peers=dict.fromkeys(SERVICES, AWAY),
    )

    async def lookup(credential: Credential) -> tuple[Principal, float]:
        return Principal(org_id="org_1", user_id="usr_1", scopes=frozenset("*"), issuer="gateway"), 60.0

    clients = open_clients(settings, PrincipalMinter(settings.principal_signing_key))
    gateway = Gateway(
        settings=settings,
        clients=clients,
        principals=Principals(lookup),
        recent=RecentRequests(),
        status=SuiteStatus(clients.status),
        cursors=CursorCodec(b"k" * 32),
        links=SignedLinks(b"l" * 32, "http://gateway"),
        fingerprints=Fingerprints(b"f" * 32),
    )
    limits, stop = ConnectionLimits(per_address=CONNECTIONS), asyncio.Event()
    server = HttpServer(build_app(gateway), "127.0.0.1:0", drain_seconds=2, limits=limits)
    running = asyncio.create_task(server.run(stop))
    await server.started()
    host, _, port = server.address.rpartition(":")
    yield Door("gateway", host, int(port), "/api/agents", "secret", limits, f"http://{server.address}")
    stop.set()
    await running
    await clients.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def realtime(
    stores: Stores,
    service_database: Callable[..., Awaitable[Database]],
    service_environment: Callable[[str, str], dict[str, str]],
) -> AsyncIterator[Realtime]:
    database = await service_database("realtime")
    bus = await Bus.connect(stores.nats_url, "test-realtime")
    environment = {
        **service_environment("realtime", "unused"),
        "REALTIME_WS_ADDRESS": "127.0.0.1:0",
        "REALTIME_HTTP_ADDRESS": "127.0.0.1:0",
        "DRAIN_SECONDS": "2",
        "CONNECTIONS_PER_ADDRESS": str(CONNECTIONS),
        "STREAMS_PER_TOKEN": "3",
        "STREAMS_PER_ORGANIZATION": str(STREAMS),
    }
    tokens = ConnectionTokens(KEYS)
    doors = await Doors.open(load(RealtimeSettings, environment), bus, EventLog(database), tokens)
    yield Realtime(doors, database, bus, tokens, f"ws://{doors.addresses['ws']}{websocket.PATH}")
    await doors.close()
    await bus.close()


@pytest.fixture(scope="module")
def realtime_doors(realtime: Realtime) -> Doors:
    return realtime.doors


def realtime_token(org_id: str = "org_1", user_id: str = "usr_1") -> str:
    """A connection token that may read events."""
    expires_at = utcnow() + datetime.timedelta(minutes=5)
    grant = Grant(org_id, user_id, "ses_1", "", frozenset({"realtime:read"}), expires_at)
    return ConnectionTokens(KEYS).issue(grant)


@pytest_asyncio.fixture(params=["gateway", "events", "websocket"], loop_scope="session")
async def door(
    request: pytest.FixtureRequest, realtime_doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Door]:
    """Each public listener in turn, with a patience of a second."""
    monkeypatch.setattr(request_head, "HEADER_SECONDS", PATIENCE_SECONDS)
    if request.param == "gateway":
        async with gateway_door() as door:
            yield door
        return
    doors = realtime_doors
    kind, path, limits = {
        "events": ("http", "/api/events/stream", doors.http_limits),
        "websocket": ("ws", websocket.PATH, doors.sockets.limits),
    }[request.param]
    host, _, port = doors.addresses[kind].rpartition(":")
    yield Door(request.param, host, int(port), path, realtime_token(), limits, f"http://{doors.addresses['http']}")


# What each attack of this run did to a listener's health.
_watched: list[Watched] = []
_SUMMARY = pytest.StashKey[list[str]]()
Attacked = Callable[[], contextlib.AbstractAsyncContextManager[None]]


@pytest.fixture
def attacked(door: Door, request: pytest.FixtureRequest) -> Attacked:
    """Around every attack: no turn of the loop is long, health is answered beside it, memory comes back after it."""

    @contextlib.asynccontextmanager
    async def attack() -> AsyncIterator[None]:
        async with memory_returns(), health_is_answered(door.health, request.node.name) as watched, prompt_loop():
            yield
        _watched.append(watched)

    return attack


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Lines that the run shows at its end."""
    return request.config.stash.setdefault(_SUMMARY, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables of `make security`."""
    if lines := terminalreporter.config.stash.get(_SUMMARY, []):
        terminalreporter.section("requests of schemathesis")
        for line in lines:
            terminalreporter.line(line)
    if _watched:
        terminalreporter.section("health beside each attack (ms)")
        terminalreporter.line(f"{'median':>7}  {'p95':>7}  {'worst':>7}  {'polls':>5}  attack")
        for watched in _watched:
            terminalreporter.line(watched.line())
