"""An event appended in a transaction reaches its consumer once, in order, soon."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from libs.bus import Bus, Event, EventConsumer, OutboxRelay, ReceivedEvent
from libs.config import ServiceSettings
from libs.postgres import Connection, Database, outbox

ORG = "org_a"


async def keep_effect(conn: Connection, event: ReceivedEvent) -> None:
    await conn.execute(
        "insert into effect (org_id, key, event_id, position) values ($1, $2, $3, $4)",
        event.org_id, event.key, event.id, event.data["version"],
    )  # fmt: skip


@contextlib.asynccontextmanager
async def running(*parts: object) -> AsyncIterator[None]:
    """Relays and consumers at work until the block ends; a part that fails fails the test."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(part.run(stop)) for part in parts]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def append(db: Database, key: str, version: int, org: str = ORG) -> str:
    event = Event("agent.updated", org, key, {"agentId": key, "version": version})
    async with db.transaction(org) as conn:
        await outbox.append(conn, event)
    return event.id


async def eventually(db: Database, sql: str, expected: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while (found := await db.system_fetchval(sql)) != expected:
        assert time.monotonic() < deadline, f"{sql}: {found} instead of {expected}"
        await asyncio.sleep(0.01)


async def test_events_have_their_effect_once_and_in_order_for_each_key(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    consumer = EventConsumer(bus, db, "delivery", {"agent.updated": keep_effect})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        for version in range(40):
            await asyncio.gather(*(append(db, f"agt_{key}", version) for key in range(5)))
        await eventually(db, "select count(*) from effect", 200)
    rows = await db.system_fetch("select key, array_agg(position order by id) as order from effect group by key")
    assert len(rows) == 5
    assert all(row["order"] == list(range(40)) for row in rows)


async def test_an_event_arrives_within_tens_of_milliseconds(settings: ServiceSettings, bus: Bus, db: Database) -> None:
    arrived = asyncio.Event()

    async def note(conn: Connection, event: ReceivedEvent) -> None:
        arrived.set()

    async with running(OutboxRelay(settings, "agent", bus), EventConsumer(bus, db, "soon", {"agent.updated": note})):
        await append(db, "agt_first", 0)
        await asyncio.wait_for(arrived.wait(), 10)
        waits = []
        for version in range(20):
            arrived.clear()
            began = time.perf_counter()
            await append(db, "agt_soon", version)
            await asyncio.wait_for(arrived.wait(), 5)
            waits.append(time.perf_counter() - began)
    assert sorted(waits)[10] < 0.05
