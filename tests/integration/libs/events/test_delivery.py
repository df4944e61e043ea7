"""An event appended in a transaction reaches its consumer once, in order, soon."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from libs.bus import Bus
from libs.config import ServiceSettings
from libs.events import EventConsumer, OutboxRelay, ReceivedEvent, Together, relay
from libs.postgres import Connection, Database
from tests.integration.libs.events.effects import ORG, append, eventually, keep_effect, running


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


async def test_a_server_that_ignores_filters_costs_no_retry_and_no_dead_letter(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    consumer = EventConsumer(bus, db, "unfiltered", {"agent.updated": keep_effect})
    consumer._filters = ["evt.>"]  # what a NATS 2.9 makes of the list
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        for version in range(20):
            await append(db, "agt_other", version, topic="agent.created")
        await append(db, "agt_own", 0)
        await eventually(db, "select count(*) from effect where key = 'agt_own'", 1)
    assert await db.system_fetchval("select count(*) from effect where key = 'agt_other'") == 0
    assert await db.system_fetchval("select count(*) from inbox_dead where consumer = 'unfiltered'") == 0
    assert await db.system_fetchval("select count(*) from inbox_retry where consumer = 'unfiltered'") == 0


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


async def test_published_events_are_marked_with_the_next_that_are_read(
    settings: ServiceSettings, bus: Bus, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "MARK_SECONDS", 1800.0)
    monkeypatch.setattr(relay, "POLL_SECONDS", 3600.0)
    monkeypatch.setattr(relay, "LONGEST_POLL_SECONDS", 3600.0)
    rests = asyncio.Queue[float]()

    class Watched(OutboxRelay):
        async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
            rests.put_nowait(seconds)
            await super()._rest(stop, seconds)

    marked = "select string_agg(key, ' ' order by key) from outbox where published_at is not null"
    async with running(Watched(settings, "agent", bus)):
        assert await asyncio.wait_for(rests.get(), 10) == relay.POLL_SECONDS
        for key, before in (("agt_1", None), ("agt_2", "agt_1"), ("agt_3", "agt_1 agt_2")):
            await append(db, key, 0)
            assert await asyncio.wait_for(rests.get(), 10) == relay.MARK_SECONDS
            assert await db.system_fetchval(marked) == before
    assert await db.system_fetchval(marked) == "agt_1 agt_2 agt_3"


async def test_a_handler_takes_the_events_of_an_organization_together(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    """What waits while the first batch runs is the second, of this organization alone and of one event for each key."""
    batches: list[list[ReceivedEvent]] = []
    go_on = asyncio.Event()

    async def keep(conn: Connection, events: Sequence[ReceivedEvent]) -> None:
        batches.append(list(events))
        if events[0].org_id == ORG:
            await go_on.wait()
        for event in events:
            await keep_effect(conn, event)

    consumer = EventConsumer(bus, db, "together", {"agent.updated": Together(keep)})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        for key in range(6):
            for version in range(2):
                await append(db, f"agt_{key}", version)
        await append(db, "agt_other", 0, org="org_b")
        await eventually(db, "select count(*) from effect", 1)
        go_on.set()
        await eventually(db, "select count(*) from effect", 13)
    assert all(len({event.org_id for event in batch}) == 1 for batch in batches)
    assert all(len({event.key for event in batch}) == len(batch) for batch in batches)
    assert len(batches) < 13
    rows = await db.system_fetch(
        "select array_agg(position order by id) as order from effect where org_id = $1 group by key", ORG
    )
    assert [row["order"] for row in rows] == [[0, 1]] * 6


async def test_an_event_that_fails_takes_no_other_of_its_batch_with_it(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    sizes: list[int] = []

    async def keep(conn: Connection, events: Sequence[ReceivedEvent]) -> None:
        sizes.append(len(events))
        for event in events:
            await keep_effect(conn, event)
            if event.key == "agt_bad":
                raise LookupError("the event is faulty")

    for key in ("agt_1", "agt_2", "agt_bad", "agt_3"):
        await append(db, key, 0)
    consumer = EventConsumer(bus, db, "faulty", {"agent.updated": Together(keep)})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        await eventually(db, "select count(*) from inbox_dead where consumer = 'faulty'", 1, 20)
        await eventually(db, "select count(*) from effect", 3)
    assert max(sizes) > 1
    assert await db.system_fetchval("select event_id is not null from inbox_dead where consumer = 'faulty'")
    kept = await db.system_fetch("select key from effect order by key")
    assert [row["key"] for row in kept] == ["agt_1", "agt_2", "agt_3"]
