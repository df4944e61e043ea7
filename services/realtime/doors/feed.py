"""An organization's log as server-sent events, made once for all of its streams on this instance.

The hub hands each new event over once. It becomes one frame in a bounded tail that the streams read at their own pace.
A stream that is behind the tail reads pages of the log; streams that want one page at one time share the read.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.realtime.domain.channels import LOG
from services.realtime.domain.history import Published
from services.realtime.protocol.hub import Block, Hub
from services.realtime.storage.event_log import EventLog

# Events of the tail. More: a stream may be further behind before it reads the log, for more memory an organization.
TAIL_EVENTS = 256
# Bytes of the tail: as much as may wait for one socket.
TAIL_BYTES = 1024 * 1024
# Events of one read of the log.
PAGE_EVENTS = 100
# Bytes handed to a connection at a time. Larger: fewer writes, more memory for a reader that is slow.
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as its streams get it."""

    offset: int
    topic: str
    data: bytes

    @property
    def envelope(self) -> bytes:
        return self.data.partition(b"\ndata: ")[2]


@dataclass(frozen=True, slots=True)
class Page:
    """Frames of the log after a position, and the log's top when they were read."""

    frames: Sequence[Frame]
    top: int


class Feed:
    """The log of one organization, for the streams whose `news` are in `readers`."""

    def __init__(self, org_id: str, hub: Hub, log: EventLog) -> None:
        self.readers: set[asyncio.Event] = set()
        # Offset of the newest event that is known here.
        self.top = 0
        self._key = (org_id, LOG)
        self._hub = hub
        self._log = log
        self._opening = asyncio.Lock()
        self._is_open = False
        self._tail: collections.deque[Frame] = collections.deque()
        self._tail_bytes = 0
        self._pages: dict[int, asyncio.Task[Page]] = {}

    async def open(self) -> None:
        """Listen, then learn where the log stands; once for all readers."""
        async with self._opening:
            if not self._is_open:
                await self._hub.listen(self._key, self)
                head = await self._log.read(*self._key, 0, 0)
                self._hub.stand_at(self._key, head)
                self.top = max(self.top, head.top)
                self._is_open = True

    def close(self) -> None:
        self._hub.leave(self._key, self)

    async def start_after(self, position: int | None) -> int:
        """Where a stream begins: after the position, or with the next event.

        A position ahead of the log belongs to a log that no longer exists: only new events can be sent.
        """
        if position is not None and position > self.top:
            # Another instance may have been ahead of this one.
            self.top = max(self.top, (await self._log.read(*self._key, 0, 0)).top)
        return self.top if position is None else min(position, self.top)

    async def after(self, position: int) -> tuple[Sequence[Frame], int]:
        """The next frames after the position, and the position behind them; the same position when all is read."""
        if position >= self.top:
            return (), position
        if self._tail and position + 1 >= self._tail[0].offset:
            start = position + 1 - self._tail[0].offset
            return list(itertools.islice(self._tail, start, None)), max(position, self._tail[-1].offset)
        page = await self._page(position - position % PAGE_EVENTS)
        frames = [frame for frame in page.frames if frame.offset > position]
        return frames, frames[-1].offset if frames else max(position, page.top)

    # -- what the hub tells

    def receive(self, block: Block) -> None:
        for published, _ in block.items:
            self._take(published)

    def deliver(self, block: Block) -> None:
        self.receive(block)
        self.flush()

    def _take(self, published: Published) -> None:
        frame = _frame(published)
        if self._tail and frame.offset != self._tail[-1].offset + 1:
            self._tail.clear()
            self._tail_bytes = 0
        self._tail.append(frame)
        self._tail_bytes += len(frame.data)
        while len(self._tail) > TAIL_EVENTS or (self._tail_bytes > TAIL_BYTES and len(self._tail) > 1):
            self._tail_bytes -= len(self._tail.popleft().data)
        self.top = max(self.top, frame.offset)

    def flush(self) -> None:
        for news in self.readers:
            news.set()

    # -- the log

    async def _page(self, start: int) -> Page:
        reading = self._pages.get(start)
        if reading is None:
            reading = self._pages[start] = asyncio.create_task(self._read(start))
            reading.add_done_callback(lambda _: self._pages.pop(start, None))
        # One stream that ends does not end the read of the others.
        return await asyncio.shield(reading)

    async def _read(self, start: int) -> Page:
        history = await self._log.read(*self._key, start, PAGE_EVENTS)
        return Page([_frame(published) for published in history.publications], history.top)


def chunks(frames: Sequence[Frame]) -> Iterator[bytes]:
    """The frames' bytes in pieces of about 64 KiB."""
    piece: list[bytes] = []
    size = 0
    for frame in frames:
        piece.append(frame.data)
        size += len(frame.data)
        if size >= _CHUNK_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def _frame(published: Published) -> Frame:
    data = b"id: %d\ndata: %b\n\n" % (published.offset, published.data)
    return Frame(published.offset, published.topic, data)
