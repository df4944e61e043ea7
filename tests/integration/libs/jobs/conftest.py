"""A service of the tests' own ("widgets") with the job tables and one table of effects, a bus, and workers at will."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from libs.bus import Bus
from libs.jobs import Handlers, JobContext, JobKind, Lane, Worker
from libs.postgres import Database
from local.stores import Stores

SERVICE = "widgets"


def kind(name: str, **policy: Any) -> JobKind:
    return JobKind(name, service=SERVICE, **policy)


class Jobs:
    """The queue of one fresh database, as a test uses it."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self.db = db
        self.bus = bus

    async def add(
        self,
        name: str,
        org_id: str = "org_a",
        *,
        args: Mapping[str, Any] | None = None,
        lane: Lane | None = None,
        delay: float = 0.0,
        run_at: datetime | None = None,
        unique_key: str | None = None,
        **policy: Any,
    ) -> str:
        """A job of a kind of this name and policy."""
        if unique_key is not None:
            args, policy["unique_by"] = {**(args or {}), "key": unique_key}, ("key",)
        async with self.db.transaction(org_id) as conn:
            return await kind(name, **policy).enqueue(conn, org_id, args, lane=lane, delay=delay, run_at=run_at)

    async def row(self, job_id: str) -> Mapping[str, Any]:
        row = await self.db.system_fetchrow("select * from job where id = $1", job_id)
        assert row is not None
        return dict(row.items())

    async def attempts(self, job_id: str) -> list[tuple[int, str]]:
        rows = await self.db.system_fetch(
            "select attempt, outcome from job_attempt where job_id = $1 order by number", job_id
        )
        return [(row["attempt"], row["outcome"]) for row in rows]

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not await condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            await asyncio.sleep(0.01)

    async def until_state(self, job_id: str, *states: str, seconds: float = 10.0) -> Mapping[str, Any]:
        async def reached() -> bool:
            return (await self.row(job_id))["state"] in states

        await self.until(reached, seconds)
        return await self.row(job_id)

    async def effects(self, job_id: str | None = None) -> int:
        return int(
            await self.db.system_fetchval("select count(*) from effect where job_id = coalesce($1, job_id)", job_id)
        )

    @contextlib.asynccontextmanager
    async def working(self, handlers: Handlers, **settings: Any) -> AsyncIterator[Worker]:
        """A worker in this process, drained at the end."""
        settings = {"instance": "w1", "drain_seconds": 2.0, **settings}
        worker = Worker(dataclasses.replace(self.db.settings, **settings), SERVICE, self.db, self.bus, handlers)
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await running


async def write_effect(ctx: JobContext) -> None:
    async with ctx.finish() as conn:
        await conn.execute(
            "insert into effect (org_id, job_id, worker) values ($1, $2, $3)",
            ctx.job.org_id, ctx.job.id, ctx.job.worker,
        )  # fmt: skip


@pytest.fixture
def effect_handlers() -> Handlers:
    handlers = Handlers()
    handlers.add(kind("effect.write"), write_effect)
    return handlers


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jobs_database(service_database: Callable[..., Awaitable[Database]]) -> Database:
    return await service_database(SERVICE, Path(__file__).parent / "migrations")


@pytest_asyncio.fixture(loop_scope="session")
async def jobs(jobs_database: Database, stores: Stores) -> AsyncIterator[Jobs]:
    tables = "job, job_attempt, job_pause, job_pace, job_schedule, job_firing, job_queue, effect"
    for table in tables.split(", "):
        await jobs_database.system_fetch(f"delete from {table}")
    bus = await Bus.connect(stores.nats_url, "jobs-test")
    jobs_database.announce_through(bus.announce)
    yield Jobs(jobs_database, bus)
    await bus.close()
