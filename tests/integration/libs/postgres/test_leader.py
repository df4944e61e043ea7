"""One leads; the next takes over when the leader stops, dies or freezes."""

import asyncio

import asyncpg

from libs.config import ServiceSettings
from libs.postgres.leader import Lease, lead


class Candidate:
    def __init__(self, settings: ServiceSettings, task: str) -> None:
        self.leading = asyncio.Event()
        self.stop = asyncio.Event()
        self.lease: Lease | None = None
        self.terms = 0
        self.task = asyncio.create_task(lead(settings, task, self._work, self.stop))

    async def _work(self, lease: Lease) -> None:
        self.lease = lease
        self.terms += 1
        self.leading.set()
        try:
            await self.stop.wait()
        finally:
            self.leading.clear()

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, 5)


async def first_of(*candidates: Candidate) -> Candidate:
    async with asyncio.timeout(15):
        while not (leading := [one for one in candidates if one.leading.is_set()]):
            await asyncio.sleep(0.01)
    assert len(leading) == 1
    return leading[0]


async def test_of_three_one_leads_and_the_next_follows_when_it_stops(settings: ServiceSettings) -> None:
    candidates = [Candidate(settings, "stops") for _ in range(3)]
    for left in range(3, 0, -1):
        leader = await first_of(*candidates)
        await leader.end()
        candidates.remove(leader)
        assert len(candidates) == left - 1


async def test_a_leader_whose_session_ends_gives_up_and_may_lead_again(settings: ServiceSettings) -> None:
    only = Candidate(settings, "cut")
    await first_of(only)
    admin = await asyncpg.connect(settings.database_admin_url)
    await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leader cut'")
    await admin.close()
    async with asyncio.timeout(10):
        while only.terms < 2:
            await asyncio.sleep(0.01)
    await only.end()


async def test_a_frozen_leader_is_replaced(settings: ServiceSettings) -> None:
    """A leader that stops speaking (here: its turn on the connection is never given back) loses its session."""
    frozen, other = Candidate(settings, "frozen"), None
    await first_of(frozen)
    assert frozen.lease is not None
    async with frozen.lease.connection():
        other = Candidate(settings, "frozen")
        async with asyncio.timeout(15):
            await other.leading.wait()
    await other.end()
    await frozen.end()
