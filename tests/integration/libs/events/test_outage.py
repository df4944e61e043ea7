"""PostgreSQL killed under a relay and a consumer at work: they wait, lead again and finish."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.bus import Bus
from libs.config import ServiceSettings
from libs.errors import AppError
from libs.events import EventConsumer, OutboxRelay
from libs.postgres import Database
from libs.postgres.migrate import migrate
from local.stores import Stores
from tests.conftest import database_url
from tests.integration.libs.events.effects import append, eventually, keep_effect, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Stores]:
    """A PostgreSQL that this test may kill."""
    with Stores(tmp_path, parts=("postgres",)) as running_server:
        yield running_server


async def test_events_survive_the_database_being_killed(
    server: Stores, broker: Stores, effect_migrations: Path
) -> None:
    admin = server.postgres_admin_dsn
    settings = ServiceSettings(
        database_admin_url=admin,
        database_url=database_url(admin, "postgres", "agent_app", "pw"),
        database_system_url=database_url(admin, "postgres", "agent_system", "pw"),
        app_password="pw",
        system_password="pw",
        nats_url=broker.nats_url,
        pool_max=5,
    )
    await migrate(settings, "agent", effect_migrations)
    bus = await Bus.connect(settings.nats_url, "test")
    db = await Database.open(settings, application_name="test")
    db.announce_through(bus.announce)
    acknowledged: set[str] = set()
    stop = asyncio.Event()

    async def write(key: str) -> None:
        version = 0
        while not stop.is_set():
            try:
                acknowledged.add(await append(db, key, version))
                version += 1
            except AppError:
                pass
            await asyncio.sleep(0.01)

    relay, consumer = (
        OutboxRelay(settings, "agent", bus),
        EventConsumer(bus, db, "outage", {"agent.updated": keep_effect}),
    )
    async with running(relay, consumer):
        writers = [asyncio.create_task(write(f"agt_{number}")) for number in range(4)]
        await eventually(db, "select count(*) > 20 from effect", True)
        for _ in range(3):
            server.postgres.kill()
            await asyncio.to_thread(server.postgres.start)
            await asyncio.sleep(0.3)
        stop.set()
        await asyncio.gather(*writers)
        await eventually(db, "select count(*) from outbox where published_at is null", 0)
        await eventually(db, "select count(distinct event_id) = (select count(*) from outbox) from effect", True)
    stored = {row["event_id"] for row in await db.system_fetch("select event_id from outbox")}
    handled = [row["event_id"] for row in await db.system_fetch("select event_id from effect")]
    assert acknowledged <= stored
    assert len(handled) == len(set(handled)) == len(stored)
    await db.close()
    await bus.close()
