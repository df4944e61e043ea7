"""Unique keys: at most one job of a queue and an organization holds one, in the states that its kind names. Jobs
without a cause to commit with share commits."""

from __future__ import annotations

import asyncio

import pytest

from libs.errors import FailedPrecondition
from libs.jobs import LIVE, WAITING, Discard, Enqueuer, Handlers, JobContext, enqueue_many
from libs.jobs.admin.queries import replay, retry
from tests.integration.libs.jobs.conftest import SERVICE, Jobs, kind


async def test_one_live_job_per_unique_key(jobs: Jobs, effect_handlers: Handlers) -> None:
    first = await jobs.add("effect.write", unique_key="k")
    assert await jobs.add("effect.write", unique_key="k") == first
    assert await jobs.add("effect.write", org_id="org_b", unique_key="k") != first
    async with jobs.db.transaction("org_a") as conn:
        keyed = kind("effect.write", unique_by=("key",))
        made = await enqueue_many(conn, [keyed.new("org_a", {"key": key}) for key in ("k", "l", "l")])
    assert len(made) == 1
    async with jobs.working(effect_handlers):
        await jobs.until_state(first, "completed")
    assert await jobs.add("effect.write", unique_key="k") != first


async def test_a_key_held_until_the_start_allows_a_successor_while_running(jobs: Jobs) -> None:
    handlers, gate = Handlers(), asyncio.Event()

    async def wait(ctx: JobContext) -> None:
        await gate.wait()

    handlers.add(kind("wait"), wait)
    async with jobs.working(handlers):
        first = await jobs.add("wait", unique_key="k", unique_states=WAITING)
        await jobs.until_state(first, "running")
        second = await jobs.add("wait", unique_key="k", unique_states=WAITING)
        assert second != first
        gate.set()
        await jobs.until_state(second, "completed")


async def test_a_key_may_be_held_by_a_job_that_completed_but_not_by_one_that_failed(jobs: Jobs) -> None:
    handlers, refused = Handlers(), set[str]()

    async def run(ctx: JobContext) -> None:
        if ctx.job.id in refused:
            raise Discard("never")

    handlers.add(kind("run"), run)
    done = LIVE | {"completed"}
    first = await jobs.add("run", unique_key="k", unique_states=done)
    refused.add(first)
    async with jobs.working(handlers):
        await jobs.until_state(first, "failed")
        second = await jobs.add("run", unique_key="k", unique_states=done)
        assert second != first
        await jobs.until_state(second, "completed")
        assert await jobs.add("run", unique_key="k", unique_states=done) == second
        # A job's own setting decides how long it holds the key; the second job gets no key either.
        assert await jobs.add("run", unique_key="k") == second
    async with jobs.db.system_transaction() as conn:
        with pytest.raises(FailedPrecondition) as refusal:
            await retry(conn, SERVICE, first, "org_a")
    assert refusal.value.reason == "job_not_retryable"


async def test_a_failed_job_that_holds_its_own_key_can_be_replayed(jobs: Jobs) -> None:
    handlers = Handlers()

    async def fail(ctx: JobContext) -> None:
        raise Discard("never")

    handlers.add(kind("fail"), fail)
    job_id = await jobs.add("fail", unique_key="k", unique_states=LIVE | {"failed"})
    async with jobs.working(handlers):
        await jobs.until_state(job_id, "failed")
    assert await jobs.add("fail", unique_key="k") == job_id
    async with jobs.db.system_transaction() as conn:
        assert await replay(conn, SERVICE, "org_a", [job_id], "", "", "") == 1
    assert (await jobs.row(job_id))["state"] == "queued"


@pytest.mark.parametrize("states", [{"running"}, WAITING | {"completed"}, LIVE | {"finished"}, set()])
def test_states_in_which_no_key_can_be_held_are_refused(states: set[str]) -> None:
    with pytest.raises(ValueError, match="unique key"):
        kind("k", unique_states=frozenset(states))


async def test_jobs_without_a_cause_that_come_together_share_a_commit(jobs: Jobs) -> None:
    enqueuer = Enqueuer(jobs.db, jobs.bus)
    ids = await asyncio.gather(*(enqueuer.enqueue(kind("effect.write").new(f"org_{n}")) for n in range(40)))
    rows = await jobs.db.system_fetch("select id, org_id, xmin::text as commit from job order by org_id")
    assert {row["id"]: row["org_id"] for row in rows} == {one: f"org_{n}" for n, one in enumerate(ids)}
    assert len({row["commit"] for row in rows}) == 2  # a batch of 32, and the rest


async def test_each_of_them_gets_its_own_outcome(jobs: Jobs) -> None:
    enqueuer, keyed = Enqueuer(jobs.db, jobs.bus), kind("effect.write", unique_by=("key",))
    refused = kind("effect.write").new("org\x00a")
    made = [keyed.new("org_a", {"key": key}) for key in ("k", "k", "l")]
    outcomes = await asyncio.gather(*(enqueuer.enqueue(one) for one in (*made, refused)), return_exceptions=True)
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert isinstance(outcomes[3], Exception)
    rows = await jobs.db.system_fetch("select id from job")
    assert {row["id"] for row in rows} == set(outcomes[:3])
