"""What a consumer does with one event: apply its effect once, count the tries, write a dead letter, redrive it.

Everything here is PostgreSQL; libs.events.consumer brings the deliveries and acknowledges them.
"""

import asyncio
import itertools
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from libs.batches import Batches, ItemFailed
from libs.bus.feed import Message
from libs.bus.stream import MESSAGE_ID
from libs.errors import Aborted, AppError, DeadlineExceeded, Unavailable
from libs.events import inbox
from libs.events.envelope import ReceivedEvent
from libs.postgres.connection import Connection
from libs.postgres.database import Database
from libs.telemetry import span, use_traceparent
from libs.telemetry.metrics import EVENTS_DEAD, EVENTS_HANDLED

# Tries of an event before it is dead. More: a faulty event delays its key for longer.
MAX_TRIES = 5
# Tries of an event whose handler may kill the process. More than MAX_TRIES, because deployments also interrupt
# handlers.
MAX_DOUBTS = 10
# Seconds before each further try; the last repeats. During an outage the key waits at most 5 s too long.
BACKOFF_SECONDS = (0.1, 0.5, 2.0, 5.0)
# Seconds between looks for events that are marked for redrive.
REPLAY_SECONDS = 5.0

Handler = Callable[[Connection, ReceivedEvent], Awaitable[None]]
BatchHandler = Callable[[Connection, Sequence[ReceivedEvent]], Awaitable[None]]
logger = logging.getLogger(__name__)
_PASSING = (Unavailable, DeadlineExceeded, Aborted)
_PROCESS_DIED = ("process_died", "The process died each time while it handled the event.")


@dataclass(frozen=True, slots=True)
class Together:
    """A handler of several events in one call: all of one organization, in one transaction, no two of one key. When it
    raises, each event is handled alone. What it writes for one of them, it writes under that event's traceparent."""

    handle: BatchHandler


Subscriptions = Mapping[str, Handler | Together]


@dataclass(frozen=True, slots=True)
class Delivery:
    """`event` is None when the message is none; `in_doubt`: another leader had it and did not finish."""

    message: Message
    sequence: int
    event: ReceivedEvent | None
    in_doubt: bool

    @classmethod
    def of(cls, message: Message, doubtful_until: int) -> "Delivery":
        sequence = message.metadata.sequence.stream
        try:
            event = ReceivedEvent.parse(message.data)
        except ValueError:
            event = None
        # The server vouches for the subject (who may publish there), but not for the text.
        if event is not None and message.subject.split(".", 3)[1::2] != [event.org_id, event.topic]:
            event = None
        return cls(message, sequence, event, sequence <= doubtful_until)

    @property
    def event_id(self) -> str:
        return str((self.message.headers or {}).get(MESSAGE_ID, self.sequence))

    @property
    def org_id(self) -> str:
        return self.message.subject.split(".", 3)[1]

    @property
    def topic(self) -> str:
        return self.message.subject.split(".", 3)[3]

    @property
    def ordering_key(self) -> str:
        return f"{self.org_id}/{self.event.key}" if self.event else self.message.subject


class Handling:
    """The handlers of one consumer; at most `worker_concurrency` transactions run at a time."""

    def __init__(self, db: Database, consumer: str, topics: Subscriptions) -> None:
        self._db = db
        self._consumer = consumer
        self._topics = dict(topics)
        self._slots = asyncio.Semaphore(db.settings.worker_concurrency)
        self._batches: Batches[Delivery, str] = Batches(self._together, lambda error: isinstance(error, _PASSING))

    async def handle(self, delivery: Delivery, wanted: Callable[[], bool]) -> bool:
        """Return when it is handled or dead; False when it is no longer wanted before that."""
        if delivery.topic not in self._topics:
            # NATS before 2.10 ignores a list of filters and delivers every event of the stream.
            return True
        # An event that may kill the process, or that failed, takes no other one with it.
        in_doubt = alone = delivery.in_doubt
        for pause in itertools.chain(BACKOFF_SECONDS, itertools.repeat(BACKOFF_SECONDS[-1])):
            try:
                if in_doubt and await self._gave_up_in_doubt(delivery):
                    return True
                in_doubt = False
                if await self._try(delivery, alone):
                    return True
                alone = True
            except _PASSING as error:
                logger.info("%s waits: %s", self._consumer, error.reason)
            await asyncio.sleep(pause)
            if not wanted():
                break
        return False

    async def stop(self) -> None:
        """Abort the transactions that run."""
        await self._batches.stop()

    async def replay_regularly(self) -> None:
        """Handle dead letters that are marked for redrive (inbox_dead.replay), until cancelled."""
        try:
            while True:
                await asyncio.sleep(REPLAY_SECONDS)
                try:
                    await self._replay_wanted()
                except _PASSING as error:
                    logger.info("%s replays later: %s", self._consumer, error.reason)
                except Exception:
                    logger.exception("%s could not replay", self._consumer)
        finally:
            # The next leader counts them.
            EVENTS_DEAD.remove(self._consumer)

    async def _replay_wanted(self) -> None:
        while True:
            async with self._db.system_transaction() as conn:
                EVENTS_DEAD.labels(self._consumer).set(await inbox.count_dead(conn, self._consumer))
                wanted = await inbox.requested_replays(conn, self._consumer)
            if not wanted:
                return
            for event_id, payload in wanted:
                await self._replay(event_id, payload)

    async def _gave_up_in_doubt(self, delivery: Delivery) -> bool:
        """Count the try before it begins, because the event may be what killed the previous leader and may kill this
        one."""
        if await self._note(delivery.event_id, "in doubt") <= MAX_DOUBTS:
            return False
        await self._dead_letter(delivery, *_PROCESS_DIED)
        return True

    async def _try(self, delivery: Delivery, alone: bool) -> bool:
        """Whether it is finished: handled now, handled before, or dead after the last try. Outages are raised."""
        try:
            outcome = await self._effect(delivery, alone)
        except _PASSING:
            raise
        except Exception as error:
            logger.warning("%s failed to handle an event of %s", self._consumer, delivery.topic, exc_info=True)
            code, reason = _described(error)
            if delivery.event is not None and await self._note(delivery.event_id, reason) < MAX_TRIES:
                EVENTS_HANDLED.labels(self._consumer, delivery.topic, "retried").inc()
                return False
            await self._dead_letter(delivery, code, reason)
            return True
        EVENTS_HANDLED.labels(self._consumer, delivery.topic, outcome).inc()
        return True

    async def _effect(self, delivery: Delivery, alone: bool) -> str:
        event = delivery.event
        if event is None:
            raise ValueError("the message is no event")
        if not alone:
            return await self._batches.do(event.org_id, delivery)
        try:
            return (await self._together(event.org_id, [delivery]))[0]
        except ItemFailed as failure:
            raise failure.error from None

    async def _together(self, org_id: str, deliveries: Sequence[Delivery]) -> list[str]:
        """Handle events of one organization in one transaction; "handled" or "duplicate" for each."""
        async with self._slots, self._db.system_transaction(org_id, by_index=True) as conn:
            events = [(delivery.event, delivery.sequence) for delivery in deliveries if delivery.event is not None]
            fresh = await inbox.claim_many(conn, self._consumer, [(event.id, sequence) for event, sequence in events])
            outcomes = []
            shared: defaultdict[Together, list[ReceivedEvent]] = defaultdict(list)
            for position, (event, _) in enumerate(events):
                outcomes.append("handled" if event.id in fresh else "duplicate")
                if event.id in fresh:
                    fresh.discard(event.id)
                    handler = self._topics[event.topic]
                    if isinstance(handler, Together):
                        shared[handler].append(event)
                    else:
                        await self._apply(conn, handler, event, position)
            for together, members in shared.items():
                await self._apply_together(conn, together, members)
        return outcomes

    async def _apply(self, conn: Connection, handler: Handler, event: ReceivedEvent, position: int) -> None:
        try:
            with use_traceparent(event.traceparent), span("consume", kind="consumer", topic=event.topic):
                await handler(conn, event)
        except _PASSING:
            raise
        except Exception as error:
            raise ItemFailed(position, error) from error

    async def _apply_together(self, conn: Connection, handler: Together, events: Sequence[ReceivedEvent]) -> None:
        """What it raises names no event, so that the batch is handled again one by one."""
        first = events[0]
        with (
            use_traceparent(first.traceparent),
            span("consume", kind="consumer", topic=first.topic, events=len(events)),
        ):
            await handler.handle(conn, events)

    async def _note(self, event_id: str, reason: str) -> int:
        async with self._db.system_transaction() as conn:
            return await inbox.note_failure(conn, self._consumer, event_id, reason)

    async def _dead_letter(self, delivery: Delivery, code: str, reason: str) -> None:
        text = _storable(delivery.message.data.decode(errors="replace"))
        payload = text if delivery.event else json.dumps(text)
        event_id, org_id, topic = delivery.event_id, delivery.org_id, delivery.topic
        async with self._db.system_transaction() as conn:
            await inbox.dead_letter(conn, self._consumer, event_id, org_id, topic, payload, reason, code)
        logger.error("%s gave up an event of %s: %s", self._consumer, delivery.topic, reason)
        EVENTS_HANDLED.labels(self._consumer, delivery.topic, "dead").inc()

    async def _replay(self, event_id: str, payload: str) -> None:
        # Counted before it begins. Otherwise a dead letter that kills the process would kill each of its successors
        # too.
        if await self._note(event_id, "replay began") > MAX_DOUBTS:
            await self._keep_dead(event_id, *_PROCESS_DIED)
            return
        try:
            await self._replayed_effect(event_id, payload)
        except _PASSING:
            async with self._db.system_transaction() as conn:
                await inbox.forget_failures(conn, self._consumer, event_id)
            raise
        except Exception as error:
            logger.warning("%s failed to replay an event", self._consumer, exc_info=True)
            await self._keep_dead(event_id, *_described(error))

    async def _replayed_effect(self, event_id: str, payload: str) -> None:
        event = ReceivedEvent.parse(payload.encode())
        async with self._slots, self._db.system_transaction(event.org_id) as conn:
            await inbox.revive(conn, self._consumer, event_id)
            if await inbox.claim(conn, self._consumer, event.id):
                handler = self._topics[event.topic]
                await (handler.handle(conn, [event]) if isinstance(handler, Together) else handler(conn, event))

    async def _keep_dead(self, event_id: str, code: str, reason: str) -> None:
        async with self._db.system_transaction() as conn:
            await inbox.forget_failures(conn, self._consumer, event_id)
            await inbox.keep_dead(conn, self._consumer, event_id, reason, code)


def _described(error: Exception) -> tuple[str, str]:
    """(code, what went wrong). Of an unexpected error the first line: PostgreSQL appends the row, which names people;
    the log has all of it."""
    if isinstance(error, AppError):
        return error.reason, _storable(error.detail)
    return "unexpected_error", _storable(f"{type(error).__name__}: {error}".partition("\n")[0])


def _storable(text: str) -> str:
    """The text without what PostgreSQL rejects: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
