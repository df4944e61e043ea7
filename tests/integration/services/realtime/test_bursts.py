"""Bursts of events: each subscriber hears every publication once and in order, whenever and however it subscribes, and
also when two writers tell the instance of theirs out of order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from libs.events import ReceivedEvent
from services.realtime.domain.history import RECOVERY_LIMIT, History
from services.realtime.subscribers import Subscribers
from tests.integration.services.realtime.driving import Realtime, _event, until
from tests.integration.services.realtime.talking import Talk, talking

# Writers at one time, transactions of each, and events of a transaction.
WRITERS, BURSTS, BURST = 2, 6, 40
TOTAL = WRITERS * BURSTS * BURST
# Rounds in which newcomers join.
NEWCOMERS = 5
AGENTS = ("agt_1", "agt_2")


async def burst(realtime: Realtime, org_id: str, count: int) -> None:
    """Events of one transaction, of two agents in turn."""
    events = [_event(org_id, "call.ended", f"call_{n}", {"agentId": AGENTS[n % 2]}) for n in range(count)]
    async with realtime.database.system_transaction(org_id) as connection:
        received = [ReceivedEvent.of(event.envelope()) for event in events]
        await Subscribers(realtime.bus).on_events(connection, received)


def offsets(talk: Talk) -> list[int]:
    return [push["pub"]["offset"] for push in talk.pushes if "pub" in push]


def of_all_agents(offset: int) -> bool:
    return offset > 0


def of_the_first(offset: int) -> bool:
    """Each transaction has an even number of events, so that the agents alternate in the whole channel."""
    return offset % 2 == 1


class Audience:
    """Subscribers that hear until the last event."""

    def __init__(self, realtime: Realtime, org_id: str) -> None:
        self.realtime, self.org_id, self.channel = realtime, org_id, f"org:{org_id}:calls"
        self.epoch = ""
        self.heard: list[tuple[list[int], list[int]]] = []
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Audience:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def join(self, hears: Callable[[int], bool] = of_all_agents, **how: object) -> None:
        """One more subscriber; from its reply on it hears beside the others."""
        grant = {"agents": frozenset(AGENTS[:1])} if hears is of_the_first else {}
        talk = await self._stack.enter_async_context(talking(self.realtime, self.org_id, **grant))
        result = (await talk.ask(subscribe={"channel": self.channel, **how}))["subscribe"]
        self.epoch = result["epoch"]
        missed = [one["offset"] for one in result.get("publications", [])]
        start = how["offset"] if result.get("recovered") else result.get("offset", 0)
        assert isinstance(start, int)
        wanted = [offset for offset in range(start + 1, TOTAL + 1) if hears(offset)]
        self._tasks.append(asyncio.create_task(self._hear(talk, missed, wanted)))

    async def _hear(self, talk: Talk, missed: list[int], wanted: list[int]) -> None:
        while len(missed) + len(offsets(talk)) < len(wanted):
            await talk.until_pushes(len(talk.pushes) + 1)
        # What came twice would be said before this reply.
        await talk.ask(unsubscribe={"channel": self.channel})
        self.heard.append((missed + offsets(talk), wanted))

    async def finish(self) -> None:
        await asyncio.gather(*self._tasks)


async def test_every_subscriber_hears_every_publication_of_a_burst_in_order(realtime: Realtime) -> None:
    async with Audience(realtime, "org_bursts") as audience:
        for _ in range(10):
            await audience.join()
            await audience.join(of_the_first)
        await audience.join(join_leave=True)
        written = 0

        async def write() -> None:
            nonlocal written
            for _ in range(BURSTS):
                await burst(realtime, "org_bursts", BURST)
                written += BURST

        async def newcomers() -> None:
            """While events are written, by each way to subscribe in turn."""
            for _ in range(NEWCOMERS):
                known = written
                await audience.join()
                await audience.join(join_leave=True)
                await audience.join(of_the_first)
                for hears in (of_all_agents, of_the_first):
                    await audience.join(hears, recover=True, epoch=audience.epoch, offset=known)
                back = max(0, known - RECOVERY_LIMIT // 2)
                await audience.join(recover=True, epoch=audience.epoch, offset=back)

        await asyncio.gather(newcomers(), *(write() for _ in range(WRITERS)))
        await audience.finish()
        assert len(audience.heard) == 21 + 6 * NEWCOMERS
        for heard, wanted in audience.heard:
            assert heard == wanted


async def test_a_gap_that_shows_while_the_log_is_read_is_filled(
    realtime: Realtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By nothing but the gap itself: no later event, and no comparison with the log."""
    hub, org_id = realtime.doors.hub, "org_behind"
    read, start, reads, gaps = hub._read_history, hub._start_filling, 0, list[object]()

    async def read_late(*of: object) -> History:
        nonlocal reads
        reads += 1
        history = await read(*of)  # type: ignore[arg-type]
        if reads == 2:
            # After the log was read, and before the hub knows what was found.
            await realtime.emit_unheard(org_id, call_id="call_3")
            await realtime.emit(org_id, call_id="call_4")
            await until(lambda: len(gaps) == 2)
        return history

    def noted(channel: object) -> None:
        gaps.append(channel)
        start(channel)  # type: ignore[arg-type]

    async with talking(realtime, org_id) as talk:
        await talk.ask(subscribe={"channel": f"org:{org_id}:calls"})
        monkeypatch.setattr(hub, "_read_history", read_late)
        monkeypatch.setattr(hub, "_start_filling", noted)
        await realtime.emit_unheard(org_id, call_id="call_1")
        await realtime.emit(org_id, call_id="call_2")
        await talk.until_pushes(4)
        assert offsets(talk) == [1, 2, 3, 4]
