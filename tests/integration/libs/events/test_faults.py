"""What dies between a commit and its effect loses nothing and doubles nothing."""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import replace

import nats
import pytest

from echosenseix.events.v1.events_pb2 import AgentChanged
from libs.bus import Bus
from libs.bus.connection import MAX_PENDING_BYTES
from libs.bus.stream import MESSAGE_ID, ensure_stream
from libs.bus.subjects import STREAM
from libs.config import ServiceSettings
from libs.errors import Unavailable
from libs.events import Event, EventConsumer, OutboxRelay, ReceivedEvent
from libs.events.dead_letters import Choice, ask_for_replay
from libs.postgres import Connection, Database
from local.stores import Stores
from tests.integration.libs.events.effects import append, eventually, keep_effect, running

TOPIC = "agent.updated"
IN_ORDER = """
select bool_and(o.positions = (select array_agg(n) from generate_series(0, cardinality(o.positions) - 1) n)) as good
from (select array_agg(position order by id) as positions from effect group by key) o"""


async def add(db: Database, versions: range, keys: int = 4) -> int:
    for version in versions:
        await asyncio.gather(*(append(db, f"agt_{key}", version) for key in range(keys)))
    return len(versions) * keys


def restart_empty(broker: Stores) -> None:
    broker.nats.kill()
    shutil.rmtree(broker.nats.data)
    broker.nats.data.mkdir()
    broker.nats.start()


async def all_effects_once(db: Database, events: int, seconds: float = 10) -> None:
    await eventually(db, "select count(*) from effect", events, seconds)
    await eventually(db, "select count(*) from outbox where published_at is null", 0, seconds)
    assert await db.system_fetchval("select count(distinct event_id) from effect") == events
    assert await db.system_fetchval(IN_ORDER)


async def test_writes_go_on_without_nats_and_everything_arrives_soon_after_its_return(
    settings: ServiceSettings, bus: Bus, db: Database, broker: Stores
) -> None:
    consumer = EventConsumer(bus, db, "away", {TOPIC: keep_effect})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        events = await add(db, range(10))
        broker.nats.kill()
        events += await add(db, range(10, 30))
        await asyncio.to_thread(broker.nats.start)
        await all_effects_once(db, events, seconds=20)


async def test_a_deleted_store_loses_nothing(settings: ServiceSettings, bus: Bus, db: Database, broker: Stores) -> None:
    """Two consumers: one has handled everything, one was away and has handled nothing."""
    quick = EventConsumer(bus, db, "quick", {TOPIC: keep_effect})
    async with running(OutboxRelay(settings, "agent", bus), quick):
        events = await add(db, range(20))
        await all_effects_once(db, events)
        await asyncio.to_thread(restart_empty, broker)
        events += await add(db, range(20, 30))
        await all_effects_once(db, events, seconds=8)
        seen: set[str] = set()

        async def note(conn: Connection, event: ReceivedEvent) -> None:
            seen.add(event.id)

        async with running(EventConsumer(bus, db, "late", {TOPIC: note})):
            async with asyncio.timeout(8):
                while len(seen) < events:
                    await asyncio.sleep(0.02)
    assert await db.system_fetchval("select count(*) from effect") == events


async def test_a_deleted_stream_is_made_again_and_filled(settings: ServiceSettings, bus: Bus, db: Database) -> None:
    consumer = EventConsumer(bus, db, "stream", {TOPIC: keep_effect})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        events = await add(db, range(10))
        await all_effects_once(db, events)
        await bus.jetstream.delete_stream(STREAM)
        events += await add(db, range(10, 20))
        await all_effects_once(db, events, seconds=10)
    state = await ensure_stream(bus, settings)
    assert state.last_seq - state.first_seq + 1 == events


async def test_a_stream_that_lost_its_tail_gets_it_again(settings: ServiceSettings, bus: Bus, db: Database) -> None:
    """As after a power cut: the last messages are gone, and others have taken their sequences meanwhile."""
    async with running(OutboxRelay(settings, "agent", bus)):
        await add(db, range(10))
        await eventually(db, "select count(*) from outbox where published_at is null", 0)
    intact = 25
    messages = [await bus.jetstream.get_msg(STREAM, seq=seq) for seq in range(1, intact + 1)]
    epoch = (await ensure_stream(bus, settings)).epoch
    await bus.jetstream.delete_stream(STREAM)
    created = await ensure_stream(bus, settings)
    for message in messages:
        assert message.subject
        assert message.data
        await bus.jetstream.publish(message.subject, message.data, headers=message.headers)
    for number in range(15):
        await bus.jetstream.publish("evt.org_x.billing.usage.recorded", b"{}", headers={MESSAGE_ID: f"other{number}"})
    await db.system_fetch("update outbox set stream_epoch = $1", created.epoch)
    assert epoch != created.epoch
    consumer = EventConsumer(bus, db, "tail", {TOPIC: keep_effect})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        await all_effects_once(db, 40)


async def test_a_relay_killed_between_publishing_and_marking_doubles_nothing(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    relay = OutboxRelay(settings, "agent", bus)
    async with running(relay):
        events = await add(db, range(10))
        await eventually(db, "select count(*) from outbox where published_at is null", 0)
    # It died before the mark: the rows look as if they had never been sent.
    await db.system_fetch("update outbox set published_at = null, stream_epoch = null, stream_seq = null")
    consumer = EventConsumer(bus, db, "marks", {TOPIC: keep_effect})
    async with running(OutboxRelay(settings, "agent", bus), consumer):
        await all_effects_once(db, events)
    state = await ensure_stream(bus, settings)
    assert state.last_seq == events, "the stream's own window knows the event's id"


async def test_duplicates_that_the_stream_kept_have_no_second_effect(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    """Long after the stream's window: the same event stands in the stream twice."""
    event = Event(TOPIC, "org_a", "agt_twice", AgentChanged())
    await ensure_stream(bus, settings)
    payload = event.payload().encode()
    for number in range(3):
        await bus.jetstream.publish(event.nats_subject, payload, headers={MESSAGE_ID: f"{event.id}-{number}"})
    async with running(EventConsumer(bus, db, "twice", {TOPIC: keep_effect})):
        await eventually(db, "select count(*) from effect", 1)
        await settled(bus, "twice")
    assert await db.system_fetchval("select count(*) from effect") == 1


async def settled(bus: Bus, consumer: str) -> None:
    """Until the consumer has acknowledged everything."""
    async with asyncio.timeout(10):
        while True:
            info = await bus.jetstream.consumer_info(STREAM, consumer)
            if info.num_pending == 0 and info.num_ack_pending == 0:
                return
            await asyncio.sleep(0.02)


async def test_of_two_relays_and_two_consumers_one_works_and_the_other_takes_over(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    first_stop, second_stop = asyncio.Event(), asyncio.Event()

    def work(stop: asyncio.Event) -> list[asyncio.Task[None]]:
        parts = (OutboxRelay(settings, "agent", bus), EventConsumer(bus, db, "two", {TOPIC: keep_effect}))
        return [asyncio.create_task(part.run(stop)) for part in parts]

    first, second = work(first_stop), work(second_stop)
    events = await add(db, range(10))
    await eventually(db, "select count(*) > 5 from effect", True)
    adding = asyncio.create_task(add(db, range(10, 25)))
    first_stop.set()
    await asyncio.wait_for(asyncio.gather(*first), 10)
    events += await adding
    await all_effects_once(db, events)
    second_stop.set()
    await asyncio.wait_for(asyncio.gather(*second), 10)


async def test_a_consumer_that_dies_at_any_moment_leaves_each_effect_once_and_in_order(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    async with running(OutboxRelay(settings, "agent", bus)):
        adding = asyncio.create_task(add(db, range(60)))
        for number in range(12):
            stop = asyncio.Event()
            dying = asyncio.create_task(EventConsumer(bus, db, "dies", {TOPIC: keep_effect}).run(stop))
            await asyncio.sleep(0.15 + 0.01 * number)
            dying.cancel()
            await asyncio.gather(dying, return_exceptions=True)
        events = await adding
        async with running(EventConsumer(bus, db, "dies", {TOPIC: keep_effect})):
            await all_effects_once(db, events)


async def test_a_poison_event_is_dead_and_the_others_of_its_key_follow_in_order(
    settings: ServiceSettings, bus: Bus, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.events.delivery.BACKOFF_SECONDS", (0.01,))
    handled: list[tuple[str, int]] = []

    async def choke(conn: Connection, event: ReceivedEvent) -> None:
        version = event.read(AgentChanged).version
        handled.append((event.key, version))
        if (event.key, version) == ("agt_0", 2):
            await conn.execute("insert into effect (org_id, key, event_id, position) values ('x', 'x', 'x', 0)")
            raise LookupError("cannot digest this")
        await keep_effect(conn, event)

    async with running(OutboxRelay(settings, "agent", bus), EventConsumer(bus, db, "poison", {TOPIC: choke})):
        await add(db, range(5), keys=2)
        await eventually(db, "select count(*) from effect", 9)
        await settled(bus, "poison")
    assert handled.count(("agt_0", 2)) == 5
    assert [version for key, version in handled if key == "agt_0"] == [0, 1, 2, 2, 2, 2, 2, 3, 4]
    dead = await db.system_fetchrow("select topic, org_id, tries, last_error, payload::text as payload from inbox_dead")
    assert dead is not None
    assert (dead["topic"], dead["org_id"], dead["tries"]) == (TOPIC, "org_a", 5)
    assert dead["last_error"] == "LookupError: cannot digest this"
    assert '"version":"2"' in dead["payload"]
    assert await db.system_fetchval("select count(*) from inbox_retry") == 0


async def test_a_dead_letter_is_handled_again_on_request(
    settings: ServiceSettings, bus: Bus, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.events.delivery.BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr("libs.events.delivery.REPLAY_SECONDS", 0.02)
    repaired = False

    async def choke(conn: Connection, event: ReceivedEvent) -> None:
        await keep_effect(conn, event)
        if not repaired:
            raise LookupError("not yet")

    async def replay() -> int:
        async with db.system_transaction() as conn:
            return await ask_for_replay(conn, None, Choice(consumer="repaired"))

    async with running(OutboxRelay(settings, "agent", bus), EventConsumer(bus, db, "repaired", {TOPIC: choke})):
        await add(db, range(2), keys=3)
        await eventually(db, "select count(*) from inbox_dead where tries = 5", 6)
        assert await replay() == 6
        await eventually(db, "select count(*) from inbox_dead where tries = 6 and not replay", 6)
        repaired = True
        assert await replay() == 6
        await eventually(db, "select count(*) from effect", 6)
        await eventually(db, "select count(*) from inbox_dead", 0)


async def test_bytes_that_are_no_event_are_dead_at_once(settings: ServiceSettings, bus: Bus, db: Database) -> None:
    await ensure_stream(bus, settings)
    for body in (b"\xff\xfe", b"[]", b"{}", b'{"id": 7}', b"null", b'{"id":"e","type":"agent.updated"'):
        await bus.jetstream.publish("evt.org_a.agent.agent.updated", body, headers={MESSAGE_ID: body.hex()})
    async with running(EventConsumer(bus, db, "garbage", {TOPIC: keep_effect})):
        await eventually(db, "select count(*) from inbox_dead", 6)
        await settled(bus, "garbage")


async def test_an_outage_of_what_a_handler_needs_is_waited_for_and_not_counted(
    settings: ServiceSettings, bus: Bus, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.events.delivery.BACKOFF_SECONDS", (0.01,))
    tries = 0

    async def wait_for_peer(conn: Connection, event: ReceivedEvent) -> None:
        nonlocal tries
        tries += 1
        if tries < 30:
            raise Unavailable("peer_unavailable", "Try again.")
        await keep_effect(conn, event)

    async with running(OutboxRelay(settings, "agent", bus), EventConsumer(bus, db, "peer", {TOPIC: wait_for_peer})):
        await append(db, "agt_0", 0)
        await eventually(db, "select count(*) from effect", 1)
    assert tries == 30
    assert await db.system_fetchval("select count(*) from inbox_dead") == 0


async def test_an_event_that_kills_its_process_again_and_again_is_dead(
    settings: ServiceSettings, bus: Bus, db: Database
) -> None:
    """Each new leader dies in the handler; the count survives it."""
    entered = asyncio.Event()

    async def die(conn: Connection, event: ReceivedEvent) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with running(OutboxRelay(settings, "agent", bus)):
        await append(db, "agt_0", 0)
        await eventually(db, "select count(*) from outbox where published_at is null", 0)
    deaths = 0
    while not await db.system_fetchval("select count(*) from inbox_dead"):
        assert deaths < 15
        entered.clear()
        running_task = asyncio.create_task(EventConsumer(bus, db, "deadly", {TOPIC: die}).run(asyncio.Event()))
        entering = asyncio.create_task(entered.wait())
        dying = asyncio.create_task(eventually(db, "select count(*) from inbox_dead", 1))
        await asyncio.wait((entering, dying), return_when=asyncio.FIRST_COMPLETED)
        deaths += 1
        for task in (running_task, entering, dying):
            task.cancel()
        await asyncio.gather(running_task, entering, dying, return_exceptions=True)
    assert deaths > 5


async def test_a_bus_that_is_away_at_the_start_is_found_later(settings: ServiceSettings, broker: Stores) -> None:
    broker.nats.kill()
    bus = await Bus.connect(settings.nats_url, "early")
    assert not bus.connected
    heard = asyncio.Event()
    await bus.subscribe_core("some.subject", lambda subject, data: heard.set())
    await bus.publish_core("some.subject", b"dropped quietly")
    await asyncio.to_thread(broker.nats.start)
    assert await bus.wait_connected(5)
    async with asyncio.timeout(5):
        while not heard.is_set():
            await bus.publish_core("some.subject")
            await asyncio.sleep(0.02)
    await bus.close()


@pytest.mark.parametrize("met", [True, False])
async def test_closing_is_quick_although_the_server_is_gone(
    settings: ServiceSettings, broker: Stores, met: bool
) -> None:
    if not met:
        broker.nats.kill()
    bus = await Bus.connect(settings.nats_url, "closing")
    assert bus.connected == met
    broker.nats.kill()
    async with asyncio.timeout(20):  # the client's own drain waits 30 s
        await bus.close()


async def test_a_frozen_server_delays_no_commit(
    settings: ServiceSettings, bus: Bus, db: Database, broker: Stores
) -> None:
    """Announcements pile up to a bound and are then dropped; the rows wait for the relay."""
    broker.nats.pause()
    try:
        slowest = 0.0
        for number in range(200):
            began = time.monotonic()
            async with asyncio.timeout(20):
                await append(db, f"agt_{number}", 0)
                await bus.publish_core("some.subject", b"x" * 65536)
            slowest = max(slowest, time.monotonic() - began)
        # Two seconds and more if a publisher waited for the server.
        assert slowest < 1.9
        assert bus.client.pending_data_size < MAX_PENDING_BYTES + 128 * 1024
    finally:
        broker.nats.resume()
    async with running(OutboxRelay(settings, "agent", bus)):
        await eventually(db, "select count(*) from outbox where published_at is null", 0, 20)


async def test_one_queue_subscriber_gets_each_core_message_also_after_a_reconnect(
    settings: ServiceSettings, broker: Stores
) -> None:
    first, second = [await Bus.connect(settings.nats_url, name) for name in ("first", "second")]
    heard: list[str] = []

    def listener(name: str) -> Callable[[str, bytes], None]:
        return lambda subject, data: heard.append(name)

    for name, bus in (("first", first), ("second", second)):
        await bus.subscribe_core("jobs.agent.default", listener(name), queue="w")
        await bus.flush()
    broker.nats.kill()
    await asyncio.to_thread(broker.nats.start)
    assert await first.wait_connected(5)
    assert await second.wait_connected(5)
    await asyncio.gather(first.flush(), second.flush())
    sender = await nats.connect(settings.nats_url)
    for _ in range(50):
        await sender.publish("jobs.agent.default", b"")
    await sender.flush()
    async with asyncio.timeout(5):
        while len(heard) < 50:
            await asyncio.sleep(0.01)
    assert len(heard) == 50
    for bus in (first, second):
        await bus.close()
    await sender.close()


async def test_settings_of_a_small_broker_are_respected(settings: ServiceSettings, bus: Bus) -> None:
    await ensure_stream(bus, replace(settings, events_max_bytes=1_000_000))
    info = await bus.jetstream.stream_info(STREAM)
    assert info.config.max_bytes == 1_000_000
    assert info.config.max_age == 7 * 86_400
