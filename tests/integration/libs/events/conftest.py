"""A service's schema with one table of effects, its settings, and a NATS server that the test may kill."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from libs.bus import Bus
from libs.config import ServiceSettings
from libs.postgres import Database
from local.stores import Stores

EFFECTS = """
set local lock_timeout = '5s';
create table effect (
    id bigint generated always as identity primary key,
    org_id text not null,
    key text not null,
    event_id text not null,
    position int not null
);
"""


@pytest.fixture(scope="session")
def effect_migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("effects")
    (folder / "0001_create_effects.sql").write_text(EFFECTS)
    return folder


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """A NATS server of this module's own, so that killing it disturbs no one."""
    with Stores(tmp_path_factory.mktemp("broker"), parts=("nats",)) as running:
        yield running


@pytest.fixture(autouse=True)
def clean_broker(broker: Stores) -> None:
    """Each test begins with an empty NATS that runs."""
    broker.nats.stop()
    shutil.rmtree(broker.nats.data)
    broker.nats.data.mkdir()
    broker.nats.start()


@pytest_asyncio.fixture(loop_scope="session")
async def settings(
    service_settings: Callable[..., Awaitable[ServiceSettings]], effect_migrations: Path, broker: Stores
) -> ServiceSettings:
    return replace(await service_settings("agent", effect_migrations), nats_url=broker.nats_url)


@pytest_asyncio.fixture(loop_scope="session")
async def bus(settings: ServiceSettings) -> AsyncIterator[Bus]:
    connected = await Bus.connect(settings.nats_url, "test")
    yield connected
    await connected.close()


@pytest_asyncio.fixture(loop_scope="session")
async def db(settings: ServiceSettings, bus: Bus) -> AsyncIterator[Database]:
    database = await Database.open(settings, application_name="test")
    database.announce_through(bus.announce)
    yield database
    await database.close()
