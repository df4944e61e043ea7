"""PostgreSQL killed, restarted and frozen under a running process: told quickly, survived without help."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from libs.config import ServiceSettings
from libs.context import CallContext, serving
from libs.errors import AppError, DeadlineExceeded, Unavailable
from libs.postgres import Database
from libs.postgres.migrate import migrate
from local.runner.keys import Keys
from local.stores import Stores
from tests.conftest import database_url
from tests.integration.libs.postgres.conftest import signal_family

READ = "select t.id from thing t where t.org_id = o.org"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """A PostgreSQL that this module may kill."""
    with Stores(tmp_path_factory.mktemp("server"), parts=("postgres",)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def db(
    server: Stores, thing_migrations: Path, settings_of: Callable[[str], ServiceSettings]
) -> AsyncIterator[Database]:
    settings = settings_of(server.postgres_admin_dsn)
    await migrate(settings, "thing", thing_migrations)
    database = await Database.open(settings, application_name="test-outage")
    yield database
    await database.close()


@pytest.fixture(scope="module")
def settings_of() -> Callable[[str], ServiceSettings]:
    password = Keys.ephemeral(("thing",)).role_password("thing", "app")

    def build(admin: str) -> ServiceSettings:
        return ServiceSettings(
            database_admin_url=admin,
            database_url=database_url(admin, "postgres", "thing_app", password),
            database_system_url=database_url(admin, "postgres", "thing_system", password),
            app_password=password,
            system_password=password,
            pool_max=5,
        )

    return build


async def add(db: Database, name: str) -> None:
    async with db.transaction("org_a") as conn:
        await conn.execute("insert into thing (org_id, id) values ('org_a', $1)", name)


async def test_nothing_acknowledged_is_lost_and_the_pool_recovers_by_itself(db: Database, server: Stores) -> None:
    acknowledged: set[str] = set()
    refused: list[AppError] = []
    stopping = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(100_000):
            if stopping.is_set():
                return
            try:
                await add(db, f"w{writer}_{number}")
                acknowledged.add(f"w{writer}_{number}")
            except AppError as error:
                refused.append(error)
                await asyncio.sleep(0.01)

    writers = [asyncio.create_task(write(number)) for number in range(5)]
    await asyncio.sleep(0.3)
    server.postgres.kill()
    await asyncio.sleep(0.3)
    await asyncio.to_thread(server.postgres.start)
    accepting, before = time.monotonic(), len(acknowledged)
    while len(acknowledged) == before:
        # The promise is a time: writers reconnect by themselves. Seconds, because the machine may be busy.
        assert time.monotonic() - accepting < 10.0, "no write soon after PostgreSQL answers"
        await asyncio.sleep(0.005)
    stopping.set()
    await asyncio.gather(*writers)
    assert refused
    assert all(isinstance(error, Unavailable) and error.retry_after for error in refused)
    stored = {row["id"] for row in await db.fetch("org_a", READ)}
    assert acknowledged <= stored


async def test_an_absent_server_is_told_at_once(db: Database, server: Stores) -> None:
    server.postgres.stop()
    with pytest.raises(Unavailable) as refusal:
        await db.fetch("org_a", READ)
    assert refusal.value.reason == "database_unavailable"  # who waits for a connection gets `database_busy`
    assert not await db.ping()
    await asyncio.to_thread(server.postgres.start)
    assert await db.ping()


async def test_a_process_starts_while_the_server_is_away(server: Stores, db: Database) -> None:
    server.postgres.stop()
    late = await Database.open(replace(db.settings, pool_min=2), application_name="test-late")
    await asyncio.to_thread(server.postgres.start)
    await late.fetch("org_a", READ)
    await late.close()


async def test_a_frozen_server_costs_no_more_than_the_deadline(db: Database, server: Stores) -> None:
    await db.fetch("org_a", READ)
    signal_family(server.postgres.pid, signal.SIGSTOP)
    try:
        # The server is frozen until the end of this block: only the deadline can end a read.
        with serving(CallContext(deadline=time.monotonic() + 0.3)), pytest.raises(DeadlineExceeded):
            await db.fetch("org_a", READ)
        async with asyncio.timeout(30):
            while db.pool_stats().active:  # the connection is asked for a second, and dropped
                await asyncio.sleep(0.02)
        with serving(CallContext(deadline=time.monotonic() + 0.3)), pytest.raises(AppError):
            await add(db, "frozen")
    finally:
        signal_family(server.postgres.pid, signal.SIGCONT)
    await db.fetch("org_a", READ)


async def test_a_frozen_server_is_refused_at_once_when_it_has_said_nothing_for_two_seconds(
    db: Database, server: Stores
) -> None:
    """Judged by order: a call under a deadline of a minute is refused while the server still stands."""
    await db.fetch("org_1", READ)
    signal_family(server.postgres.pid, signal.SIGSTOP)
    try:
        standing = [asyncio.create_task(refused(db, 60.0)) for _ in range(7)]  # two of them wait for a connection
        async with asyncio.timeout(30):  # a call alone would wait for its deadline
            while await refused(db, 1.2) != "database_unavailable":
                pass
            assert await asyncio.gather(*(refused(db, 60.0) for _ in range(50))) == ["database_unavailable"] * 50
    finally:
        signal_family(server.postgres.pid, signal.SIGCONT)
    async with asyncio.timeout(30):
        while await refused(db, 60.0):
            await asyncio.sleep(0.05)
    await asyncio.gather(*standing)


async def test_a_lone_caller_with_pauses_is_refused_at_once_too(db: Database, server: Stores) -> None:
    """No connection is in use when it comes again: its last one was dropped. Judged by order: a refusal in the turn of
    the question asks no server."""
    await db.fetch("org_1", READ)
    signal_family(server.postgres.pid, signal.SIGSTOP)
    try:
        for _ in range(8):
            await refused(db, 0.6)
            while db.pool_stats().active:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
        asked = asyncio.create_task(refused(db, 60.0))
        await asyncio.sleep(0)
        assert asked.done()
        assert await asked == "database_unavailable"
    finally:
        signal_family(server.postgres.pid, signal.SIGCONT)
    async with asyncio.timeout(30):
        while await refused(db, 60.0):
            await asyncio.sleep(0.05)


async def test_one_long_statement_refuses_no_other(db: Database) -> None:
    slow = "select t.id from thing t, pg_sleep(2.5) where t.org_id = o.org"
    running = [asyncio.create_task(db.fetch("org_1", slow)) for _ in range(5)]
    while not all(task.done() for task in running):
        assert await refused(db, 60.0) in ("", "database_busy")
        await asyncio.sleep(0.2)
    await asyncio.gather(*running)


async def refused(db: Database, seconds: float) -> str:
    """Why a read was refused; nothing when it was not."""
    try:
        with serving(CallContext(deadline=time.monotonic() + seconds)):
            await db.fetch("org_1", READ)
    except AppError as refusal:
        return refusal.reason
    return ""
