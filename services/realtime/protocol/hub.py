"""Fan-out inside one instance: which listeners want which channel, in order and without gaps.

An instance subscribes to a channel on the bus only while a local client listens to it. Offsets are assigned under a row
lock, so a publication is readable in the log before the next one has a number: a gap is filled by reading the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Protocol

from google.protobuf.json_format import ParseDict

from echosenseix.events.v1 import events_pb2
from libs.bus import Bus, subjects
from libs.bus.connection import CoreSubscription
from libs.events import Event
from libs.telemetry import metrics
from services.realtime.domain.channels import is_of_jobs, is_positioned
from services.realtime.domain.history import History, Published
from services.realtime.protocol.announcements import Announcements, Key
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.messages import encode_push

_log = logging.getLogger(__name__)

# Seconds between comparisons with the log. It bounds how late a lost last publication arrives.
POSITION_CHECK_SECONDS = 25.0
# Seconds in which publications to a socket are collected into one write. Longer: fewer writes, later delivery.
_FLUSH_SECONDS = 0.0015

_NO_POSITION = Published(0, b"")

ReadHistory = Callable[[str, str, int, int], Awaitable[History]]
ReadTops = Callable[[Iterable[Key]], Awaitable[dict[Key, int]]]


def publication_subject(org_id: str, channel: str) -> str:
    """Names hold no dots (domain.channels), so the channel is one token of the subject."""
    if is_of_jobs(channel):
        return subjects.jobs_progress(org_id, channel.removeprefix("job:") if channel.startswith("job:") else "*")
    return subjects.realtime_publication(org_id, channel)


def encode_publication(published: Published) -> bytes:
    """The message to every instance. The topic travels beside the envelope, so that no instance decodes it."""
    return b"%d %b\n%b" % (published.offset, published.topic.encode(), published.data)


def decode_publication(payload: bytes) -> Published:
    head, _, data = payload.partition(b"\n")
    offset, _, topic = head.partition(b" ")
    return Published(int(offset), data, topic.decode())


class Block:
    """Publications of a channel in their order with their pushes, shared by all listeners. `first` and `last` are their
    offsets where they follow each other, and 0 where the channel has no positions; else `first` is -1. `alone` is the
    batch as a wire takes it."""

    __slots__ = ("alone", "batch", "first", "items", "last")

    def __init__(self, items: Sequence[tuple[Published, bytes]]) -> None:
        self.items = items
        self.batch = Batch([push for _, push in items])
        self.alone = (self.batch,)
        self.last = items[-1][0].offset
        first = items[0][0].offset
        self.first = first if self.last == 0 or self.last - first + 1 == len(items) else -1

    @property
    def is_unpositioned(self) -> bool:
        return self.last == 0


class Listener(Protocol):
    """None of these may block."""

    def receive(self, block: Block) -> None:
        """Take publications."""

    def flush(self) -> None:
        """Write what `receive` collected."""

    def deliver(self, block: Block) -> None:
        """Both: take publications that come alone."""


class _Channel:
    """The listeners of one channel here and the offset up to which they were served. `watchers` are those that hear who
    joins and leaves; `epoch` is empty until the log was read. It is `behind` from a gap to the next read of the log."""

    __slots__ = (
        "behind", "epoch", "filling", "joined", "key", "listeners", "opening", "pending", "position", "subscription",
        "watchers", "watching",
    )  # fmt: skip

    def __init__(self, key: Key) -> None:
        self.key = key
        self.listeners: set[Listener] = set()
        self.epoch = ""
        self.position: int | None = None
        self.behind = self.filling = False
        # What waits for the next flush: publications, and joins and leaves.
        self.pending: list[tuple[Published, bytes]] = []
        self.joined: list[tuple[Published, bytes]] = []
        self.opening = asyncio.Lock()
        self.subscription: CoreSubscription | None = None
        self.watchers: set[Listener] = set()
        self.watching: CoreSubscription | None = None


class Hub:
    def __init__(self, bus: Bus, read_history: ReadHistory, read_tops: ReadTops) -> None:
        self._bus = bus
        self._read_history = read_history
        self._read_tops = read_tops
        self._channels: dict[Key, _Channel] = {}
        self._dirty: set[_Channel] = set()
        self._flush_at: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcements = Announcements(bus)
        self.announce = self._announcements.add

    @property
    def channel_count(self) -> int:
        return len(self._channels)

    def standing(self, key: Key) -> History | None:
        """Where the channel stands by what its listeners here were served; None where only the log knows. Who joins now
        hears every later publication."""
        channel = self._channels.get(key)
        if channel is None or channel.position is None or not channel.epoch or not self._bus.connected:
            return None
        return History(channel.epoch, channel.position)

    def join(self, key: Key, listener: Listener) -> None:
        """Listen to a channel that has a standing."""
        self._channels[key].listeners.add(listener)

    async def listen(self, key: Key, listener: Listener) -> None:
        """From the return on, every publication of the channel reaches the listener."""
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(key)
        channel.listeners.add(listener)
        async with channel.opening:
            if channel.subscription is None:
                channel.subscription = await self._bus.subscribe_core(
                    publication_subject(*key), lambda _, payload: self._on_payload(channel, payload)
                )
                # The server knows of the interest only after a round trip; the log is read after that.
                await self._bus.flush()

    async def watch(self, key: Key, listener: Listener) -> None:
        """From the return on, the listener also hears who joins and leaves. It listens already."""
        channel = self._channels[key]
        channel.watchers.add(listener)
        async with channel.opening:
            if channel.watching is None:
                channel.watching = await self._bus.subscribe_core(
                    subjects.realtime_presence(*key), lambda _, push: self._on_presence(channel, push)
                )
                await self._bus.flush()

    def _on_presence(self, channel: _Channel, pushes: bytes) -> None:
        channel.joined += [(_NO_POSITION, push) for push in pushes.split(b"\n")]
        self._flush_soon(channel)

    def leave(self, key: Key, listener: Listener) -> None:
        channel = self._channels.get(key)
        if channel is None:
            return
        channel.listeners.discard(listener)
        channel.watchers.discard(listener)
        if not channel.listeners:
            del self._channels[key]
            self._start(_unsubscribe(channel))

    def stand_at(self, key: Key, history: History) -> None:
        """Tell the channel that the log was read to stand there, so that the first gap can be seen."""
        channel = self._channels.get(key)
        if channel is not None:
            channel.epoch = history.epoch
            if channel.position is None:
                channel.position = history.top

    async def check_positions(self) -> None:
        """Find publications that the bus lost without a later one to show it."""
        behind = [key for key, channel in self._channels.items() if channel.position is not None]
        if not behind:
            return
        tops = await self._read_tops(behind)
        for key, top in tops.items():
            channel = self._channels.get(key)
            if channel is not None and channel.position is not None and top > channel.position:
                self._start_filling(channel)

    def dispatch(self, channel: _Channel, published: Published) -> None:
        channel.pending.append((published, encode_push(channel.key[1], published.data, published.offset)))
        self._flush_soon(channel)

    def _flush_soon(self, channel: _Channel) -> None:
        self._dirty.add(channel)
        if self._flush_at is None:
            self._flush_at = asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    def _on_payload(self, channel: _Channel, payload: bytes) -> None:
        if not is_positioned(channel.key[1]):
            self.dispatch(channel, Published(0, _job_envelope(channel.key[0], payload)))
            return
        published = decode_publication(payload)
        if channel.position is None or published.offset == channel.position + 1:
            channel.position = published.offset
            self.dispatch(channel, published)
        elif published.offset > channel.position:
            self._start_filling(channel)

    def _start_filling(self, channel: _Channel) -> None:
        channel.behind = True
        if not channel.filling:
            channel.filling = True
            self._start(self._fill(channel))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        # Kept, because the loop holds its tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fill(self, channel: _Channel) -> None:
        """Read the log until there is nothing newer. Then the bus delivers again.

        A gap that shows while the log is read may be newer than that read, so the log is read once more."""
        try:
            while channel.position is not None and channel.listeners:
                channel.behind = False
                history = await self._read_history(*channel.key, channel.position, 500)
                newer = [item for item in history.publications if item.offset > channel.position]
                if not newer and not channel.behind:
                    return
                for item in newer:
                    channel.position = item.offset
                    self.dispatch(channel, item)
        except Exception:
            _log.exception("could not fill a gap from the event log; the position check will try again")
        finally:
            channel.filling = False

    def _flush(self) -> None:
        """Hand over what was collected: each listener takes one block of each channel, then writes once."""
        self._flush_at = None
        dirty, self._dirty = self._dirty, set()
        parts: list[tuple[set[Listener], Block]] = []
        for channel in dirty:
            metrics.REALTIME_PUBLICATIONS.inc(len(channel.pending))
            metrics.REALTIME_DELIVERIES.inc(len(channel.pending) * len(channel.listeners))
            for listeners, items in ((channel.listeners, channel.pending), (channel.watchers, channel.joined)):
                if items:
                    # A copy, because what a listener receives may make it leave.
                    parts.append((listeners.copy(), Block(items)))
            channel.pending, channel.joined = [], []
        if len(parts) == 1:
            ((listeners, block),) = parts
            for listener in listeners:
                listener.deliver(block)
        else:
            _deliver_together(parts)

    async def close(self) -> None:
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await _unsubscribe(channel)
        await self._announcements.close()
        for task in list(self._tasks):
            task.cancel()


def _deliver_together(parts: Sequence[tuple[set[Listener], Block]]) -> None:
    touched: set[Listener] = set()
    for listeners, block in parts:
        for listener in listeners:
            listener.receive(block)
        touched |= listeners
    for listener in touched:
        listener.flush()


def _job_envelope(org_id: str, payload: bytes) -> bytes:
    """A job's state as a CloudEvent, because every publication is one."""
    job = ParseDict(json.loads(payload), events_pb2.JobChanged(), ignore_unknown_fields=True)
    topic = "job.progressed" if job.state == "running" else "job.finished"
    event = Event(topic=topic, org_id=org_id, key=job.job_id, data=job, service="jobs")
    return bytes(event.payload(), "utf-8")


async def _unsubscribe(channel: _Channel) -> None:
    subscriptions = (channel.subscription, channel.watching)
    channel.subscription = channel.watching = None
    for subscription in subscriptions:
        if subscription is not None:
            await subscription.unsubscribe()
