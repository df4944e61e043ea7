"""Driving realtime in tests: events as its consumer hands them on, SDK clients that write down what they hear."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import centrifuge
import pytest
import websockets
from google.protobuf import json_format

from libs.bus import Bus
from libs.bus.subjects import job_wakeup
from libs.clock import utcnow
from libs.config import load
from libs.crypto import Envelope
from libs.events import Event, ReceivedEvent
from libs.events.topics import TOPICS
from libs.http import OutboundClient
from libs.jobs import Worker
from libs.postgres import Database, Record
from services.realtime.config import RealtimeSettings
from services.realtime.doors.opening import Doors
from services.realtime.jobs import job_handlers
from services.realtime.operations import log_events
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.connection import Connection
from services.realtime.protocol.disconnects import Disconnect
from services.realtime.protocol.tokens import ConnectionTokens, Grant
from services.realtime.protocol.unidirectional import UnidirectionalConnection
from services.realtime.storage.event_log import sweep
from services.realtime.subscribers import Subscribers
from tests.integration.services.realtime.grammar import check_message, check_reason

KEYS = ("k1=" + base64.b64encode(b"k" * 32).decode(),)


@dataclass
class Realtime:
    """What a test drives: the doors, and events as realtime's consumer would hand them on."""

    doors: Doors
    database: Database
    bus: Bus
    tokens: ConnectionTokens
    url: str
    # What the server said against the grammar of the protocol.
    faults: list[str] = field(default_factory=list)

    async def emit(self, org_id: str, topic: str = "call.ended", call_id: str = "call_1", **data: Any) -> str:
        event = _event(org_id, topic, call_id, data)
        received = ReceivedEvent.parse(event.payload().encode())
        async with self.database.system_transaction(org_id) as connection:
            await Subscribers(self.bus).on_events(connection, [received])
        return event.id

    async def emit_together(self, org_id: str, calls: Sequence[str]) -> None:
        """Events of these calls in one batch."""
        events = [ReceivedEvent.of(_event(org_id, "call.ended", call_id, {}).envelope()) for call_id in calls]
        async with self.database.system_transaction(org_id) as connection:
            await Subscribers(self.bus).on_events(connection, events)

    async def emit_unheard(self, org_id: str, topic: str = "call.ended", call_id: str = "call_1", **data: Any) -> None:
        """Log an event and let the bus lose the word of it."""
        event = _event(org_id, topic, call_id, data)
        async with self.database.system_transaction(org_id) as connection:
            await log_events(connection, org_id, [ReceivedEvent.of(event.envelope())])

    async def raw(self, frames: Sequence[bytes]) -> int:
        """Send text frames as they are; the close code."""
        async with websockets.connect(self.url) as socket:
            for frame in frames:
                await socket.send(frame, text=True)
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    await asyncio.wait_for(socket.recv(), 5)
            return socket.close_code or 0

    def watch_frames(self, patch: pytest.MonkeyPatch) -> None:
        """Check each frame and each reason that leaves, and note the faults."""
        send, disconnect = Connection.send, Connection.disconnect

        def checked_send(connection: Connection, batches: Sequence[Batch]) -> None:
            for batch in batches:
                for message in batch.messages:
                    self._note(partial(check_message, message, isinstance(connection, UnidirectionalConnection)))
            send(connection, batches)

        def checked_disconnect(connection: Connection, why: Disconnect) -> None:
            self._note(partial(check_reason, *why))
            disconnect(connection, why)

        patch.setattr(Connection, "send", checked_send)
        patch.setattr(Connection, "disconnect", checked_disconnect)

    def _note(self, check: Callable[[], None]) -> None:
        try:
            check()
        except Exception as error:
            self.faults.append(repr(error))

    def token(self, org_id: str, seconds: float = 300, **changes: Any) -> str:
        grant = Grant(org_id, "usr_1", "ses_1", "", frozenset({"*"}), utcnow() + datetime.timedelta(seconds=seconds))
        return self.tokens.issue(replace(grant, **changes))

    def client(self, org_id: str, **grant: Any) -> Recorder:
        return Recorder(self, org_id, grant)


def _event(org_id: str, topic: str, call_id: str, data: dict[str, Any]) -> Event:
    message = TOPICS[topic].message()
    known = {"callId": call_id, **data} if topic.startswith("call.") else data
    return Event(topic=topic, org_id=org_id, key=call_id, data=json_format.ParseDict(known, message))


class Recorder(centrifuge.ClientEventHandler):  # type: ignore[misc]  # the SDK has no types
    """An SDK client that writes down what happens to it."""

    def __init__(self, realtime: Realtime, org_id: str, grant: dict[str, Any]) -> None:
        self.disconnects: list[int] = []
        self._realtime, self._org_id, self._grant = realtime, org_id, grant
        self.sdk = centrifuge.Client(realtime.url, events=self, get_token=self._get_token, token=self._make_token())

    def _make_token(self) -> str:
        return self._realtime.token(self._org_id, **self._grant)

    async def _get_token(self) -> str:
        self._grant.pop("seconds", None)
        return self._make_token()

    async def on_disconnected(self, context: centrifuge.DisconnectedContext) -> None:
        self.disconnects.append(context.code)

    async def subscribe(self, channel: str) -> Heard:
        heard = Heard()
        heard.subscription = self.sdk.new_subscription(channel, events=heard)
        await heard.subscription.subscribe()
        await asyncio.wait_for(heard.settled.wait(), 5)
        return heard


@dataclass
class Heard(centrifuge.SubscriptionEventHandler):  # type: ignore[misc]  # the SDK has no types
    publications: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    subscribed: list[centrifuge.SubscribedContext] = field(default_factory=list)
    unsubscribed: list[int] = field(default_factory=list)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    subscription: Any = None

    async def on_subscribed(self, context: centrifuge.SubscribedContext) -> None:
        self.subscribed.append(context)
        self.settled.set()

    async def on_unsubscribed(self, context: centrifuge.UnsubscribedContext) -> None:
        self.unsubscribed.append(context.code)
        self.settled.set()

    async def on_publication(self, context: centrifuge.PublicationContext) -> None:
        self.publications.append((context.pub.offset, context.pub.data))

    @property
    def call_ids(self) -> list[str]:
        return [data["data"]["callId"] for _, data in self.publications]


async def emit_and_sweep(realtime: Realtime, org_id: str, count: int) -> list[str]:
    """Events whose retention has passed; their ids."""
    ids = [await realtime.emit(org_id, call_id=f"call_{number}") for number in range(count)]
    async with realtime.database.system_transaction() as connection:
        await connection.execute("update event set created_at = now() - interval '1 year' where org_id = $1", org_id)
        await sweep(connection, utcnow() - datetime.timedelta(days=300), 1_000)
    return ids


Environment = Callable[[str, str], dict[str, str]]


@contextlib.asynccontextmanager
async def working(
    realtime: Realtime, environment: Environment, allow: tuple[str, ...] = (), **changes: Any
) -> AsyncIterator[RealtimeSettings]:
    """A worker of the service, with these settings changed."""
    settings = replace(load(RealtimeSettings, environment("realtime", "unused")), **changes)
    client, stop = OutboundClient(allow), asyncio.Event()
    handlers = job_handlers(settings, Envelope(settings.encryption_keys), client)
    running = asyncio.create_task(Worker(settings, "realtime", realtime.database, realtime.bus, handlers).run(stop))
    try:
        yield settings
    finally:
        stop.set()
        await running
        await client.close()


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition; fails when it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def waiting(realtime: Realtime, job_id: str, attempt: int) -> Record:
    """The job of a delivery, once this attempt of it ended."""
    sql = "select state, attempt, error_code from job where id = $1 and state <> 'running' and attempt = $2"
    async with asyncio.timeout(15):
        while not (row := await realtime.database.system_fetchrow(sql, job_id, attempt)):
            await asyncio.sleep(0.01)
    return row


async def make_due(realtime: Realtime, job_id: str, attempt: int | None = None, hours: int = 0) -> None:
    """The job's next attempt is now, or in so many hours; `attempt` is how many it has behind it."""
    sql = (
        "update job set state = case when $3 = 0 then 'queued' else 'scheduled' end,"
        " run_at = now() + make_interval(hours => $3), attempt = coalesce($2, attempt) where id = $1"
    )
    async with realtime.database.system_transaction() as connection:
        await connection.execute(sql, job_id, attempt, hours)
        await connection.execute(
            "update webhook_delivery set next_attempt_at = now() + make_interval(hours => $3),"
            " tries = coalesce($2, tries) where job_id = $1",
            job_id,
            attempt,
            hours,
        )
        await connection.execute("update webhook_endpoint set hold_until = null")
    await realtime.bus.publish_core(job_wakeup("realtime", "webhooks"))


async def ended(realtime: Realtime, job_id: str) -> Record:
    async with asyncio.timeout(20):
        while not (
            row := await realtime.database.system_fetchrow(
                "select state, result, progress, error_code from job where id = $1 and finished_at is not null", job_id
            )
        ):
            await asyncio.sleep(0.02)
    return row  # fmt: skip
