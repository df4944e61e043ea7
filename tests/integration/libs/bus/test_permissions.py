"""Who may say what over a NATS server configured as `make up` and the cluster configure theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import nats.errors
import pytest
import pytest_asyncio

from libs.bus import Bus, feed, stream, subjects
from libs.config import ServiceSettings
from libs.events.topics import TOPICS
from local.runner.accounts import bus_users
from local.runner.keys import Keys
from local.runner.topology import with_login
from local.stores import Stores
from suite.services import SERVICES

FORGED = {"specversion": "1.0", "type": "call.ended", "orgid": "org_1", "data": {}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> AsyncIterator[Stores]:
    """A server of its own: other tests fill the shared one's stream."""
    async with Stores(tmp_path_factory.mktemp("broker"), parts=["nats"], bus_users=bus_users(keys)) as running:
        yield running


def url_of(broker: Stores, keys: Keys, service: str) -> str:
    return with_login(broker.nats_url, service, keys.bus_password(service))


async def opened(broker: Stores, keys: Keys, service: str) -> Bus:
    bus = await Bus.connect(url_of(broker, keys, service), service)
    assert await bus.wait_connected(10)
    return bus


class User:
    """A login of NATS, over its text protocol: the server answers each operation before the ping that follows it."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    async def connect(self) -> User:
        self._reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        await self._reader.readline()
        login = {"user": self._url.username, "pass": self._url.password, "verbose": False, "pedantic": False}
        self._writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\n")
        assert await self._was_allowed()
        return self

    async def refusal(self) -> bytes:
        """What the server says to this login before it hangs up."""
        self._reader, self._writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        login = {"user": self._url.username or "", "pass": self._url.password or "", "verbose": False}
        self._writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
        async with asyncio.timeout(20):
            said = await self._reader.read()
        self.close()
        return said

    async def publish(self, subject: str, data: bytes = b"{}") -> bool:
        """Whether the server took it."""
        self._writer.write(f"PUB {subject} {len(data)}\r\n".encode() + data + b"\r\n")
        return await self._was_allowed()

    async def subscribe(self, subject: str) -> bool:
        self._writer.write(f"SUB {subject} 1\r\n".encode())
        return await self._was_allowed()

    async def _was_allowed(self) -> bool:
        self._writer.write(b"PING\r\n")
        answers: list[bytes] = []
        async with asyncio.timeout(20):
            while not (answers and answers[-1].startswith(b"PONG")):
                answers.append(await self._reader.readline())
                assert answers[-1], answers
        refusals = [answer for answer in answers if answer.startswith(b"-ERR")]
        assert all(b"Permissions Violation" in refusal for refusal in refusals)
        return not refusals

    def close(self) -> None:
        self._writer.close()


@pytest.mark.parametrize("login", ["", "agent:wrong@", "stranger:stranger@"])
async def test_no_one_connects_without_a_login(broker: Stores, login: str) -> None:
    user = User(f"nats://{login}{broker.nats_url.rpartition('@')[2]}")
    assert b"Authorization Violation" in await user.refusal()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_publishes_its_own_events_and_no_others(broker: Stores, keys: Keys, service: str) -> None:
    user = await User(url_of(broker, keys, service)).connect()
    for topic, entry in TOPICS.items():
        for owner in SERVICES:
            may = owner == service and entry.service in ("", service)
            assert await user.publish(subjects.event_subject("org_1", owner, topic)) is may, (owner, topic)
    user.close()


@pytest.mark.parametrize("service", [service for service in SERVICES if service != "calllog"])
async def test_a_forged_call_ended_never_reaches_the_stream(broker: Stores, keys: Keys, service: str) -> None:
    bus = await opened(broker, keys, service)
    subject = subjects.event_subject("org_1", "calllog", "call.ended")
    before = await stream.ensure_stream(bus, ServiceSettings())
    with pytest.raises((nats.errors.Error, TimeoutError)):
        await stream.publish(bus, subject, json.dumps(FORGED).encode(), "evt_forged")
    after = await stream.ensure_stream(bus, ServiceSettings())
    await bus.close()
    assert after.last_seq == before.last_seq


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_hears_neither_events_nor_other_services(broker: Stores, keys: Keys, service: str) -> None:
    user = await User(url_of(broker, keys, service)).connect()
    other = next(name for name in SERVICES if name != service)
    closed = (
        ">", "evt.>", subjects.event_filter(other, "*"), subjects.outbox_wakeup(other), subjects.job_wakeup(other, ">"),
        "_INBOX.>", f"{subjects.inbox_prefix(other)}.>", "$JS.>", "$SYS.>",
    )  # fmt: skip
    for subject in closed:
        assert not await user.subscribe(subject), subject
    assert await user.subscribe(subjects.outbox_wakeup(service))
    assert await user.subscribe(subjects.job_wakeup(service, "default"))
    user.close()


@pytest.mark.parametrize("service", [service for service in SERVICES if service != "realtime"])
async def test_realtime_alone_tells_and_hears_listeners(broker: Stores, keys: Keys, service: str) -> None:
    user = await User(url_of(broker, keys, service)).connect()
    told = subjects.realtime_publication("org_1", "calls")
    assert not await user.publish(told)
    assert not await user.publish(subjects.REALTIME_REVOKED)
    assert not await user.subscribe(told)
    assert not await user.subscribe(subjects.jobs_progress("org_1", "job_1"))
    user.close()


async def test_no_one_changes_the_stream_or_anothers_consumer(broker: Stores, keys: Keys) -> None:
    user = await User(url_of(broker, keys, "agent")).connect()
    requests = (
        "STREAM.UPDATE.EVENTS", "STREAM.DELETE.EVENTS", "STREAM.PURGE.EVENTS", "STREAM.MSG.DELETE.EVENTS",
        "STREAM.CREATE.OTHER", "CONSUMER.DELETE.EVENTS.billing", "CONSUMER.MSG.NEXT.EVENTS.billing",
        "CONSUMER.CREATE.EVENTS.billing",
    )  # fmt: skip
    for request in requests:
        assert not await user.publish(f"$JS.API.{request}"), request
    assert not await user.publish("$JS.ACK.EVENTS.billing.1.1.1.1.0")
    user.close()


async def test_events_flow_from_their_owner_to_a_consumer_that_listens(broker: Stores, keys: Keys) -> None:
    calllog, billing = await opened(broker, keys, "calllog"), await opened(broker, keys, "billing")
    state = await stream.ensure_stream(calllog, ServiceSettings())
    await feed.begin(billing, "billing", [subjects.event_filter("calllog", "call.ended")], state.last_seq + 1, 10)
    async with feed.Feed.open(billing, "billing") as messages:
        sequence = await stream.publish(
            calllog, subjects.event_subject("org_1", "calllog", "call.ended"), json.dumps(FORGED).encode(), "evt_1"
        )
        message = None
        while message is None:
            message = await messages.next(1)
        await feed.acknowledge(message)
    assert message.metadata.sequence.stream == sequence
    assert await stream.message_id_at(billing, sequence) == "evt_1"
    await calllog.close()
    await billing.close()
