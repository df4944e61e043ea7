"""Announcements after commits: the first at once, a flood of them as one behind it, and none forgotten."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from libs.bus import Bus
from local.stores import Stores


async def test_a_flood_of_announcements_is_two_and_the_last_is_never_lost(stores: Stores) -> None:
    bus, listener = await Bus.connect(stores.nats_url, "speaker"), await Bus.connect(stores.nats_url, "listener")
    heard: list[float] = []
    await listener.subscribe_core("jobs.announced", lambda subject, data: heard.append(time.monotonic()))
    await listener.flush()
    for _ in range(100):
        await bus.announce("jobs.announced")
    spoke = time.monotonic()
    async with asyncio.timeout(5):
        while len(heard) < 2:
            await asyncio.sleep(0.001)
    assert heard[-1] > spoke  # one went out after the last was asked for
    await bus.flush()
    await asyncio.sleep(0.01)
    assert len(heard) <= 4
    await bus.close()
    await listener.close()


async def test_what_was_announced_without_a_connection_is_heard_after_the_next_one(tmp_path: Path) -> None:
    heard: list[str] = []
    connects: list[int] = []
    async with Stores(tmp_path, parts=("nats",)) as own:
        bus = await Bus.connect(own.nats_url, "speaker")
        await bus.subscribe_core("jobs.announced", lambda subject, data: heard.append(subject))
        await bus.subscribe_core("jobs.other", lambda subject, data: heard.append(subject))
        forget = bus.on_connect(lambda: connects.append(bus.generation))
        await asyncio.to_thread(own.nats.stop)
        async with asyncio.timeout(10):
            while bus.connected:
                await asyncio.sleep(0.01)
        for _ in range(3):
            await bus.announce("jobs.announced")
        await bus.announce("jobs.other")
        own.nats.start()
        async with asyncio.timeout(10):
            while len(heard) < 2:
                await asyncio.sleep(0.01)
        await bus.flush()
        assert sorted(heard) == ["jobs.announced", "jobs.other"]
        assert connects == [2]
        forget()
        await bus.close()
