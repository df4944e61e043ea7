"""A service's schema with its invalidations, and a Redis and a NATS that a test may kill, freeze or flush."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from libs.bus import Bus
from libs.config import ServiceSettings
from libs.postgres import Database
from local.stores import Stores


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Redis and NATS of this module's own."""
    with Stores(tmp_path_factory.mktemp("fragile"), parts=("redis", "nats")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def settings(
    service_settings: Callable[..., Awaitable[ServiceSettings]], fragile: Stores, tmp_path: Path
) -> ServiceSettings:
    made = await service_settings("agent", tmp_path)
    return replace(made, nats_url=fragile.nats_url, redis_url=fragile.redis_url)


@pytest_asyncio.fixture(loop_scope="session")
async def bus(settings: ServiceSettings) -> AsyncIterator[Bus]:
    connected = await Bus.connect(settings.nats_url, "test")
    yield connected
    await connected.close()


@pytest_asyncio.fixture(loop_scope="session")
async def db(settings: ServiceSettings) -> AsyncIterator[Database]:
    database = await Database.open(settings, application_name="test")
    yield database
    await database.close()
