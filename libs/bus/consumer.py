"""Consumers of events: each effect once, in order for each key, whatever dies in between.

A handler runs in a system transaction after the inbox row of its event; the acknowledgement follows the commit. One
process leads per consumer; where it stands is the durable consumer's acknowledgement floor, from which a new leader (or
a new connection) begins again. It must not know what an event means.
"""

import asyncio
import contextlib
import itertools
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from libs.bus.connection import Bus
from libs.bus.events import ReceivedEvent
from libs.bus.feed import Feed, FeedLost
from libs.bus.stream import MESSAGE_ID, StreamState, ensure_stream, message_id_at
from libs.bus.subjects import STREAM, event_filter
from libs.errors import Aborted, DeadlineExceeded, Unavailable
from libs.postgres import inbox
from libs.postgres.connection import Connection
from libs.postgres.database import Database
from libs.postgres.leader import Lease, lead
from libs.telemetry import span, use_traceparent
from libs.telemetry.metrics import EVENTS_HANDLED

IN_FLIGHT = 256
MAX_TRIES = 5
MAX_DOUBTS = 10
BACKOFF_SECONDS = (0.1, 0.5, 2.0, 5.0)
RETRY_SECONDS = 0.2
SETTLE_SECONDS = 5.0
# A leader keeps what it was given until it is done; redelivery comes from beginning again at the floor, not from time.
ACK_WAIT_SECONDS = 3600

Handler = Callable[[Connection, ReceivedEvent], Awaitable[None]]
logger = logging.getLogger(__name__)
_BUS_FAILURES = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError, FeedLost)
_PASSING = (Unavailable, DeadlineExceeded, Aborted)


@dataclass(frozen=True, slots=True)
class _Delivery:
    """`event` is None when the message is none; `in_doubt`: another leader had it and did not finish."""

    message: Msg
    sequence: int
    event: ReceivedEvent | None
    in_doubt: bool

    @property
    def event_id(self) -> str:
        return str((self.message.headers or {}).get(MESSAGE_ID, self.sequence))

    @property
    def topic(self) -> str:
        return self.message.subject.split(".", 3)[3]

    @property
    def ordering_key(self) -> str:
        return f"{self.event.org_id}/{self.event.key}" if self.event else self.message.subject


class EventConsumer:
    """`consumer` names the durable and the inbox ("billing"); `topics` maps a topic to its handler."""

    def __init__(self, bus: Bus, db: Database, consumer: str, topics: Mapping[str, Handler]) -> None:
        self._bus = bus
        self._db = db
        self._consumer = consumer
        self._topics = dict(topics)
        self._filters = [event_filter(topic) for topic in self._topics]
        self._slots = asyncio.Semaphore(db.settings.worker_concurrency)
        self._keys: dict[str, deque[_Delivery]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._held = 0
        self._freed = asyncio.Event()
        self._doubtful_until = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop, while leading; any number of processes may run the same consumer."""
        await lead(self._db.settings, f"consumer.{self._consumer}", lambda lease: self._lead(lease, stop), stop)

    async def _lead(self, lease: Lease, stop: asyncio.Event) -> None:
        grace = 0.0
        try:
            while not stop.is_set() and not lease.lost.is_set():
                if not await self._bus.wait_connected(1.0):
                    continue
                try:
                    await self._attach()
                    await self._consume(stop)
                except _BUS_FAILURES as error:
                    logger.info("%s attaches again: %s %s", self._consumer, type(error).__name__, error)
                    await self._settle(SETTLE_SECONDS)
                    await asyncio.sleep(RETRY_SECONDS)
            grace = SETTLE_SECONDS
        finally:
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
        """Forget what has not begun (the floor brings it again) and let what has begun end, or cancel it."""
        for waiting in self._keys.values():
            waiting.clear()
        if self._running and grace:
            await asyncio.wait(self._running, timeout=grace)
        slow = list(self._running)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        self._keys.clear()
        self._held = 0
        self._freed.set()

    def _dispatch(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        delivery = _Delivery(message, sequence, _parse(message), sequence <= self._doubtful_until)
        self._held += 1
        waiting = self._keys.get(delivery.ordering_key)
        if waiting is not None:
            waiting.append(delivery)
            return
        self._keys[delivery.ordering_key] = waiting = deque([delivery])
        task = asyncio.create_task(self._handle_key(delivery.ordering_key, waiting))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle_key(self, key: str, waiting: deque[_Delivery]) -> None:
        """One key's deliveries, one after the other; another key's wait for nothing but a slot."""
        while waiting:
            if await self._handle(waiting):
                waiting.popleft()
            self._held -= 1
            self._freed.set()
        if self._keys.get(key) is waiting:
            del self._keys[key]

    async def _handle(self, waiting: deque[_Delivery]) -> bool:
        """Until the first delivery is handled or given up; False when all were settled away meanwhile."""
        delivery = waiting[0]
        in_doubt = delivery.in_doubt
        for pause in itertools.chain(BACKOFF_SECONDS, itertools.repeat(BACKOFF_SECONDS[-1])):
            try:
                if in_doubt:
                    # Counted before it begins, in case it is what ended the other leader and ends this one too.
                    if await self._note(delivery, "in doubt") > MAX_DOUBTS:
                        await self._bury(delivery, "the process died while handling it")
                        return await self._done(delivery)
                    in_doubt = False
                if await self._try(delivery):
                    return await self._done(delivery)
            except _PASSING as error:
                logger.info("%s waits: %s", self._consumer, error.reason)
            await asyncio.sleep(pause)
            if not waiting:
                break
        return False

    async def _try(self, delivery: _Delivery) -> bool:
        """Whether it is dealt with: handled, known, or given up after the last try. Outages are raised."""
        try:
            outcome = await self._effect(delivery)
        except _PASSING:
            raise
        except Exception as error:
            logger.warning("%s failed to handle an event of %s", self._consumer, delivery.topic, exc_info=True)
            reason = f"{type(error).__name__}: {error}"
            if delivery.event is not None and await self._note(delivery, reason) < MAX_TRIES:
                EVENTS_HANDLED.labels(self._consumer, delivery.topic, "retried").inc()
                return False
            await self._bury(delivery, reason)
            outcome = "dead"
        EVENTS_HANDLED.labels(self._consumer, delivery.topic, outcome).inc()
        return True

    async def _effect(self, delivery: _Delivery) -> str:
        event = delivery.event
        if event is None:
            raise ValueError("the message is no event")
        handler = self._topics[event.topic]
        async with self._slots:
            with use_traceparent(event.traceparent), span("consume", kind="consumer", topic=event.topic):
                async with self._db.system_transaction(event.org_id) as conn:
                    if not await inbox.claim(conn, self._consumer, event.id, delivery.sequence):
                        return "duplicate"
                    await handler(conn, event)
        return "handled"

    async def _note(self, delivery: _Delivery, reason: str) -> int:
        async with self._db.system_transaction() as conn:
            return await inbox.note_failure(conn, self._consumer, delivery.event_id, reason)

    async def _bury(self, delivery: _Delivery, reason: str) -> None:
        _, org_id, _, topic = delivery.message.subject.split(".", 3)
        text = delivery.message.data.decode(errors="replace")
        payload = text if delivery.event else json.dumps(text)
        async with self._db.system_transaction() as conn:
            await inbox.bury(conn, self._consumer, delivery.event_id, org_id, topic, payload, reason)
        logger.error("%s gave up an event of %s: %s", self._consumer, topic, reason)

    async def _done(self, delivery: _Delivery) -> bool:
        """A lost acknowledgement brings the event again, and the inbox knows it."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await delivery.message.ack()
        return True

    async def _attach(self) -> None:
        """Make the durable begin at the first event that this consumer has not acknowledged."""
        stream = await ensure_stream(self._bus, self._db.settings)
        start = 0
        try:
            info = await self._bus.jetstream.consumer_info(STREAM, self._consumer)
        except nats.js.errors.NotFoundError:
            pass
        else:
            if await self._stream_is_ours(stream):
                start = info.ack_floor.stream_seq + 1
            self._doubtful_until = info.delivered.stream_seq
            await self._bus.jetstream.delete_consumer(STREAM, self._consumer)
        await self._bus.jetstream.add_consumer(STREAM, self._config(start))

    async def _stream_is_ours(self, stream: StreamState) -> bool:
        """Whether the furthest event that was handled is still where it was; if not, everything is read again."""
        async with self._db.system_transaction() as conn:
            last = await inbox.last_position(conn, self._consumer)
        if last is None or last[1] < stream.first_seq:
            return True
        return await message_id_at(self._bus, last[1]) == last[0]

    def _config(self, start: int) -> ConsumerConfig:
        position: dict[str, Any] = {"deliver_policy": DeliverPolicy.ALL}
        if start > 1:
            position = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": start}
        return ConsumerConfig(
            durable_name=self._consumer,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            max_deliver=-1,
            max_ack_pending=2 * IN_FLIGHT,
            filter_subjects=self._filters,
            **position,
        )


def _parse(message: Msg) -> ReceivedEvent | None:
    try:
        return ReceivedEvent.parse(message.data)
    except ValueError:
        return None
