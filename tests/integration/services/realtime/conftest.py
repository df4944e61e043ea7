"""One instance of realtime's doors on real PostgreSQL and NATS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from libs.bus import Bus
from libs.cache.connection import RedisConnection
from libs.config import load
from libs.crypto import Envelope
from libs.http import forbidden_address
from libs.keys import MacKeys
from libs.paging import CursorCodec
from libs.postgres import Database
from local.stores import Stores
from services.realtime.config import RealtimeSettings
from services.realtime.doors.opening import Doors
from services.realtime.protocol.tokens import ConnectionTokens
from services.realtime.servicer import WebhookEndpointServicer
from services.realtime.storage import endpoints as endpoint_rows
from services.realtime.storage.event_log import EventLog
from tests.integration.services.realtime.driving import KEYS, Realtime, working
from tests.integration.services.realtime.hooks import ALLOW, Endpoints


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
        "DRAIN_SECONDS": "1",
    }
    settings = load(RealtimeSettings, environment)
    tokens = ConnectionTokens(KEYS)
    doors = await Doors.open(settings, bus, EventLog(database), tokens)
    realtime = Realtime(doors, database, bus, tokens, f"ws://{doors.addresses['ws']}/connection/websocket")
    with pytest.MonkeyPatch.context() as patch:
        realtime.watch_frames(patch)
        yield realtime
        await doors.close()
    await bus.close()
    assert realtime.faults == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def redis(stores: Stores) -> AsyncIterator[RedisConnection]:
    connection = await RedisConnection.open(stores.redis_url)
    yield connection
    connection.drop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def endpoints(
    realtime: Realtime, service_environment: Callable[[str, str], dict[str, str]]
) -> AsyncIterator[Endpoints]:
    """Webhook endpoints on this machine, and a worker that delivers to them."""
    realtime.database.announce_through(realtime.bus.publish_core)
    async with working(realtime, service_environment, ALLOW) as settings:
        cursors = CursorCodec(MacKeys.from_settings(settings.cursor_key))
        yield Endpoints(
            WebhookEndpointServicer(
                realtime.database,
                endpoint_rows.Endpoints(realtime.database, cursors),
                Envelope(settings.encryption_keys),
                lambda url: forbidden_address(url, ALLOW),
            )
        )
