"""A streaming replica that lags, freezes, dies or is none: reads stay within the bound, and never fail for its sake."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from libs.config import ServiceSettings
from libs.context import CallContext, serving
from libs.postgres import Database
from libs.postgres.migrate import migrate
from libs.postgres.replica import NotAReplica, Replica
from local.processes.ports import free_ports
from local.processes.process import Child, Command
from local.runner.keys import Keys
from local.stores import Stores, psql, run_sql
from local.stores.postgres import make_postgres
from local.stores.store import Store
from tests.conftest import database_url
from tests.integration.libs.postgres.conftest import signal_family

NAMES = "select t.id from thing t where t.org_id = o.org order by t.id"


@dataclass(frozen=True)
class Pair:
    primary: Stores
    replica: Store

    def pause_replay(self) -> None:
        run_sql(self.replica.url, "select pg_wal_replay_pause()")

    def resume_replay(self) -> None:
        run_sql(self.replica.url, "select pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A primary and a copy that follows it, which this module may kill."""
    folder = tmp_path_factory.mktemp("pair")
    folder.chmod(0o755)
    with Stores(folder / "primary", parts=("postgres",)) as primary:
        [port] = free_ports(1)
        log = folder / "copy"
        store = make_postgres(port, folder / "copy" / "data", log, primary.postgres_password, durable=False)
        _copy(primary.postgres_admin_dsn, store.data, log)
        store.launch()
        store.wait_ready()
        yield Pair(primary, store)
        store.stop()


def _copy(primary_url: str, data: Path, log: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    program = psql().with_name("pg_basebackup")
    argv = [str(program), "-D", str(data), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", primary_url]
    child = Child(Command(name="pg_basebackup", argv=argv, log=log / "basebackup.log", never_root=True))
    child.start()
    child.wait(60)
    assert child.exit_code == 0, (log / "basebackup.log").read_text(encoding="utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(pair: Pair, thing_migrations: Path) -> ServiceSettings:
    password, admin = Keys.ephemeral(("thing",)).role_password("thing", "app"), pair.primary.postgres_admin_dsn
    made = ServiceSettings(
        database_admin_url=admin,
        database_url=database_url(admin, "postgres", "thing_app", password),
        database_system_url=database_url(admin, "postgres", "thing_system", password),
        database_replica_url=database_url(pair.replica.url, "postgres", "thing_app", password),
        app_password=password,
        system_password=password,
        pool_max=5,
    )
    await migrate(made, "thing", thing_migrations)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def db(settings: ServiceSettings) -> AsyncIterator[Database]:
    database = await Database.open(settings, application_name="test-replica")
    yield database
    await database.close()


def replica_of(db: Database) -> Replica:
    assert db.replica is not None
    return db.replica


async def fresh(db: Database, seconds: float = 2.0) -> None:
    async with asyncio.timeout(30):
        while replica_of(db).lag_seconds > seconds:
            await asyncio.sleep(0.05)


async def add(db: Database, name: str) -> None:
    async with db.transaction("org_a") as conn:
        await conn.execute("insert into thing (org_id, id) values ('org_a', $1)", name)


async def names(db: Database, *, may_lag: bool = True, org_id: str = "org_a") -> list[str]:
    with serving(CallContext(may_lag=may_lag)):
        return [row["id"] for row in await db.fetch(org_id, NAMES, may_lag=True)]


@pytest.fixture
def asked(db: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many reads the replica has answered."""
    answered = 0
    real = Replica.fetch

    async def counting(self: Replica, sql: str, *args: object) -> object:
        nonlocal answered
        rows = await real(self, sql, *args)
        answered += rows is not None
        return rows

    monkeypatch.setattr(Replica, "fetch", counting)
    return lambda: answered


async def test_a_list_that_may_lag_is_read_from_the_replica_behind_the_tenants_fence(
    db: Database, asked: Callable[[], int]
) -> None:
    await fresh(db)
    await add(db, "one")
    async with asyncio.timeout(30):
        while "one" not in await names(db):
            await asyncio.sleep(0.05)
    seen = asked()
    assert seen >= 1
    assert await names(db, org_id="org_b") == []
    assert asked() == seen + 1


async def test_a_call_that_must_not_lag_and_a_statement_that_must_not_never_ask_it(
    db: Database, pair: Pair, asked: Callable[[], int]
) -> None:
    await fresh(db)
    pair.pause_replay()
    try:
        await add(db, "exact")
        assert "exact" in await names(db, may_lag=False)
        with serving(CallContext(may_lag=True)):
            assert "exact" in [row["id"] for row in await db.fetch("org_a", NAMES)]
        assert asked() == 0
    finally:
        pair.resume_replay()


async def test_a_replica_that_lags_more_than_the_bound_is_not_read(db: Database, pair: Pair) -> None:
    await fresh(db)
    pair.pause_replay()
    try:
        await add(db, "late")
        async with asyncio.timeout(30):
            while replica_of(db).lag_seconds <= 2.0:
                await asyncio.sleep(0.05)
        assert "late" in await names(db)
    finally:
        pair.resume_replay()
    await fresh(db)
    assert "late" in await names(db)


async def test_no_read_is_older_than_the_bound_while_replay_stops_and_goes(db: Database, pair: Pair) -> None:
    await fresh(db)
    committed: list[tuple[float, str]] = []
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    async def write() -> None:
        for number in range(150):
            name = f"w{number:03}"
            await add(db, name)
            committed.append((loop.time(), name))
            await asyncio.sleep(0.02)
        ended.set()

    async def stop_and_go() -> None:
        while not ended.is_set():
            await asyncio.to_thread(pair.pause_replay)
            await asyncio.sleep(0.8)
            await asyncio.to_thread(pair.resume_replay)
            await asyncio.sleep(0.4)

    async def read() -> None:
        while not ended.is_set():
            must = {name for at, name in list(committed) if at < loop.time() - 2.0}
            assert must <= set(await names(db))
            await asyncio.sleep(0.01)

    await asyncio.gather(write(), stop_and_go(), read())


async def test_an_idle_primary_leaves_the_replica_fresh(db: Database) -> None:
    await fresh(db)
    for _ in range(30):
        await asyncio.sleep(0.1)
        await replica_of(db).look()
    assert replica_of(db).lag_seconds < 2.0


async def test_a_frozen_replica_costs_a_read_its_share_and_then_nothing(
    db: Database, pair: Pair, asked: Callable[[], int]
) -> None:
    await fresh(db)
    await add(db, "frozen")
    signal_family(pair.replica.pid, signal.SIGSTOP)
    try:
        loop = asyncio.get_running_loop()
        with serving(CallContext(may_lag=True, deadline=loop.time() + 10.0)):
            assert "frozen" in [row["id"] for row in await db.fetch("org_a", NAMES, may_lag=True)]
        before = asked()
        for _ in range(20):
            assert "frozen" in await names(db)
        assert asked() == before
    finally:
        signal_family(pair.replica.pid, signal.SIGCONT)
    await fresh(db)


async def test_a_replica_that_dies_fails_no_read_and_is_used_again(
    db: Database, pair: Pair, asked: Callable[[], int]
) -> None:
    await fresh(db)
    await add(db, "dies")
    pair.replica.kill()
    try:
        for _ in range(10):
            assert "dies" in await names(db)
    finally:
        await asyncio.to_thread(pair.replica.start)
    await fresh(db)
    assert "dies" in await names(db)
    assert asked() >= 1


async def test_another_database_is_no_replica(settings: ServiceSettings) -> None:
    wrong = replace(settings, database_replica_url=settings.database_url)
    database = await Database.open(wrong, application_name="test-wrong")
    try:
        with pytest.raises(NotAReplica, match="no replica"):
            await replica_of(database).look()
        assert replica_of(database).lag_seconds == float("inf")
        assert isinstance(await names(database), list)
    finally:
        await database.close()
