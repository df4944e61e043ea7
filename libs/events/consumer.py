"""Consumers of events: each effect once, in order for each key, also when a process or a store fails.

One process leads per consumer. Its position is the durable consumer's acknowledgement floor; a new leader or a new
connection starts there. The acknowledgement follows the commit. It must not know what an event means.
"""

import asyncio
import logging
from collections import deque

from libs.bus import FAILURES, Bus
from libs.bus import feed as feeds
from libs.bus.feed import Feed, FeedLost, Message
from libs.bus.stream import StreamState, ensure_stream, message_id_at
from libs.bus.subjects import event_filter
from libs.events import inbox
from libs.events.delivery import Delivery, Handling, Subscriptions
from libs.events.topics import TOPICS
from libs.postgres.database import Database
from libs.postgres.leader import Lease, lead

# Unacknowledged messages. More: more parallel keys, and more events to skip after a restart at the floor.
IN_FLIGHT = 256
# Seconds before a consumer attaches again after a failure.
RETRY_SECONDS = 0.2
# Seconds that running handlers have to end at shutdown, out of a drain of 20 s.
SETTLE_SECONDS = 5.0

logger = logging.getLogger(__name__)
_INTERRUPTIONS: tuple[type[Exception], ...] = (*FAILURES, FeedLost)


class EventConsumer:
    """`consumer` names the durable and the inbox ("billing"); `topics` maps a topic to its handler."""

    def __init__(self, bus: Bus, db: Database, consumer: str, topics: Subscriptions) -> None:
        self._bus = bus
        self._db = db
        self._consumer = consumer
        self._handling = Handling(db, consumer, topics)
        self._filters = [event_filter(TOPICS[topic].service, topic) for topic in topics]
        self._keys: dict[str, deque[Delivery]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._held = 0
        self._freed = asyncio.Event()
        self._doubtful_until = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop, while leading; any number of processes may run the same consumer."""
        await lead(self._db.settings, f"consumer.{self._consumer}", lambda lease: self._lead(lease, stop), stop)

    async def _lead(self, lease: Lease, stop: asyncio.Event) -> None:
        grace = 0.0
        replaying = asyncio.create_task(self._handling.replay_regularly())
        try:
            while not stop.is_set() and not lease.lost.is_set():
                if not await self._bus.wait_connected(1.0):
                    continue
                try:
                    await self._attach()
                    await self._consume(stop)
                except _INTERRUPTIONS as error:
                    logger.info("%s attaches again: %s %s", self._consumer, type(error).__name__, error)
                    await self._settle(SETTLE_SECONDS)
                    await asyncio.sleep(RETRY_SECONDS)
            grace = SETTLE_SECONDS
        finally:
            replaying.cancel()
            await self._settle(grace)

    async def _consume(self, stop: asyncio.Event) -> None:
        async with Feed.open(self._bus, self._consumer) as feed:
            watching = asyncio.create_task(self._interrupt_on(stop, feed))
            try:
                while not stop.is_set():
                    while self._held >= IN_FLIGHT and not stop.is_set():
                        self._freed.clear()
                        await self._freed.wait()
                    message = await feed.next(max(1, IN_FLIGHT - self._held))
                    if message is not None:
                        self._dispatch(message)
            finally:
                watching.cancel()

    async def _interrupt_on(self, stop: asyncio.Event, feed: Feed) -> None:
        await stop.wait()
        self._freed.set()
        feed.interrupt()

    async def _settle(self, grace: float) -> None:
        """Drop deliveries that have not begun, because the floor redelivers them. Let the others end, or cancel
        them."""
        for waiting in self._keys.values():
            waiting.clear()
        if self._running and grace:
            await asyncio.wait(self._running, timeout=grace)
        slow = list(self._running)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        await self._handling.stop()
        self._keys.clear()
        self._held = 0
        self._freed.set()

    def _dispatch(self, message: Message) -> None:
        delivery = Delivery.of(message, self._doubtful_until)
        self._held += 1
        waiting = self._keys.get(delivery.ordering_key)
        if waiting is not None:
            waiting.append(delivery)
            return
        self._keys[delivery.ordering_key] = waiting = deque([delivery])
        task = asyncio.create_task(self._handle_key(delivery.ordering_key, waiting))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle_key(self, key: str, waiting: deque[Delivery]) -> None:
        """Deliveries of one key run one after the other. Those of other keys wait only for a slot."""
        while waiting:
            delivery = waiting[0]
            if await self._handling.handle(delivery, lambda: bool(waiting)):
                await feeds.acknowledge(delivery.message)
            if waiting:
                waiting.popleft()
            self._held -= 1
            self._freed.set()
        if self._keys.get(key) is waiting:
            del self._keys[key]

    async def _attach(self) -> None:
        """Make the durable begin at the first event that this consumer has not acknowledged."""
        stream = await ensure_stream(self._bus, self._db.settings)
        start = self._doubtful_until = 0
        if stands := await feeds.standing(self._bus, self._consumer):
            if await self._stream_is_ours(stream):
                start = stands.floor + 1
            self._doubtful_until = stands.delivered
        await feeds.begin(self._bus, self._consumer, self._filters, start, 2 * IN_FLIGHT)

    async def _stream_is_ours(self, stream: StreamState) -> bool:
        """Whether the furthest event that was handled is still where it was; if not, everything is read again."""
        async with self._db.system_transaction() as conn:
            last = await inbox.last_position(conn, self._consumer)
        if last is None or last[1] < stream.first_seq:
            return True
        return await message_id_at(self._bus, last[1]) == last[0]
