"""Migrations: once, in order, by several processes and releases at a time, by administrators of two kinds."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from libs.config import ServiceSettings, load
from libs.postgres import Database
from libs.postgres.migrate import MigrationError, migrate, plan, read_migrations
from local.processes.ports import free_ports
from local.stores import Stores, run_sql
from tests.conftest import database_url

FIRST = "set local lock_timeout = '5s';\ncreate table first (org_id text not null, id text primary key);"
numbers = itertools.count(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_create_first.sql").write_text(f"{FIRST}\nselect enable_tenant_rls('first');")
    return tmp_path


@pytest_asyncio.fixture(loop_scope="session")
async def settings(
    stores: Stores, service_environment: Callable[[str, str], dict[str, str]]
) -> AsyncIterator[ServiceSettings]:
    """Of an empty database."""
    name = f"migrating_{next(numbers)}"
    run_sql(stores.postgres_admin_dsn, f'create database "{name}"')
    yield load(ServiceSettings, service_environment("thing", name))
    run_sql(stores.postgres_admin_dsn, f'drop database "{name}" with (force)')


async def system_value(settings: ServiceSettings, sql: str) -> object:
    db = await Database.open(settings, application_name="test-migrate")
    try:
        return await db.system_fetchval(sql)
    finally:
        await db.close()


async def test_a_second_run_does_nothing(settings: ServiceSettings, folder: Path) -> None:
    assert await migrate(settings, "thing", folder) == [step.id for step in plan(folder)]
    assert await migrate(settings, "thing", folder) == []


async def test_many_processes_apply_each_migration_once(settings: ServiceSettings, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(settings, "thing", folder) for _ in range(6)))
    assert sorted(itertools.chain(*applied)) == sorted(step.id for step in plan(folder))


async def test_a_changed_migration_is_refused(settings: ServiceSettings, folder: Path) -> None:
    await migrate(settings, "thing", folder)
    file = folder / "0001_create_first.sql"
    file.write_text(file.read_text() + "-- changed")
    with pytest.raises(MigrationError, match="0001_create_first has changed"):
        await migrate(settings, "thing", folder)


async def test_an_older_release_leaves_what_a_newer_one_applied(settings: ServiceSettings, folder: Path) -> None:
    newer = folder / "0002_add_name.sql"
    newer.write_text("set local lock_timeout = '5s';\nalter table first add column name text not null default '';")
    await migrate(settings, "thing", folder)
    newer.unlink()
    assert await migrate(settings, "thing", folder) == []
    assert await system_value(settings, "select count(name) from first") == 0


async def test_a_migration_that_fails_leaves_nothing_and_can_be_repaired(
    settings: ServiceSettings, folder: Path
) -> None:
    second = folder / "0002_create_second.sql"
    second.write_text("set local lock_timeout = '5s';\ncreate table second (id int); select 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(settings, "thing", folder)
    assert await system_value(settings, "select to_regclass('second')") is None
    second.write_text("set local lock_timeout = '5s';\ncreate table second (id int);")
    assert await migrate(settings, "thing", folder) == ["0002_create_second"]


async def test_a_lock_held_by_someone_is_waited_for_in_short_tries(settings: ServiceSettings, folder: Path) -> None:
    await migrate(settings, "thing", folder)
    (folder / "0002_add_name.sql").write_text(
        "set local lock_timeout = '20ms';\nalter table first add column name text;"
    )
    admin = await asyncpg.connect(settings.database_admin_url)
    db = await Database.open(settings, application_name="test-lock")
    waiting = (
        "select count(*) from pg_stat_activity where application_name = 'thing-migrate' and wait_event = 'relation'"
    )
    async with asyncio.timeout(20):
        async with db.system_transaction() as conn:
            await conn.execute("select count(*) from first")
            migrating = asyncio.create_task(migrate(settings, "thing", folder))
            while not await admin.fetchval(waiting):
                await asyncio.sleep(0.002)
            # Readers are not queued behind a waiting ALTER TABLE for longer than a try.
            await asyncio.wait_for(db.system_fetchval("select count(*) from first"), 1)
        assert await migrating == ["0002_add_name"]
    await db.close()
    await admin.close()


async def test_a_database_that_answers_later_is_waited_for(
    settings: ServiceSettings, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [port] = free_ports(1)
    real = urlsplit(str(settings.database_admin_url))
    login = real.netloc.rpartition("@")[0]
    away = replace(settings, database_admin_url=urlunsplit(real._replace(netloc=f"{login}@127.0.0.1:{port}")))
    with pytest.raises(OSError, match="Connect"):
        await migrate(away, "thing", folder)
    migrating = asyncio.create_task(migrate(away, "thing", folder, patience=60.0))
    async with asyncio.timeout(30):
        while "the database does not answer yet" not in caplog.text:
            await asyncio.sleep(0.01)

    async def passing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(real.hostname, real.port)
        await asyncio.gather(_pump(reader, downstream), _pump(upstream, writer))

    async with await asyncio.start_server(passing, "127.0.0.1", port):
        assert await migrating == [step.id for step in plan(folder)]


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
    target.close()


async def test_a_refused_login_is_told_at_once(settings: ServiceSettings, folder: Path) -> None:
    real = urlsplit(str(settings.database_admin_url))
    wrong = real._replace(netloc=f"postgres:wrong@{real.hostname}:{real.port}")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await migrate(replace(settings, database_admin_url=urlunsplit(wrong)), "thing", folder, patience=60.0)


async def test_a_backfill_runs_under_the_system_role(settings: ServiceSettings, folder: Path) -> None:
    await migrate(settings, "thing", folder)
    db = await Database.open(settings, application_name="test-backfill")
    async with db.transaction("org_a") as conn:
        await conn.execute("insert into first values ('org_a', 'one')")
    (folder / "0002_fill.sql").write_text(
        "-- migrate: as system\nset local lock_timeout = '5s';\nupdate first set id = 'two';"
    )
    assert await migrate(settings, "thing", folder) == ["0002_fill"]
    assert await db.system_fetchval("select id from first") == "two"
    await db.close()


async def test_an_index_is_built_without_a_transaction(settings: ServiceSettings, folder: Path) -> None:
    (folder / "0002_index_first.sql").write_text(
        "-- migrate: no transaction\ncreate index concurrently first_by_org on first (org_id);"
    )
    assert "0002_index_first" in await migrate(settings, "thing", folder)
    assert await system_value(settings, "select to_regclass('first_by_org')::text") == "first_by_org"


@pytest.mark.parametrize(
    ("names", "complaint"),
    [(("1_create.sql",), "name migrations"), (("0001_a.sql", "0001_b.sql"), "used twice"), (("0001_A.sql",), "name")],
)
def test_names_out_of_form_are_refused(tmp_path: Path, names: tuple[str, ...], complaint: str) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match=complaint):
        read_migrations(tmp_path)


async def test_without_an_administrator_it_says_what_to_set(settings: ServiceSettings, folder: Path) -> None:
    with pytest.raises(MigrationError, match="DATABASE_ADMIN_URL"):
        await migrate(replace(settings, database_admin_url=None), "thing", folder)


async def test_an_administrator_who_is_no_superuser_suffices(
    stores: Stores, settings: ServiceSettings, folder: Path
) -> None:
    admin = settings.database_admin_url
    assert admin is not None
    run_sql(admin, "create role steward login createrole password 'steward'")
    database = await system_name(admin)
    run_sql(admin, f'alter database "{database}" owner to steward')
    # Roles are the whole server's: this service's must be new, or they belong to the superuser.
    mine = replace(
        settings,
        database_admin_url=database_url(admin, database, "steward", "steward"),
        database_url=database_url(admin, database, "errand_app", settings.app_password),
        database_system_url=database_url(admin, database, "errand_system", settings.system_password),
    )
    try:
        assert await migrate(mine, "errand", folder)
        assert await migrate(mine, "errand", folder) == []
        assert await system_value(mine, "select count(*) from first") == 0
        assert await system_value(mine, "select count(*) from pg_extension where extname = 'pg_trgm'") == 1
    finally:
        run_sql(admin, f'alter database "{database}" owner to postgres')
        for role in ("steward", "errand_app", "errand_system", "errand_owner"):
            run_sql(admin, f"reassign owned by {role} to postgres; drop owned by {role}")
        run_sql(admin, "drop role errand_app, errand_system, errand_owner, steward")


async def system_name(admin: str) -> str:
    return run_sql(admin, "select current_database()")


async def test_passwords_are_set_anew(settings: ServiceSettings, folder: Path) -> None:
    await migrate(settings, "thing", folder)
    try:
        changed = replace(settings, app_password="it's \\ new")
        await migrate(changed, "thing", folder)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(settings.database_url)
    finally:
        await migrate(settings, "thing", folder)
    conn = await asyncpg.connect(settings.database_url)
    await conn.close()
