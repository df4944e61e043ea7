"""Quotas on a real database: exact for counted rows, per organization, and by the day over many connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.config import ConfigError
from libs.errors import FailedPrecondition
from libs.ids import new_id
from libs.postgres import Database
from libs.postgres.quotas import Quotas, read_limits
from suite.tables import Quota

PAUSES = Quota("pauses", 5, "pauses", "End one.", table="job_pause")
WRITES = Quota("writes", 40, "writes", "Wait.", table="job_pause", daily=True)
Create = Callable[..., Awaitable[Database]]


async def test_additions_at_once_never_pass_the_limit(service_database: Create) -> None:
    database, quotas, org = await service_database("agent"), Quotas((PAUSES,)), new_id("org")

    async def add(number: int) -> None:
        async with database.transaction(org) as conn:
            await quotas.admit(conn, org, "pauses")
            await conn.execute("insert into job_pause (queue, org_id) values ($1, $2)", f"q{number}", org)

    ends = await asyncio.gather(*(add(number) for number in range(12)), return_exceptions=True)
    assert sum(end is None for end in ends) == 5
    assert sum(isinstance(end, FailedPrecondition) for end in ends) == 7
    async with database.transaction(org) as conn:
        assert [(use.used, use.limit) for use in await quotas.used(conn, org)] == [(5, 5)]
        assert await conn.fetchval("select count(*) from job_pause where org_id = $1", org) == 5


async def test_a_quota_by_the_day_counts_amounts_of_many_connections(service_database: Create) -> None:
    database, quotas, org, other = await service_database("agent"), Quotas((WRITES,)), new_id("org"), new_id("org")

    async def spend(amount: int) -> None:
        async with database.transaction(org) as conn:
            await quotas.spend(conn, org, "writes", amount)

    await asyncio.gather(*(spend(3) for _ in range(10)))
    with pytest.raises(FailedPrecondition, match="quota_reached"):
        await spend(11)
    await spend(10)
    with pytest.raises(FailedPrecondition, match="quota_reached"):
        await spend(1)
    async with database.transaction(org) as conn:
        assert [use.used for use in await quotas.used(conn, org)] == [40]
    async with database.transaction(other) as conn:
        assert [use.used for use in await quotas.used(conn, other)] == [0]


async def test_what_was_spent_yesterday_does_not_count(service_database: Create) -> None:
    database, quotas, org = await service_database("agent"), Quotas((WRITES,)), new_id("org")
    async with database.transaction(org) as conn:
        await quotas.spend(conn, org, "writes", 40)
    async with database.transaction(org) as conn:
        await conn.execute("update quota_use set day = day - 1 where org_id = $1", org)
        await quotas.spend(conn, org, "writes", 40)


def test_limits_are_read_by_name_and_refused_by_name() -> None:
    assert read_limits(("agents=20", "api_keys=0"), ("agents", "api_keys")) == {"agents": 20, "api_keys": 0}
    with pytest.raises(ConfigError) as refusal:
        read_limits(("agnets=20", "agents=-1", "agents"), ("agents",))
    assert len(refusal.value.problems) == 3
