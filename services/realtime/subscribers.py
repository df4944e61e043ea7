"""Realtime subscribes to every event of the suite. Each is written to the event log and, after the commit, published to
the instances with sockets. A few have further effects: owners are stored, and get a mail when credit runs low.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from libs.bus import Bus, subjects
from libs.events import EventConsumer, ReceivedEvent
from libs.postgres import Connection, Database, after_commit
from services.realtime import operations
from services.realtime.domain import letters
from services.realtime.domain.history import Published
from services.realtime.protocol.hearing import LOGGED_TOPICS
from services.realtime.protocol.hub import encode_publication, publication_subject
from services.realtime.protocol.revocation import revocation
from services.realtime.storage import owners

Handler = Callable[[Connection, ReceivedEvent], Awaitable[None]]


def consumer(bus: Bus, database: Database) -> EventConsumer:
    handler = event_handler(bus)
    return EventConsumer(bus, database, "realtime", dict.fromkeys(LOGGED_TOPICS, handler))


def event_handler(bus: Bus) -> Handler:
    async def on_event(connection: Connection, event: ReceivedEvent) -> None:
        places = await operations.log_event(connection, event.org_id, event.envelope, event.time)
        await _react(connection, event)

        async def tell() -> None:
            await _publish(bus, event, places)

        after_commit(connection, tell)

    return on_event


async def _react(connection: Connection, event: ReceivedEvent) -> None:
    data = event.data
    if event.topic == letters.CREDIT_LOW:
        values = {"availableMicros": str(data.get("availableMicros", 0)), "currency": str(data.get("currency", ""))}
        await operations.write_to_owners(connection, event.org_id, letters.CREDIT_LOW, values, about=event.org_id)
    elif event.topic == "user.created" and data.get("role") == "owner":
        await owners.remember(connection, event.org_id, data["userId"], data["email"])


async def _publish(bus: Bus, event: ReceivedEvent, places: list[tuple[str, Published]]) -> None:
    """These messages may be lost: listeners find the gap and read the log."""
    for channel, published in places:
        await bus.publish_core(publication_subject(event.org_id, channel), encode_publication(published))
    if message := revocation(event.topic, event.org_id, event.data, event.time):
        await bus.publish_core(subjects.REALTIME_REVOKED, json.dumps(message).encode())
