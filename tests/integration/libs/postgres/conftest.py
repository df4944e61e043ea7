"""A service "thing" with one tenant table, in a database of each module's own."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from libs.config import ServiceSettings
from libs.postgres import Database

THINGS = """
set local lock_timeout = '5s';
create table thing (
    org_id text collate "C" not null,
    id text collate "C" not null,
    name text not null default '',
    size int,
    price numeric(12, 4) not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    primary key (org_id, id)
);
create index thing_by_created on thing (org_id, created_at, id);
create index thing_by_size on thing (org_id, size, id);
select enable_tenant_rls('thing');
"""


@pytest.fixture(scope="session")
def thing_migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("things")
    (folder / "0001_create_things.sql").write_text(THINGS)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(
    service_settings: Callable[..., Awaitable[ServiceSettings]], thing_migrations: Path
) -> ServiceSettings:
    return await service_settings("thing", thing_migrations)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def db(settings: ServiceSettings) -> AsyncIterator[Database]:
    database = await Database.open(settings, application_name="test")
    yield database
    await database.close()


def signal_family(pid: int | None, what: signal.Signals) -> None:
    """PostgreSQL is a process per connection: all of them, the postmaster first."""
    assert pid is not None
    os.kill(pid, what)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(ProcessLookupError):  # a connection's process may end in between
            os.kill(int(child), what)
