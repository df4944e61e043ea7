"""Real parts for every test: one set of embedded stores a session, one database a call of `service_database`.

Databases come from a template that is migrated once per service, so that a fresh one costs about as much as a copy.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import certifi
import hypothesis
import pytest
import pytest_asyncio

from local.runner.accounts import bus_users
from local.runner.keys import Keys
from local.runner.suite import Suite
from local.runner.topology import with_login
from local.stores import Stores, run_sql
from suite.services import SERVICES
from suite.tables import QUOTAS

if TYPE_CHECKING:
    from libs.config import ServiceSettings
    from libs.postgres import Database

ROOT = Path(__file__).resolve().parent.parent
numbers = itertools.count(1)

# Every httpx client reads the public authorities anew: 38 ms of CPU, over a thousand times in the end-to-end tests.
_context = ssl.create_default_context
_of_authorities = functools.cache(lambda file: _context(cafile=file))
_AUTHORITIES = (os.environ.get("SSL_CERT_FILE"), certifi.where())


def _shared_context(*given: Any, **named: Any) -> ssl.SSLContext:
    is_shared = not given and named.keys() == {"cafile"} and named["cafile"] in _AUTHORITIES
    return _of_authorities(named["cafile"]) if is_shared else _context(*given, **named)


ssl.create_default_context = _shared_context

# A busy machine makes one example slow now and then; that says nothing of the code.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Stores]:
    """PostgreSQL, Valkey and NATS on free ports; gone with the session, even when it is killed."""
    with Stores(tmp_path_factory.mktemp("stores"), durable=False, bus_users=bus_users(keys)) as running:
        yield running


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The whole suite on free ports, as `make up` starts it; one a session, so tests make their own organizations."""
    with Suite(tmp_path_factory.mktemp("suite"), environment={"LIMITS": "bench"}) as running:
        yield running


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys.ephemeral()


@pytest.fixture(scope="session")
def service_environment(stores: Stores, keys: Keys) -> Callable[[str, str], dict[str, str]]:
    """`service_environment("agent", database_name)`: the environment that a process of the service would get."""

    strangers: dict[str, Keys] = {}

    def build(service: str, database: str) -> dict[str, str]:
        known = service in SERVICES
        made = keys if known else strangers.setdefault(service, Keys.ephemeral((service,)))
        nats = with_login(stores.nats_url, service, keys.bus_password(service)) if known else stores.nats_url
        return {
            **made.service_environment(service),
            "DATABASE_ADMIN_URL": database_url(stores.postgres_admin_dsn, database),
            **{
                name: database_url(
                    stores.postgres_admin_dsn, database, f"{service}_{role}", made.role_password(service, role)
                )
                for name, role in (("DATABASE_URL", "app"), ("DATABASE_SYSTEM_URL", "system"))
            },
            "REDIS_URL": stores.redis_url,
            "NATS_URL": nats,
            "POOL_MAX": "10",
        }

    return build


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service_database(
    stores: Stores, service_environment: Callable[[str, str], dict[str, str]]
) -> AsyncIterator[Callable[..., Awaitable[Database]]]:
    """`await service_database("agent")`: a fresh database with that service's schema, dropped after the module."""
    from libs.postgres import Database
    from libs.postgres.quotas import Quotas

    opened: list[tuple[Database, str]] = []

    async def create(service: str, migrations: Path | None = None) -> Database:
        folder = migrations or ROOT / "services" / service / "storage" / "migrations"
        name, settings = await _migrated_copy(stores, service_environment, service, folder)
        database = await Database.open(settings, application_name=f"test-{service}")
        database.quotas = Quotas(QUOTAS.get(service, ()))
        opened.append((database, name))
        return database

    yield create
    for database, name in opened:
        await database.close()
        run_sql(stores.postgres_admin_dsn, f'drop database "{name}" with (force)')


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service_settings(
    stores: Stores, service_environment: Callable[[str, str], dict[str, str]]
) -> AsyncIterator[Callable[..., Awaitable[ServiceSettings]]]:
    """Like `service_database`, for tests that open their own pools or start processes: only the settings."""
    names: list[str] = []

    async def create(service: str, migrations: Path | None = None) -> ServiceSettings:
        folder = migrations or ROOT / "services" / service / "storage" / "migrations"
        name, settings = await _migrated_copy(stores, service_environment, service, folder)
        names.append(name)
        return settings

    yield create
    for name in names:
        run_sql(stores.postgres_admin_dsn, f'drop database "{name}" with (force)')


async def _migrated_copy(
    stores: Stores, environment: Callable[[str, str], dict[str, str]], service: str, folder: Path
) -> tuple[str, ServiceSettings]:
    """Migrate a template once, copy it, and migrate the copy too: it sets what the roles carry per database."""
    from libs.config import ServiceSettings, load
    from libs.postgres.migrate import migrate

    template = f"template_{service}_{_fingerprint(folder)}"
    admin = stores.postgres_admin_dsn
    if not run_sql(admin, f"select 1 from pg_database where datname = '{template}'"):
        run_sql(admin, f'create database "{template}"')
        await migrate(load(ServiceSettings, environment(service, template)), service, folder)
    name = f"{service}_{next(numbers)}"
    run_sql(admin, f'create database "{name}" template "{template}"')
    settings = load(ServiceSettings, environment(service, name))
    await migrate(settings, service, folder)
    return name, settings


def _fingerprint(folder: Path) -> str:
    texts = b"".join(path.name.encode() + path.read_bytes() for path in sorted(folder.glob("*.sql")))
    return hashlib.sha256(str(folder).encode() + texts).hexdigest()[:12]


def database_url(dsn: str, database: str, user: str | None = None, password: str | None = None) -> str:
    """The same server, another database and, where named, another role."""
    parts = urlsplit(dsn)
    host = f"{parts.hostname}:{parts.port}"
    login = f"{user}:{password}" if user else f"{parts.username}:{parts.password}"
    return urlunsplit((parts.scheme, f"{login}@{host}", f"/{database}", "", ""))
