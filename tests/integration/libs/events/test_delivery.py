"""An event appended in a transaction reaches its consumer once, in order, soon."""

import asyncio
import time

from libs.bus import Bus
from libs.config import ServiceSettings
from libs.events import EventConsumer, OutboxRelay, ReceivedEvent
from libs.postgres import Connection, Database
from tests.integration.libs.events.effects import append, eventually, keep_effect, running


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
