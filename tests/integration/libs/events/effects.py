"""What the bus tests share: events whose effect is a row, and the wait for it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Protocol

from echosenseix.events.v1.events_pb2 import AgentChanged
from libs.errors import Unavailable
from libs.events import Event, ReceivedEvent, outbox
from libs.postgres import Connection, Database

ORG = "org_a"


async def keep_effect(conn: Connection, event: ReceivedEvent) -> None:
    await conn.execute(
        "insert into effect (org_id, key, event_id, position) values ($1, $2, $3, $4)",
        event.org_id, event.key, event.id, event.read(AgentChanged).version,
    )  # fmt: skip


class Part(Protocol):
    """A relay or a consumer."""

    async def run(self, stop: asyncio.Event) -> None: ...


@contextlib.asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[None]:
    """Relays and consumers at work until the block ends; a part that fails fails the test."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(part.run(stop)) for part in parts]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)


async def append(db: Database, key: str, version: int, org: str = ORG, topic: str = "agent.updated") -> str:
    event = Event(topic, org, key, AgentChanged(agent_id=key, version=version))
    async with db.transaction(org) as conn:
        await outbox.append(conn, event)
    return event.id


async def eventually(db: Database, sql: str, expected: object, seconds: float = 10) -> None:
    """Until the query answers what is expected; an outage of the database is waited for too."""
    deadline = time.monotonic() + seconds
    while (found := await answer(db, sql)) != expected:
        assert time.monotonic() < deadline, f"{sql}: {found} instead of {expected}"
        await asyncio.sleep(0.01)


async def answer(db: Database, sql: str) -> object:
    try:
        return await db.system_fetchval(sql)
    except Unavailable as outage:
        return outage
