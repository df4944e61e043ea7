"""The relay: publishes the outbox of one service to JetStream, in order for each key, by one leader.

At least once: it publishes outside any transaction and marks when it reads the next batch. The event's id removes
duplicates within the stream's window and the inbox all others. It also republishes what a lost, recreated or truncated
stream no longer holds. No other code publishes events.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from libs.batches import Pace
from libs.bus import FAILURES, Bus
from libs.bus.stream import StreamState, ensure_stream, message_id_at, publish
from libs.bus.subjects import outbox_wakeup
from libs.config import ServiceSettings
from libs.events import outbox
from libs.postgres import retention
from libs.postgres.leader import Lease, lead
from libs.telemetry.metrics import OUTBOX_LAG_SECONDS, OUTBOX_PUBLISHED

# Rows per batch. 85 µs of CPU per event at 256; a smaller batch costs more statements.
BATCH = 256
# What is committed between two rounds is published together, and handled together by its consumers. More: fewer
# transactions, and later events. The first event after a rest does not wait.
PACE = Pace(alone=4.0, rounds=4.0, least=0.005, most=0.15)
# Seconds between looks without a wake-up, at first. They bound the delay when a core message is lost, which happens
# around a reconnect: after one the looks are frequent again.
POLL_SECONDS = 1.0
# Seconds between them when several in a row found nothing.
LONGEST_POLL_SECONDS = 4.0
# Seconds for which a mark waits to be written with the next events that are read. Longer: a new leader publishes more
# for a second time, which consumers skip.
MARK_SECONDS = 0.25
# Seconds between comparisons of the stream with the rows, beside those after a reconnect. It bounds how late a stream
# is noticed that was deleted on a server that went on.
VERIFY_SECONDS = 15.0
# Seconds before the next try while NATS or PostgreSQL is away.
RETRY_SECONDS = 0.2

logger = logging.getLogger(__name__)
Beside = Callable[[Lease], Coroutine[Any, Any, None]]


class OutboxRelay:
    """`run` until told to stop; any number of processes may run one, one of them leads."""

    def __init__(self, settings: ServiceSettings, service: str, bus: Bus, *beside: Beside) -> None:
        """`beside`: further tasks of the leader, cancelled when the leadership ends."""
        self._settings = settings
        self._service = service
        self._bus = bus
        self._beside = (retention.sweep_regularly, *beside)
        self._wake = asyncio.Event()
        self._stream: StreamState | None = None
        self._generation = -1
        self._verified_at = 0.0
        # What the stream of this epoch took, by row, and is not marked yet.
        self._epoch: datetime | None = None
        self._taken: dict[int, int] = {}
        self._carried = 0
        self._poll = POLL_SECONDS

    async def run(self, stop: asyncio.Event) -> None:
        subscription = await self._bus.subscribe_core(outbox_wakeup(self._service), self._on_wake)
        forget = self._bus.on_connect(self._wake.set)
        try:
            await lead(self._settings, f"relay.{self._service}", lambda lease: self._lead(lease, stop), stop)
        finally:
            forget()
            await subscription.unsubscribe()

    def _on_wake(self, subject: str, data: bytes) -> None:
        self._wake.set()

    async def _lead(self, lease: Lease, stop: asyncio.Event) -> None:
        self._stream = None
        # What another leader left unmarked is published again; the event's id removes the second copy.
        self._taken = {}
        async with lease.connection() as conn:
            # A mark is no promise: what a crash of the server takes back is published again, and the event's id removes
            # the second copy. Without the wait for the disk a round is shorter, and so is the pace that follows it.
            await conn.execute("set synchronous_commit = off")
        tasks = [asyncio.ensure_future(run(lease)) for run in self._beside]
        try:
            loop = asyncio.get_running_loop()
            while not stop.is_set():
                self._wake.clear()
                began = loop.time()
                more = await self._step(lease)
                next_at = began + PACE.after(loop.time() - began, self._carried)
                if not more:
                    await self._rest(stop, MARK_SECONDS if self._taken else self._next_poll())
                    await asyncio.sleep(next_at - loop.time())
            await self._read(lease)
        finally:
            OUTBOX_LAG_SECONDS.set(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _step(self, lease: Lease) -> bool:
        """Publish one batch; whether another batch may be ready."""
        rows = await self._read(lease)
        self._carried = len(rows)
        OUTBOX_LAG_SECONDS.set(rows[0].age_seconds if rows else 0)
        if not await self._bus.wait_connected(POLL_SECONDS):
            return False
        try:
            if await self._reopened(lease):
                return True  # their ids are lower than those of the rows that were read
            if self._stream is None or not rows:
                return False
            return await self._publish_batch(self._stream.epoch, rows)
        except FAILURES as error:
            logger.warning("events wait in the outbox: %s", type(error).__name__)
            self._stream = None
            await asyncio.sleep(RETRY_SECONDS)
            return False

    async def _read(self, lease: Lease) -> list[outbox.OutboxRow]:
        """The next batch. The same statement marks the one before, so that a round is one commit."""
        async with lease.connection() as conn:
            rows = await outbox.read_unpublished(conn, BATCH, self._epoch, self._taken)
        self._taken = {}
        return rows

    def _next_poll(self) -> float:
        """Seconds until the next look, which grow while the looks find nothing."""
        self._poll = POLL_SECONDS if self._carried else min(LONGEST_POLL_SECONDS, self._poll * 2)
        return self._poll

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait until something is committed, at most so long."""
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._wake.is_set():
            self._poll = POLL_SECONDS

    async def _publish_batch(self, epoch: datetime, rows: Sequence[outbox.OutboxRow]) -> bool:
        chains: dict[tuple[str, str], list[outbox.OutboxRow]] = defaultdict(list)
        for row in rows:
            chains[row.org_id, row.key].append(row)
        taken = self._taken
        self._epoch = epoch
        # Within a key the next event is sent when the one before it is acknowledged, so no failure can turn them round.
        failures = await asyncio.gather(*(self._publish_chain(chain, taken) for chain in chains.values()))
        OUTBOX_PUBLISHED.inc(len(taken))
        if failure := next(filter(None, failures), None):
            raise failure
        return len(rows) == BATCH

    async def _publish_chain(self, chain: list[outbox.OutboxRow], taken: dict[int, int]) -> Exception | None:
        for row in chain:
            try:
                taken[row.id] = await publish(self._bus, row.subject, row.payload.encode(), row.event_id)
            except FAILURES as error:
                return error
        return None

    async def _reopened(self, lease: Lease) -> int:
        """After a reconnect, and every few seconds, compare the stream with the rows; how many it has lost."""
        now = asyncio.get_running_loop().time()
        fresh = self._generation == self._bus.generation and now - self._verified_at < VERIFY_SECONDS
        if self._stream is None or not fresh:
            self._generation = self._bus.generation
            stream = await ensure_stream(self._bus, self._settings)
            lost = await self._reopen_lost(lease, stream)
            self._stream, self._verified_at = stream, now
            return lost
        return 0

    async def _reopen_lost(self, lease: Lease, stream: StreamState) -> int:
        async with lease.connection() as conn:
            lost = await outbox.reopen_other_epochs(conn, stream.epoch)
        if (intact := await self._intact_until(lease, stream)) is not None:
            async with lease.connection() as conn:
                lost += await outbox.reopen_after(conn, stream.epoch, intact)
        if lost:
            logger.warning("the stream lost events: %d are published again", lost)
        return lost

    async def _intact_until(self, lease: Lease, stream: StreamState) -> int | None:
        """None when the newest row is where the stream took it; else the sequence of the newest one that is."""
        skip = 0
        while True:
            async with lease.connection() as conn:
                newest = await outbox.newest_published(conn, stream.epoch, skip)
            if newest is None:
                return 0 if skip else None
            event_id, sequence = newest
            aged_out = sequence < stream.first_seq
            if aged_out or (sequence <= stream.last_seq and await message_id_at(self._bus, sequence) == event_id):
                return sequence if skip else None
            skip = skip * 2 or 1
