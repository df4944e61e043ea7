"""The log of one organization as many streams read it: once, in order, whatever their number and pace."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from services.realtime.domain.history import History, Published
from services.realtime.doors import feed as feed_module
from services.realtime.doors.feed import PAGE_EVENTS, Feed, Frame, chunks
from services.realtime.protocol.hub import Block
from services.realtime.storage.event_log import EventLog
from tests.integration.services.realtime.driving import Realtime

STREAMS = 20


class CountedLog(EventLog):
    """The real log, and how often it was read."""

    reads = 0

    async def read(self, org_id: str, channel: str, after: int, limit: int) -> History:
        self.reads += 1
        return await super().read(org_id, channel, after, limit)


async def opened(realtime: Realtime, org_id: str) -> tuple[Feed, CountedLog]:
    log = CountedLog(realtime.database)
    feed = Feed(org_id, realtime.doors.hub, log)
    await feed.open()
    return feed, log


async def everything(feed: Feed, position: int, last: int) -> list[Frame]:
    """Frames up to `last`, in the order in which they come."""
    news = asyncio.Event()
    seen: list[Frame] = []
    feed.readers.add(news)
    async with asyncio.timeout(30):
        while position < last:
            news.clear()
            frames, reached = await feed.after(position)
            seen += frames
            if reached == position:
                await news.wait()
            position = reached
    feed.readers.discard(news)
    return seen


async def test_new_events_are_read_by_all_streams_and_the_log_by_none(realtime: Realtime) -> None:
    feed, log = await opened(realtime, "org_once")
    opening = log.reads
    streams = [asyncio.create_task(everything(feed, 0, 50)) for _ in range(STREAMS)]
    for number in range(50):
        await realtime.emit("org_once", call_id=f"call_{number}")
    seen = await asyncio.gather(*streams)
    assert [[frame.offset for frame in frames] for frames in seen] == [list(range(1, 51))] * STREAMS
    # One frame an event, not one a stream.
    assert all(len({id(frames[index]) for frames in seen}) == 1 for index in range(50))
    assert log.reads == opening == 1
    feed.close()


async def test_streams_that_come_back_together_share_each_page_of_the_log(realtime: Realtime) -> None:
    for number in range(PAGE_EVENTS + 10):
        await realtime.emit("org_back", call_id=f"call_{number}")
    feed, log = await opened(realtime, "org_back")
    opening = log.reads
    pages = await asyncio.gather(*(feed.after(position) for position in range(STREAMS)))
    assert log.reads == opening + 1
    for position, (frames, reached) in enumerate(pages):
        assert [frame.offset for frame in frames] == list(range(position + 1, PAGE_EVENTS + 1))
        assert reached == PAGE_EVENTS
    assert len(await everything(feed, PAGE_EVENTS, PAGE_EVENTS + 10)) == 10
    feed.close()


async def test_a_stream_behind_the_tail_reads_the_log_and_misses_nothing(
    realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "TAIL_EVENTS", 5)
    feed, log = await opened(realtime, "org_behind")
    ahead = asyncio.create_task(everything(feed, 0, 30))
    for number in range(30):
        await realtime.emit("org_behind", call_id=f"call_{number}")
    await ahead
    opening = log.reads
    assert [frame.offset for frame in await everything(feed, 3, 30)] == list(range(4, 31))
    assert log.reads == opening + 1
    assert [frame.offset for frame in await everything(feed, 26, 30)] == [27, 28, 29, 30]
    assert log.reads == opening + 1
    feed.close()


async def test_a_feed_lives_as_long_as_it_has_streams(realtime: Realtime) -> None:
    base = f"http://{realtime.doors.addresses['http']}"
    headers = {"authorization": f"Bearer {realtime.token('org_feed')}"}
    before = realtime.doors.hub.channel_count
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=base, timeout=10))
        for _ in range(3):
            answer = await stack.enter_async_context(http.stream("GET", "/api/events/stream", headers=headers))
            assert await anext(answer.aiter_lines()) == "retry: 1000"
        assert realtime.doors.hub.channel_count == before + 1
    async with asyncio.timeout(10):
        while realtime.doors.hub.channel_count != before:
            await asyncio.sleep(0.01)


def test_the_tail_is_bounded_by_bytes_and_by_events_and_forgets_a_gap(realtime: Realtime) -> None:
    feed = Feed("org_tail", realtime.doors.hub, EventLog(realtime.database))
    for offset in range(1, 1_000):
        feed.receive(Block([(Published(offset, b"x" * 100, "call.ended"), b"")]))
    assert len(feed._tail) == feed_module.TAIL_EVENTS
    for offset in range(1_000, 1_010):
        feed.receive(Block([(Published(offset, b"x" * 300_000, "call.ended"), b"")]))
    assert len(feed._tail) == 3
    feed.receive(Block([(Published(2_000, b"x", "call.ended"), b"")]))
    assert [frame.offset for frame in feed._tail] == [2_000]


def test_chunks_keep_every_frame_in_order() -> None:
    frames = [Frame(offset, "call.ended", b"%06d" % offset * 1_000) for offset in range(50)]
    pieces = list(chunks(frames))
    assert b"".join(pieces) == b"".join(frame.data for frame in frames)
    assert len(pieces) == 5
    assert list(chunks([])) == []
