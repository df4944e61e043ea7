"""Events that a real consumer gave up, as an operator and as their organization list, count and replay them."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from libs.bus import Bus
from libs.bus.stream import MESSAGE_ID, ensure_stream
from libs.bus.subjects import STREAM
from libs.config import ServiceSettings
from libs.context import CallContext
from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Unavailable
from libs.events import EventConsumer, OutboxRelay, ReceivedEvent
from libs.ids import new_id, read_dead_event_id
from libs.paging import CursorCodec
from libs.postgres import Connection, Database
from libs.rpc.context import serving
from libs.rpc.principal import Principal
from libs.rpc.times import to_timestamp
from libs.runtime.service import JobsServicer
from libs.telemetry.metrics import REGISTRY
from local.stores import Stores
from tests.integration.libs.events.effects import append, eventually, keep_effect, running

SERVICE, TOPIC = "widgets", "agent.updated"
EFFECTS = """
set local lock_timeout = '5s';
create table effect (
    id bigint generated always as identity primary key,
    org_id text not null, key text not null, event_id text not null, position int not null
);
"""


class Patient:
    """A handler that fails on every event until it is repaired."""

    def __init__(self) -> None:
        self.error: Exception | None = LookupError("cannot digest")
        self.tries = 0

    async def handle(self, conn: Connection, event: ReceivedEvent) -> None:
        self.tries += 1
        await keep_effect(conn, event)
        if self.error is not None:
            raise self.error


class Scene:
    """One service's schema, its relay, and consumers that fail."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self.db = db
        self.bus = bus
        self.relay = OutboxRelay(db.settings, SERVICE, bus)
        self.servicer = JobsServicer(SERVICE, SERVICE, db, CursorCodec(b"k" * 32))
        self.patient = Patient()

    def consumer(self, name: str) -> EventConsumer:
        return EventConsumer(self.bus, self.db, name, {TOPIC: self.patient.handle})

    async def dead(self, expected: int) -> None:
        await eventually(self.db, "select count(*) from inbox_dead", expected, 30)

    async def die(self, org_id: str, name: str = "billing", error: Exception | None = None) -> str:
        """The id of an event of this organization that the consumer has given up."""
        self.patient.error = error or LookupError("cannot digest 77\nDETAIL: the row of Ada Lovelace")
        before = int(await self.db.system_fetchval("select count(*) from inbox_dead"))
        async with running(self.relay, self.consumer(name)):
            event_id = await append(self.db, "agt_1", 1, org_id)
            await self.dead(before + 1)
        return event_id

    async def listed(self, **wanted: object) -> list[jobs_pb2.DeadEvent]:
        chosen = jobs_pb2.DeadEventFilter(**wanted)  # type: ignore[arg-type]
        return list((await self.servicer.ListDeadEvents(jobs_pb2.ListDeadEventsRequest(filter=chosen), None)).events)

    async def replay(self, *ids: str, **wanted: object) -> int:
        chosen = jobs_pb2.DeadEventFilter(**wanted) if wanted else None  # type: ignore[arg-type]
        request = jobs_pb2.ReplayDeadEventsRequest(ids=ids, filter=chosen)
        return (await self.servicer.ReplayDeadEvents(request, None)).replayed


@contextlib.contextmanager
def caller(org_id: str = "org_a", *scopes: str, key: str = "") -> Iterator[None]:
    held = frozenset(scopes or ("widgets:read", "widgets:write"))
    call = CallContext(idempotency_key=key, idempotency_fingerprint="f")
    with serving(call, Principal(org_id=org_id, role="admin", scopes=held, issuer="gateway")):
        yield


@contextlib.contextmanager
def operator() -> Iterator[None]:
    with serving(CallContext(), Principal(role="service", issuer="realtime")):
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def scene(
    service_settings: Callable[..., Awaitable[ServiceSettings]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Scene]:
    monkeypatch.setattr("libs.events.delivery.BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr("libs.events.delivery.REPLAY_SECONDS", 0.02)
    migrations = tmp_path_factory.mktemp("effects")
    (migrations / "0001_create_effects.sql").write_text(EFFECTS)
    with Stores(tmp_path_factory.mktemp("broker"), parts=("nats",)) as broker:
        settings = replace(await service_settings(SERVICE, Path(migrations)), nats_url=broker.nats_url)
        bus = await Bus.connect(settings.nats_url, "test")
        db = await Database.open(settings, application_name="test")
        db.announce_through(bus.announce)
        yield Scene(db, bus)
        await db.close()
        await bus.close()


async def test_a_dead_event_tells_what_when_why_and_whose(scene: Scene) -> None:
    event_id = await scene.die("org_a")
    with operator():
        [event] = await scene.listed()
    assert (event.service, event.consumer, event.event_id, event.topic) == (SERVICE, "billing", event_id, TOPIC)
    assert (event.organization_id, event.subject, event.tries, event.replaying) == ("org_a", "agt_1", 5, False)
    assert (event.error.code, event.error.message) == ("unexpected_error", "LookupError: cannot digest 77")
    assert event.die_time.seconds > 0
    assert event.id.startswith(f"dead_{SERVICE}_")
    # What it carries names people: no one sees it here, as no one sees a job's arguments.
    assert "payload" not in jobs_pb2.DeadEvent.DESCRIPTOR.fields_by_name
    with caller():
        [mine] = await scene.listed()
    assert mine.id == event.id
    assert "digest" not in mine.error.message


async def test_a_refusal_keeps_its_code_and_its_text_for_everyone(scene: Scene) -> None:
    await scene.die("org_a", error=FailedPrecondition("call_not_rated", "Rate the call first."))
    for view in (caller(), operator()):
        with view:
            [event] = await scene.listed(error="call_not_rated")
            assert (event.error.code, event.error.message) == ("call_not_rated", "Rate the call first.")


async def test_lists_filter_and_page_for_operators_and_for_organizations(scene: Scene) -> None:
    born = [await scene.die(org_id) for org_id in ("org_a", "org_b", "org_a")]
    # Another consumer reads the stream from its beginning: the same events, dead with it too.
    scene.patient.error = KeyError("durationSeconds")
    async with running(scene.consumer("calllog")):
        await scene.dead(6)
    died = "select died_at from inbox_dead where consumer = 'billing' and event_id = $1"
    split = await scene.db.system_fetchrow(died, born[1])
    assert split is not None
    filters: dict[str, dict[str, object]] = {
        "consumer": {"consumer": "calllog"},
        "text": {"error": "DURATIONseconds"},
        "code": {"error": "unexpected_error"},
        "topic": {"topic": TOPIC},
        "organization": {"organization_id": "org_b", "consumer": "billing"},
        "since": {"died_at_ge": to_timestamp(split["died_at"]), "consumer": "billing"},
        "before": {"died_at_lt": to_timestamp(split["died_at"])},
        "nothing": {"topic": "call.ended"},
    }
    with operator():
        everything = await scene.listed()
        found = {name: [event.event_id for event in await scene.listed(**wanted)] for name, wanted in filters.items()}
        assert await walk(scene) == [event.id for event in everything]
    assert [event.id for event in everything] == sorted((event.id for event in everything), reverse=True)
    assert [event.event_id for event in everything if event.consumer == "billing"] == born[::-1]
    assert len(everything) == 6
    assert set(found["consumer"]) == set(found["text"]) == set(born)
    assert len(found["consumer"]) == len(found["text"]) == 3
    assert found["code"] == found["topic"] == [event.event_id for event in everything]
    assert found["organization"] == [born[1]]
    assert found["since"] == [born[2], born[1]]
    assert found["before"] == [born[0]]
    assert found["nothing"] == []
    with caller():
        assert await walk(scene) == [event.id for event in everything if event.organization_id == "org_a"]
        # The text of an unexpected error is not shown to customers, so they cannot search it either.
        assert await scene.listed(error="duration") == []
        assert {event.consumer for event in await scene.listed(consumer="calllog")} == {"calllog"}
        since = to_timestamp(split["died_at"])
        assert [event.event_id for event in await scene.listed(consumer="billing", died_at_ge=since)] == [born[2]]


async def test_a_foreign_dead_event_is_as_absent_as_an_unknown_one(scene: Scene) -> None:
    await scene.die("org_b")
    with operator():
        [theirs] = await scene.listed()
    unknown = f"dead_{SERVICE}_" + "0" * 26
    with caller():
        assert await scene.listed() == await scene.listed(organization_id="org_b") == []
        for event_id in (theirs.id, unknown, theirs.id.replace(SERVICE, "billing"), "nonsense"):
            assert await scene.replay(event_id) == 0
        for wanted in ({"consumer": "billing"}, {"organization_id": "org_b"}, {"error": "unexpected_error"}):
            assert await scene.replay(**wanted) == 0
        counts = await scene.servicer.CountDeadEvents(jobs_pb2.CountDeadEventsRequest(), None)
        assert not counts.counts
    with operator():
        [theirs] = await scene.listed()
        assert not theirs.replaying
        counts = await scene.servicer.CountDeadEvents(jobs_pb2.CountDeadEventsRequest(), None)
        assert [(one.service, one.consumer, one.dead, one.replaying) for one in counts.counts] == [
            (SERVICE, "billing", 1, 0)
        ]


async def test_rights_are_those_of_the_service_s_things(scene: Scene) -> None:
    with caller("org_a", "widgets:read"):
        assert await scene.listed() == []
        with pytest.raises(PermissionDenied):
            await scene.replay(consumer="billing")
    with caller("org_a", "calls:read"), pytest.raises(PermissionDenied):
        await scene.listed()
    with serving(CallContext(), Principal(role="member", issuer="gateway")), pytest.raises(PermissionDenied):
        await scene.listed()


async def test_what_is_asked_for_must_be_said_and_fit(scene: Scene) -> None:
    with operator():
        for ids in ((), ["dead_widgets_" + "0" * 26] * 1_001):
            with pytest.raises(InvalidArgument):
                await scene.replay(*ids)
        page = common_pb2.PageRequest(order="asc")
        with pytest.raises(InvalidArgument):
            await scene.servicer.ListDeadEvents(jobs_pb2.ListDeadEventsRequest(page=page), None)


async def test_exactly_the_chosen_are_handled_again_once_and_the_gauge_follows(scene: Scene) -> None:
    born = [await scene.die(org_id) for org_id in ("org_a", "org_a", "org_b")]
    with caller(key="once"):
        chosen = next(event.id for event in await scene.listed() if event.event_id == born[0])
        assert await scene.replay(chosen) == 1
        # The same request again, as a client whose connection broke sends it.
        assert await scene.replay(chosen) == 1
    with caller():
        # What a customer is not shown, a customer cannot search; and a number alone says nothing without its service.
        assert await scene.replay(error="digest") == 0
        [other] = [event.id for event in await scene.listed() if event.id != chosen]
        assert await scene.replay(other.replace(SERVICE, "billing")) == 0
        assert await scene.replay(chosen) == 0
        [waiting] = [event for event in await scene.listed() if event.replaying]
        assert waiting.id == chosen
    scene.patient.error = None
    async with running(scene.consumer("billing")):
        await scene.dead(2)
        await until_gauge(2)
        with operator():
            assert await scene.replay(organization_id="org_b", error="DIGEST") == 1
        await scene.dead(1)
        await until_gauge(1)
    handled = await scene.db.system_fetch("select event_id from effect order by id")
    assert [row["event_id"] for row in handled] == [born[0], born[2]]
    with operator():
        assert [event.event_id for event in await scene.listed()] == [born[1]]


async def test_a_replay_that_fails_again_stays_with_one_try_more(scene: Scene) -> None:
    await scene.die("org_a")
    scene.patient.error = FailedPrecondition("still_broken", "It is still broken.")
    with caller():
        [before] = await scene.listed()
        assert await scene.replay(error="unexpected_error") == 1
    async with running(scene.consumer("billing")):
        await eventually(scene.db, "select count(*) from inbox_dead where tries = 6 and not replay", 1, 30)
    with caller():
        [after] = await scene.listed()
    assert (after.id, after.die_time, after.tries, after.error.code) == (before.id, before.die_time, 6, "still_broken")
    assert await scene.db.system_fetchval("select count(*) from effect") == 0
    assert await scene.db.system_fetchval("select count(*) from inbox_retry") == 0


async def test_what_the_stream_brings_again_and_is_handled_then_is_no_longer_dead(scene: Scene) -> None:
    await scene.die("org_a")
    scene.patient.error = None
    await scene.bus.jetstream.delete_stream(STREAM)
    async with running(scene.relay, scene.consumer("billing")):
        await scene.dead(0)
    assert await scene.db.system_fetchval("select count(*) from effect") == 1


async def test_more_than_a_batch_is_worked_off_without_a_pause(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        await append(scene.db, f"agt_{number}", number)
    await scene.db.system_fetch(
        "insert into inbox_dead (consumer, event_id, org_id, topic, payload, tries, last_error) "
        "select 'billing', event_id, org_id, topic, payload, 5, 'x' from outbox"
    )
    scene.patient.error = None
    with operator():
        assert await scene.replay(consumer="billing") == 40
    # Three batches of 16. A pause before the second or third would be longer than the test waits.
    monkeypatch.setattr("libs.events.delivery.REPLAY_SECONDS", 0.5)
    async with running(scene.consumer("billing")):
        while not await scene.db.system_fetchval("select count(*) from effect"):
            await asyncio.sleep(0.01)
        monkeypatch.setattr("libs.events.delivery.REPLAY_SECONDS", 3600.0)
        await scene.dead(0)
    assert await scene.db.system_fetchval("select count(*) from effect") == 40


async def test_a_replay_that_kills_its_process_again_and_again_is_given_up(scene: Scene) -> None:
    """Each new leader dies in the handler; the count survives it, and an outage does not count."""
    await scene.die("org_a")
    entered = asyncio.Event()

    async def die(conn: Connection, event: ReceivedEvent) -> None:
        entered.set()
        await asyncio.Event().wait()

    with operator():
        assert await scene.replay(consumer="billing") == 1
    deaths = 0
    given_up = "select count(*) from inbox_dead where not replay and error_code = 'process_died'"
    while not await scene.db.system_fetchval(given_up):
        assert deaths < 15
        entered.clear()
        parts = [
            EventConsumer(scene.bus, scene.db, "billing", {TOPIC: die}).run(asyncio.Event()),
            entered.wait(),
            eventually(scene.db, given_up, 1, 30),
        ]
        tasks = [asyncio.create_task(part) for part in parts]
        await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        deaths += 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert deaths > 5
    assert await scene.db.system_fetchval("select count(*) from inbox_retry") == 0


async def test_an_outage_during_a_replay_is_waited_for_and_not_counted(scene: Scene) -> None:
    await scene.die("org_a")
    tries = 0

    async def wait_for_peer(conn: Connection, event: ReceivedEvent) -> None:
        nonlocal tries
        tries += 1
        if tries < 15:
            raise Unavailable("peer_unavailable", "Try again.")
        await keep_effect(conn, event)

    with operator():
        assert await scene.replay(consumer="billing") == 1
    async with running(EventConsumer(scene.bus, scene.db, "billing", {TOPIC: wait_for_peer})):
        await scene.dead(0)
    assert tries == 15


async def test_what_was_no_event_can_be_listed_and_stays_what_it_is(scene: Scene) -> None:
    await ensure_stream(scene.bus, scene.db.settings)
    for body in (b"\xff\xfe", b"[]", b"null"):
        subject = "evt.org_a.agent.agent.updated"
        await scene.bus.jetstream.publish(subject, body, headers={MESSAGE_ID: new_id("evt")})
    with operator():
        async with running(scene.consumer("billing")):
            await scene.dead(3)
            assert {(event.subject, event.tries) for event in await scene.listed()} == {("", 1)}
            assert await scene.replay(consumer="billing") == 3
            await eventually(scene.db, "select count(*) from inbox_dead where tries = 2 and not replay", 3, 30)


async def test_letters_of_the_release_before_get_ids_by_their_death(scene: Scene) -> None:
    """It writes dead letters without an id and without a code."""
    born = []
    insert = "insert into inbox_dead (consumer, event_id, org_id, topic, payload, tries, last_error"
    for minutes in (30, 10, 20):
        event_id = new_id("evt")
        born.append((minutes, event_id))
        await scene.db.system_fetch(
            f"{insert}, died_at, id) values ('billing', $1, 'org_a', $2, 'null', 5, 'x', "
            "now() - $3 * interval '1 minute', "
            "dead_event_id(now() - $3 * interval '1 minute'))",
            event_id, TOPIC, minutes,
        )  # fmt: skip
    newest = new_id("evt")
    await scene.db.system_fetch(
        f"{insert}) values ('billing', $1, 'org_a', $2, 'null', 5, 'x')", newest, TOPIC,
    )  # fmt: skip
    with operator():
        listed = await scene.listed()
    assert [event.event_id for event in listed] == [newest, *(event_id for _, event_id in sorted(born))]
    assert {event.error.code for event in listed} == {"unexpected_error"}
    service, number = read_dead_event_id(listed[0].id) or ("", None)
    assert service == SERVICE
    assert number is not None
    assert (number.version, number.variant) == (7, uuid.RFC_4122)
    assert abs((number.int >> 80) / 1000 - time.time()) < 60


async def until_gauge(expected: int) -> None:
    deadline = time.monotonic() + 30
    while REGISTRY.get_sample_value("events_dead", {"consumer": "billing"}) != expected:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def walk(scene: Scene) -> list[str]:
    """Every id of the caller's list, two rows a page."""
    found: list[str] = []
    page = common_pb2.PageRequest(limit=2, cursor_mode=True)
    while True:
        answer = await scene.servicer.ListDeadEvents(jobs_pb2.ListDeadEventsRequest(page=page), None)
        found += [event.id for event in answer.events]
        if not answer.page_info.has_more:
            return found
        assert len(answer.events) == 2
        page = common_pb2.PageRequest(limit=2, cursor=answer.page_info.next_cursor)


async def test_an_error_whose_text_cannot_be_stored_is_told_without_it(scene: Scene) -> None:
    await scene.die("org_a", error=LookupError("a NUL \0 and half a pair \udc00"))
    [dead] = await scene.db.system_fetch("select last_error from inbox_dead")
    assert dead["last_error"] == "LookupError: a NUL \N{REPLACEMENT CHARACTER} and half a pair ?"
