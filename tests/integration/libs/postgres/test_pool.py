"""The pool under crowding, cancellation and idleness: never more than its limit, no one forgotten, nothing leaked."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from libs.config import ServiceSettings
from libs.context import CallContext, serving
from libs.errors import AppError, DeadlineExceeded, Unavailable
from libs.postgres.pool import Pool


@pytest_asyncio.fixture(loop_scope="session")
async def pool(settings: ServiceSettings) -> AsyncIterator[Pool]:
    made = Pool("app", settings.database_url, replace(settings, pool_max=3, acquire_timeout=0.5), "test-pool")
    yield made
    await made.close()
    assert made.active == 0
    assert made.idle == 0


async def test_the_last_one_used_is_used_next(pool: Pool) -> None:
    first, second = await pool.lease(), await pool.lease()
    pool.give_back(first)
    pool.give_back(second)
    assert await pool.lease() is second
    pool.give_back(second)
    assert (pool.idle, pool.active) == (2, 0)


async def test_those_who_wait_are_served_in_their_order(pool: Pool) -> None:
    leases = [await pool.lease() for _ in range(3)]
    served: list[int] = []

    async def wait(number: int) -> None:
        raw = await pool.lease()
        served.append(number)
        pool.give_back(raw)

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    for raw in leases:
        pool.give_back(raw)
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3, 4]


async def test_a_discarded_connection_makes_room_for_who_waits(pool: Pool) -> None:
    leases = [await pool.lease() for _ in range(3)]
    waiting = asyncio.create_task(pool.lease())
    await asyncio.sleep(0)
    pool.discard(leases.pop())
    fresh = await waiting
    assert await fresh.fetchval("select 1") == 1
    for raw in [*leases, fresh]:
        pool.give_back(raw)


async def test_waiting_ends_at_the_limit_or_the_deadline(pool: Pool) -> None:
    leases = [await pool.lease() for _ in range(3)]
    with pytest.raises(Unavailable) as refusal:
        await pool.lease()
    assert refusal.value.reason == "database_busy"
    ended: list[str] = []

    async def wait(name: str, deadline: float | None) -> None:
        with serving(CallContext(deadline=deadline)), pytest.raises(AppError):
            await pool.lease()
        ended.append(name)

    now = time.monotonic()
    await asyncio.gather(wait("limit", now + 60), wait("deadline", now + 0.05))
    assert ended == ["deadline", "limit"]
    with serving(CallContext(deadline=now)), pytest.raises(DeadlineExceeded):
        await pool.lease()
    for raw in leases:
        pool.give_back(raw)
    assert pool.idle == 3


async def test_a_connection_in_a_transaction_is_not_taken_back(pool: Pool) -> None:
    raw = await pool.lease()
    await raw.execute("begin")
    pool.give_back(raw)
    assert raw.is_closed()
    assert (pool.idle, pool.active) == (0, 0)


async def test_a_connection_that_was_closed_is_no_answer_of_the_server(pool: Pool) -> None:
    raw = await pool.lease()
    pool._silence.is_silent = True
    raw.terminate()
    pool.give_back(raw)
    assert pool._silence.is_silent
    assert (pool.idle, pool.active) == (0, 0)
    pool._silence.is_silent = False
    pool.give_back(await pool.lease())


async def test_a_lease_ends_whatever_the_connection_says(pool: Pool) -> None:
    """A slot that is lost is lost until the process ends."""
    raw = await pool.lease()
    pool.rest(raw, "select '\ud800'")  # fails before it is sent, by an error that is not one of asyncpg's
    await asyncio.gather(*pool._resting)
    assert raw.is_closed()
    assert (pool.idle, pool.active) == (0, 0)


async def test_a_wrong_password_is_told_as_an_outage(settings: ServiceSettings) -> None:
    stranger = Pool("app", settings.database_url.replace("thing_app:", "thing_app:wrong"), settings, "test-stranger")
    with pytest.raises(Unavailable) as refusal:
        await stranger.lease()
    assert refusal.value.reason == "database_unavailable"
    assert stranger.active == 0
    await stranger.close()


@pytest.mark.parametrize("minimum", [0, 1])
async def test_idle_connections_go_down_to_the_minimum(settings: ServiceSettings, minimum: int) -> None:
    limits = replace(settings, pool_max=4, pool_min=minimum, idle_seconds=0.05)
    pool = Pool("app", settings.database_url, limits, "test-min")
    await pool.warm(4)
    assert pool.idle == 4
    async with asyncio.timeout(5):
        while pool.idle > minimum:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert pool.idle == minimum
    await pool.close()
    with pytest.raises(Unavailable):
        await pool.lease()


async def test_nothing_leaks_when_twenty_users_are_cancelled_at_any_moment(pool: Pool) -> None:
    seeded = random.Random(5)
    pool._settings = replace(pool._settings, acquire_timeout=60.0)  # a slow machine is no outage

    async def use() -> None:
        raw = await pool.lease()
        try:
            await raw.fetchval("select pg_sleep(0.002)")
        except asyncio.CancelledError:
            pool.rest(raw, "select 1")
            raise
        pool.give_back(raw)

    for _ in range(40):
        users = [asyncio.create_task(use()) for _ in range(20)]
        await asyncio.sleep(seeded.uniform(0, 0.01))
        for user in seeded.sample(users, 12):
            user.cancel()
        outcomes = await asyncio.gather(*users, return_exceptions=True)
        assert not [one for one in outcomes if isinstance(one, Exception)]
        assert pool.active + pool.idle <= 3
    async with asyncio.timeout(5):
        while pool.active > 0:
            await asyncio.sleep(0.005)
    leases = await asyncio.gather(*(pool.lease() for _ in range(3)))
    assert pool.active == 3
    for raw in leases:
        pool.give_back(raw)
