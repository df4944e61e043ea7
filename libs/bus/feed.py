"""A durable pull consumer: its position, and its messages as a flow.

One request for a batch stays open, so a message comes when it is published. nats-py's own `fetch` waits for the whole
batch or its timeout; this sends the same request (JetStream API, CONSUMER.MSG.NEXT) and hands over each
message at once.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from libs.bus.connection import Bus
from libs.bus.subjects import STREAM

# Seconds that a request for messages stays open. Shorter: more requests while idle.
EXPIRES_SECONDS = 30.0
# Seconds between the server's signs of life. Two missed ones mean that the feed is lost, so this bounds detection to 4
# s.
HEARTBEAT_SECONDS = 2.0
# A leader keeps a message until it is handled. Redelivery comes from a restart at the acknowledgement floor, not from a
# timer.
ACK_WAIT_SECONDS = 3600
# Nanoseconds in a second: JetStream's unit of time.
_NANOSECONDS = 1_000_000_000
_EXHAUSTED = ("404", "408")
_HEARTBEAT = "100"
Message = Msg


class FeedLost(Exception):
    """The consumer or the connection to it is lost. Attach again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`floor`: all up to this sequence is acknowledged; `delivered`: the last sequence that was delivered."""

    floor: int
    delivered: int


async def standing(bus: Bus, consumer: str) -> Standing | None:
    """None when there is no durable of that name."""
    try:
        info = await bus.jetstream.consumer_info(STREAM, consumer)
    except nats.js.errors.NotFoundError:
        return None
    return Standing(info.ack_floor.stream_seq, info.delivered.stream_seq)


async def begin(bus: Bus, consumer: str, filters: Sequence[str], start: int, in_flight: int) -> None:
    """Create the durable again, so that it delivers from sequence `start`; at most `in_flight` are unacknowledged."""
    if await standing(bus, consumer) is not None:
        await bus.jetstream.delete_consumer(STREAM, consumer)
    position: dict[str, Any] = {"deliver_policy": DeliverPolicy.ALL}
    if start > 1:
        position = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": start}
    config = ConsumerConfig(
        durable_name=consumer,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,
        max_ack_pending=in_flight,
        filter_subjects=list(filters),
        **position,
    )
    await bus.jetstream.add_consumer(STREAM, config)


async def acknowledge(message: Msg) -> None:
    """Best effort: a lost acknowledgement brings the message again."""
    with contextlib.suppress(nats.errors.Error, OSError):
        await message.ack()


class Feed:
    """Messages of one consumer; `capacity` bounds how many are asked for at a time."""

    def __init__(self, bus: Bus, consumer: str) -> None:
        self._bus = bus
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._inbox = bus.client.new_inbox()
        self._asked = 0
        self._generation = bus.generation

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, bus: Bus, consumer: str) -> AsyncIterator["Feed"]:
        feed = cls(bus, consumer)
        subscription = await bus.client.subscribe(feed._inbox, cb=feed._arrived.put)
        try:
            yield feed
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    def interrupt(self) -> None:
        """Let `next` return None soon."""
        self._arrived.put_nowait(None)

    async def next(self, capacity: int) -> Msg | None:
        """The next message, or None after a heartbeat or an interruption. Raises FeedLost."""
        if self._asked <= 0 and self._arrived.empty():
            await self._ask(capacity)
        message = await self._next_arrived()
        if self._generation != self._bus.generation:
            raise FeedLost("reconnected")
        if message is None:
            return None
        status = None if message.reply else (message.headers or {}).get("Status")
        if status is None:
            self._asked -= 1
            return message
        if status in _EXHAUSTED:
            self._asked = 0
        elif status != _HEARTBEAT:
            raise FeedLost(f"status {status}")
        return None

    async def _next_arrived(self) -> Msg | None:
        with contextlib.suppress(asyncio.QueueEmpty):
            return self._arrived.get_nowait()
        try:
            async with asyncio.timeout(2 * HEARTBEAT_SECONDS):
                return await self._arrived.get()
        except TimeoutError:
            raise FeedLost("no heartbeat") from None

    async def _ask(self, capacity: int) -> None:
        request = {
            "batch": capacity,
            "expires": int(EXPIRES_SECONDS * _NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * _NANOSECONDS),
        }
        await self._bus.client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox)
        self._asked = capacity
