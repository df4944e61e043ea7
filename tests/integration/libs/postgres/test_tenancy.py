"""No one sees another organization's rows: not by mistake of a query, not by another service's role."""

import asyncio
import random

import asyncpg
import pytest
import pytest_asyncio

from libs.config import ServiceSettings
from libs.errors import AppError
from libs.postgres import Connection, Database
from libs.postgres.connection import count_statements

COUNT = "select count(*) as n from thing"


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def two_tenants(db: Database) -> None:
    for org in ("org_a", "org_b"):
        async with db.transaction(org) as conn:
            await conn.executemany(
                "insert into thing (org_id, id, name) values ($1, $2, $1)", [(org, f"t{n}") for n in range(20)]
            )


async def test_a_read_is_one_statement_and_sees_its_own_rows(db: Database) -> None:
    with count_statements() as counter:
        rows = await db.fetch("org_a", "select t.id, t.org_id from thing t where t.org_id = o.org and t.id = $2", "t1")
    assert [tuple(row.values()) for row in rows] == [("t1", "org_a")]
    assert counter.total == 1


async def test_a_read_that_forgets_its_filter_still_sees_one_organization(db: Database) -> None:
    forgetful = "select t.org_id from thing t where t.org_id = o.org or true"
    assert {row["org_id"] for row in await db.fetch("org_b", forgetful)} == {"org_b"}


async def test_a_read_keeps_its_order_limit_and_offset(db: Database) -> None:
    page = "select t.id from thing t where t.org_id = o.org order by t.id desc limit $2 offset $3"
    assert [row["id"] for row in await db.fetch("org_a", page, 3, 1)] == ["t8", "t7", "t6"]


@pytest.mark.parametrize("org", ["", "org'; drop table thing; --", "org_a ", "o" * 65, "órg"])
async def test_an_organization_that_is_none_is_refused(db: Database, org: str) -> None:
    with pytest.raises(ValueError, match="not an organization id"):
        await db.fetch(org, f"{COUNT} t where t.org_id = o.org")
    with pytest.raises(ValueError, match="not an organization id"):
        db.transaction(org)


async def test_a_query_without_the_fence_is_refused(db: Database) -> None:
    with pytest.raises(ValueError, match=r"o\.org"):
        await db.fetch("org_a", COUNT)


async def test_no_organization_means_no_rows(settings: ServiceSettings) -> None:
    conn = await asyncpg.connect(settings.database_url)
    try:
        assert await conn.fetchval(COUNT) == 0
        async with conn.transaction():
            await conn.execute("set local app.org = 'org_a'")
            assert await conn.fetchval(COUNT) == 20
        # The setting is '' now, not null; it must not mean anything either.
        assert await conn.fetchval("select current_setting('app.org', true)") == ""
        assert await conn.fetchval(COUNT) == 0
    finally:
        await conn.close()


async def test_a_row_of_another_organization_cannot_be_written_or_taken_over(db: Database) -> None:
    for statement in (
        "insert into thing (org_id, id) values ('org_b', 'stolen')",
        "update thing set org_id = 'org_b' where id = 't1'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction("org_a") as conn:
                await conn.execute(statement)
    async with db.transaction("org_a") as conn:
        assert await conn.execute("delete from thing where org_id = 'org_b'") == "DELETE 0"
        assert await conn.execute("update thing set name = 'x' where org_id = 'org_b'") == "UPDATE 0"


async def test_a_transaction_goes_on_as_the_organization_that_it_enters(db: Database) -> None:
    owners = "select array_agg(distinct org_id) from thing"
    async with db.transaction("org_a") as conn:
        assert await conn.fetchval(owners) == ["org_a"]
        await conn.enter("org_b")
        assert await conn.fetchval(owners) == ["org_b"]
    async with db.transaction("org_a") as conn:
        assert await conn.fetchval(owners) == ["org_a"], "the next transaction is not affected"


async def test_the_system_role_sees_every_organization(db: Database) -> None:
    assert await db.system_fetchval(COUNT) == 40


async def test_2000_interleaved_reads_never_mix(db: Database) -> None:
    seeded = random.Random(7)

    async def read() -> None:
        org = seeded.choice(("org_a", "org_b"))
        rows = await db.fetch(org, "select t.org_id from thing t where t.org_id = o.org or true")
        assert len(rows) == 20
        assert {row["org_id"] for row in rows} == {org}

    for _ in range(100):
        await asyncio.gather(*(read() for _ in range(20)))


REFUSED = (
    "alter table thing disable row level security",
    "alter table thing no force row level security",
    "drop policy tenant on thing",
    "set role thing_owner",
    "set role thing_system",
    "create table mine (id int)",
    "create schema mine",
    "drop table thing",
    "truncate thing",
    "insert into schema_migration (id, checksum) values ('x', 'x')",
    "select 1 from other.secret",
    "insert into other.secret values (1)",
    "copy thing to program 'true'",
)


@pytest.mark.parametrize("role", ["app", "system"])
@pytest.mark.parametrize("statement", REFUSED)
async def test_both_roles_may_do_nothing_but_serve(
    settings: ServiceSettings, statement: str, role: str, other_schema: None
) -> None:
    if role == "system":
        statement = statement.replace("thing_system", "thing_app")
    conn = await asyncpg.connect(settings.database_url if role == "app" else settings.database_system_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
    finally:
        await conn.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other_schema(settings: ServiceSettings) -> None:
    """A neighbour's schema in the same database, with a table whose owner is not ours."""
    conn = await asyncpg.connect(settings.database_admin_url)
    await conn.execute("create schema other; create table other.secret (id int)")
    await conn.close()


async def test_both_roles_are_plain_and_the_owner_cannot_log_in(db: Database) -> None:
    rows = await db.system_fetch(
        "select rolname, rolcanlogin, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb as mighty "
        "from pg_roles where rolname like 'thing\\_%' order by rolname"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("thing_app", True, False),
        ("thing_owner", False, False),
        ("thing_system", True, False),
    ]


async def test_a_second_statement_of_a_transaction_keeps_its_organization(db: Database) -> None:
    async def own(conn: Connection) -> set[str]:
        return {row["org_id"] for row in await conn.fetch("select distinct org_id from thing")}

    async with db.transaction("org_a") as first, db.transaction("org_b") as second:
        assert await own(first) == {"org_a"}
        assert await own(second) == {"org_b"}
        assert await own(first) == {"org_a"}


async def test_a_failed_transaction_leaves_no_organization_behind(settings: ServiceSettings, db: Database) -> None:
    with pytest.raises(AppError):
        async with db.transaction("org_a") as conn:
            await conn.execute("select pg_sleep(1)", timeout=0.05)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction("org_a"):
            raise ZeroDivisionError
    for _ in range(db.settings.pool_max):
        assert await db.fetchval("org_b", f"{COUNT} t where t.org_id = o.org") == 20
