"""Transactions: what commits, what does not, what runs afterwards, and that no connection goes back dirty."""

import asyncio
import contextlib
import random
import time
from dataclasses import replace

import asyncpg
import pytest

from libs.config import ServiceSettings
from libs.context import CallContext, serving
from libs.errors import Aborted, DeadlineExceeded, Unavailable
from libs.postgres import Database, after_commit, announce_after_commit, count_statements

INSERT = "insert into thing (org_id, id) values ('org_a', $1)"


async def names(db: Database) -> set[str]:
    return {row["id"] for row in await db.system_fetch("select id from thing")}


async def test_a_transaction_commits_or_leaves_nothing(db: Database) -> None:
    async with db.transaction("org_a") as conn:
        await conn.execute(INSERT, "kept")

    async def fail() -> None:
        async with db.transaction("org_a") as conn:
            await conn.execute(INSERT, "dropped")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await names(db) == {"kept"}


async def test_a_write_costs_begin_statement_commit(db: Database) -> None:
    with count_statements() as counter:
        async with db.transaction("org_a") as conn:
            await conn.execute(INSERT, "counted")
    assert counter.total == 3


async def test_by_index_a_statement_is_planned_once_and_without_a_sequential_scan(db: Database) -> None:
    find = "select t.name from unnest($1::text[]) as w(id) join thing t on t.org_id = 'org_a' and t.id = w.id"
    for begin in (db.transaction, db.system_transaction):
        async with begin("org_a", by_index=True) as conn:
            for _ in range(6):
                await conn.fetch(find, ["x"])
            plans = "select generic_plans, custom_plans from pg_prepared_statements where statement = $1"
            assert tuple((await conn.fetchrow(plans, find) or {}).values()) == (6, 0)
            plan = "\n".join(row[0] for row in await conn.fetch("explain " + find, ["x"]))
            assert "Seq Scan" not in plan


async def test_a_change_answers_the_number_of_its_rows(db: Database) -> None:
    async with db.transaction("org_a") as conn:
        many = "insert into thing (org_id, id) select 'org_a', 'n' || n from generate_series(1, $1) n"
        assert await conn.change(many, 12) == 12
        assert await conn.change("update thing set name = 'x' where id = any($1)", ["n1", "n2", "n13"]) == 2
        assert await conn.change("delete from thing where id = 'n13'") == 0


async def test_a_savepoint_undoes_only_its_own(db: Database) -> None:
    async with db.transaction("org_a") as conn:
        await conn.execute(INSERT, "outer")
        with contextlib.suppress(asyncpg.UniqueViolationError):
            async with conn.transaction():
                await conn.execute(INSERT, "inner")
                await conn.execute(INSERT, "outer")
    found = await names(db)
    assert "outer" in found
    assert "inner" not in found


async def test_a_swallowed_error_does_not_pass_for_a_commit(db: Database) -> None:
    hooks: list[str] = []

    async def swallow() -> None:
        async with db.transaction("org_a") as conn:
            after_commit(conn, lambda: hooks.append("ran"))
            await conn.execute(INSERT, "lost")
            with contextlib.suppress(asyncpg.PostgresError):
                await conn.execute("select 1/0")

    with pytest.raises(Aborted) as refusal:
        await swallow()
    assert refusal.value.reason == "transaction_aborted"
    assert "lost" not in await names(db)
    assert hooks == []


async def test_hooks_run_once_after_the_commit_and_never_raise(db: Database) -> None:
    seen: list[object] = []

    async def look() -> None:
        seen.append(await db.system_fetchval("select count(*) from thing where id = 'hooked'"))

    def fail() -> None:
        raise RuntimeError("a hook broke")

    async with db.transaction("org_a") as conn:
        after_commit(conn, fail)
        after_commit(conn, look, once="look")
        after_commit(conn, look, once="look")
        await conn.execute(INSERT, "hooked")
        assert seen == []
    assert seen == [1]


async def test_hooks_of_a_rolled_back_transaction_never_run(db: Database) -> None:
    ran: list[str] = []

    async def fail() -> None:
        async with db.transaction("org_a") as conn:
            after_commit(conn, lambda: ran.append("rolled back"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    for number in range(db.settings.pool_max):
        async with db.transaction("org_a") as conn:
            await conn.execute(INSERT, f"after_{number}")
    assert ran == []


async def test_an_announcement_leaves_once_and_only_after_the_commit(settings: ServiceSettings) -> None:
    db = await Database.open(settings, application_name="test-announce")
    sent: list[str] = []
    db.announce_through(sent.append)
    async with db.transaction("org_a") as conn:
        announce_after_commit(conn, "jobs.thing.default")
        announce_after_commit(conn, "jobs.thing.default")
        announce_after_commit(conn, "outbox.thing")
        assert sent == []
    await db.close()
    assert sent == ["jobs.thing.default", "outbox.thing"]


async def test_150_cancelled_calls_leave_no_dirty_connection(settings: ServiceSettings) -> None:
    db = await Database.open(replace(settings, pool_max=4), application_name="test-cancel")
    seeded = random.Random(11)

    async def write(number: int) -> None:
        async with db.transaction("org_a") as conn:
            await conn.execute(INSERT, f"cancel_{number}")
            await conn.execute("select pg_sleep(0.005)")

    async def read() -> None:
        await db.fetch("org_a", "select pg_sleep(0.005) from thing t where t.org_id = o.org limit 1")

    for number in range(150):
        tasks = [asyncio.create_task(write(number)), asyncio.create_task(read())]
        await asyncio.sleep(seeded.uniform(0, 0.008))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5):
        while db.pool_stats().active:
            await asyncio.sleep(0.005)

    leases = [await db._app.lease() for _ in range(4)]
    for raw in leases:
        assert not raw.is_in_transaction()
        assert await raw.fetchval("select coalesce(current_setting('app.org', true), '')") == ""
        db._app.give_back(raw)
    assert db.pool_stats().active == 0
    idle = "select count(*) from pg_stat_activity where application_name like 'test-cancel%' and state like 'idle in%'"
    assert await db.system_fetchval(idle) == 0
    await db.close()


async def test_a_statement_ends_at_the_calls_deadline(db: Database) -> None:
    with serving(CallContext(deadline=time.monotonic() + 0.1)):
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await db.fetch("org_a", "select pg_sleep(120), o.org")
        assert time.monotonic() - began < 60  # half of what the statement takes
        with pytest.raises(DeadlineExceeded):
            async with db.transaction("org_a"):
                pass


async def test_a_timed_out_connection_is_terminated_and_replaced(db: Database) -> None:
    backends: list[int] = []

    async def dawdle() -> None:
        async with db.transaction("org_a") as conn:
            backends.append(await conn.fetchval("select pg_backend_pid()"))
            await conn.execute("select pg_sleep(8)", timeout=0.05)

    with pytest.raises(Unavailable) as refusal:
        await dawdle()
    assert refusal.value.reason == "database_timeout"
    deadline = time.monotonic() + 5
    # The server notices that its client has gone, although it was asleep.
    while await db.system_fetchval("select count(*) from pg_stat_activity where pid = any($1)", backends):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_full_pool_is_told_and_not_waited_for(settings: ServiceSettings) -> None:
    db = await Database.open(replace(settings, pool_max=2, acquire_timeout=0.1), application_name="test-busy")
    async with db.transaction("org_a"), db.transaction("org_a"):
        assert db.pool_stats().active == 2
        with pytest.raises(Unavailable) as refusal:
            await db.fetch("org_a", "select o.org")
    assert refusal.value.reason == "database_busy"
    assert refusal.value.retry_after
    assert await db.fetchval("org_a", "select o.org") == "org_a"
    await db.close()


async def test_a_connection_is_unusable_after_its_transaction(db: Database) -> None:
    async with db.transaction("org_a") as conn:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await conn.fetch("select 1")


async def test_connections_are_opened_in_advance(settings: ServiceSettings) -> None:
    db = await Database.open(replace(settings, pool_min=3), application_name="test-warm")
    assert db.pool_stats().idle == 3
    assert await db.ping()
    await db.close()
