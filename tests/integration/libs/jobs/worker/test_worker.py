"""One job from the enqueue to its end: effect and finish together, retries, delays, uniqueness, cancel, drain."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from libs.clock import utcnow
from libs.errors import InvalidArgument, Unavailable
from libs.jobs import (
    Cancel,
    Discard,
    Enqueuer,
    Handlers,
    Job,
    JobContext,
    RetryAfter,
    Snooze,
    enqueue_many,
)
from libs.jobs.store import claims
from libs.jobs.store.claims import Claimer
from libs.postgres import Database
from libs.telemetry.metrics import REGISTRY
from tests.integration.libs.jobs.conftest import Jobs, kind, write_effect


async def test_effect_and_finish_are_one_commit(jobs: Jobs, effect_handlers: Handlers) -> None:
    async with jobs.working(effect_handlers):
        job_id = await jobs.add("effect.write")
        row = await jobs.until_state(job_id, "completed")
    assert (row["attempt"], row["progress"], row["lease_token"]) == (1, 100, None)
    assert await jobs.effects(job_id) == 1


async def test_a_job_exists_only_if_its_cause_committed(jobs: Jobs) -> None:
    async def act() -> None:
        async with jobs.db.transaction("org_a") as conn:
            await kind("effect.write").enqueue(conn, "org_a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await act()
    assert await jobs.db.system_fetchval("select count(*) from job") == 0


async def test_a_handler_that_fails_inside_finish_leaves_no_effect(jobs: Jobs) -> None:
    handlers = Handlers()

    async def half(ctx: JobContext) -> None:
        async with ctx.finish() as conn:
            await conn.execute("insert into effect (org_id, job_id) values ($1, $2)", ctx.job.org_id, ctx.job.id)
            raise ValueError

    handlers.add(kind("effect.half", backoff=(0.0,)), half)
    async with jobs.working(handlers):
        job_id = await jobs.add("effect.half", max_attempts=2)
        row = await jobs.until_state(job_id, "failed")
    assert row["error_code"] == "unexpected_error"
    assert await jobs.effects(job_id) == 0
    assert await jobs.attempts(job_id) == [(1, "retried"), (2, "failed")]


async def test_result_and_the_reason_of_an_app_error_are_kept(jobs: Jobs) -> None:
    handlers = Handlers()

    async def learn(ctx: JobContext) -> dict[str, int]:
        if ctx.job.attempt == 1:
            raise Unavailable("provider_failed", "The provider is down.", retry_after=0.05)
        return {"pages": 3}

    handlers.add(kind("learn", backoff=(0.0,)), learn)
    async with jobs.working(handlers):
        job_id = await jobs.add("learn")
        row = await jobs.until_state(job_id, "completed")
    assert row["result"] == '{"pages": 3}'
    assert await jobs.attempts(job_id) == [(1, "retried")]
    told = await jobs.db.system_fetchrow("select error_code, error_message from job_attempt")
    assert told is not None
    assert (told["error_code"], told["error_message"]) == ("provider_failed", "The provider is down.")


@pytest.mark.parametrize(
    ("signal", "state", "attempt", "outcome"),
    [
        (Discard("bad_input", "No."), "failed", 1, "failed"),
        (Cancel(), "cancelled", 1, "cancelled"),
        (Snooze(3600), "scheduled", 0, "snoozed"),
        (RetryAfter(3600), "scheduled", 1, "retried"),
    ],
)
async def test_a_handler_says_how_it_ends(
    jobs: Jobs, signal: Exception, state: str, attempt: int, outcome: str
) -> None:
    handlers = Handlers()

    async def act(ctx: JobContext) -> None:
        raise signal

    handlers.add(kind("act"), act)
    async with jobs.working(handlers):
        job_id = await jobs.add("act")
        row = await jobs.until_state(job_id, state)
    assert row["attempt"] == attempt
    assert await jobs.attempts(job_id) == [(1, outcome)]


async def test_a_timeout_is_a_failed_attempt(jobs: Jobs) -> None:
    handlers = Handlers()

    async def hang(ctx: JobContext) -> None:
        await asyncio.sleep(60)

    handlers.add(kind("hang", timeout_seconds=0.05), hang)
    async with jobs.working(handlers):
        row = await jobs.until_state(await jobs.add("hang", max_attempts=1), "failed")
    assert row["error_code"] == "job_timeout"


async def test_a_delayed_job_starts_on_time(jobs: Jobs) -> None:
    handlers, begun = Handlers(), []

    async def note(ctx: JobContext) -> None:
        begun.append(time.time())

    handlers.add(kind("note"), note)
    async with jobs.working(handlers):
        due = utcnow() + timedelta(seconds=0.7)
        job_id = await jobs.add("note", run_at=due)
        assert (await jobs.row(job_id))["state"] in ("scheduled", "queued")
        await jobs.until_state(job_id, "completed")
    assert 0 <= begun[0] - due.timestamp() < 0.2


@pytest.mark.parametrize("args", [{"x": "a" * (1 << 20)}, {"x": "\0"}, {"x": object()}])
async def test_arguments_that_a_row_cannot_hold_are_refused(jobs: Jobs, args: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await jobs.add("effect.write", args=args)
    assert refusal.value.reason in ("job_payload_too_large", "job_payload_invalid")


async def test_a_kind_of_a_newer_release_waits_for_it(jobs: Jobs, effect_handlers: Handlers) -> None:
    async with jobs.working(effect_handlers):
        job_id = await jobs.add("effect.future")
        row = await jobs.until_state(job_id, "scheduled")
    assert (row["attempt"], row["error_code"]) == (0, "no_handler")


async def test_progress_is_kept_and_told(jobs: Jobs) -> None:
    handlers, gate, heard = Handlers(), asyncio.Event(), []

    async def work(ctx: JobContext) -> None:
        await ctx.progress(40, "reading")
        await gate.wait()

    async def hear(subject: str, data: bytes) -> None:
        heard.append((subject, data))

    handlers.add(kind("work"), work)
    await jobs.bus.subscribe_core("jobprog.org_a.*", hear)
    await jobs.bus.flush()
    async with jobs.working(handlers):
        job_id = await jobs.add("work")

        async def at_forty() -> bool:
            return bool((await jobs.row(job_id))["progress"] == 40)

        await jobs.until(at_forty)
        gate.set()

        async def told() -> bool:
            return len(heard) == 2

        await jobs.until(told)
    assert b'"progress":40' in heard[0][1]
    assert b'"state":"completed"' in heard[1][1]
    assert heard[0][0] == f"jobprog.org_a.{job_id}"


async def test_a_worker_without_kinds_rests(jobs: Jobs) -> None:
    async with jobs.working(Handlers()), asyncio.timeout(5):
        await asyncio.sleep(0.05)


async def test_the_metrics_count_what_happened(jobs: Jobs) -> None:
    handlers, turns = Handlers(), iter((Snooze(0.01), RetryAfter(0.01), Discard("no", "No.")))

    async def fail(ctx: JobContext) -> None:
        raise next(turns)

    handlers.add(kind("metered"), fail)
    handlers.add(kind("metered.done"), write_effect)
    before = {name: _metric(name, "metered") for name in ("enqueued", "retried", "failed")}
    with contextlib.suppress(ZeroDivisionError):
        async with jobs.db.transaction("org_a") as conn:
            await enqueue_many(conn, [kind("metered").new("org_a")])
            raise ZeroDivisionError
    async with jobs.db.transaction("org_a") as conn:
        twins = [kind("metered", unique_by=("key",)).new("org_a", {"key": "one"})] * 2
        [job_id] = await enqueue_many(conn, twins)
        done_id = await kind("metered.done").enqueue(conn, "org_a")
    async with jobs.working(handlers):
        await jobs.until_state(job_id, "failed")
        await jobs.until_state(done_id, "completed")
    after = {name: _metric(name, "metered") for name in before}
    assert {name: after[name] - before[name] for name in before} == {"enqueued": 1, "retried": 1, "failed": 1}
    assert _metric("finished", "metered.done") == 1


def _metric(name: str, kind: str) -> float:
    return REGISTRY.get_sample_value(f"jobs_{name}_total", {"queue": "default", "kind": kind}) or 0.0


async def test_a_standalone_job_is_its_own_commit(jobs: Jobs, effect_handlers: Handlers) -> None:
    async with jobs.working(effect_handlers):
        job = kind("effect.write", unique_by=("key",)).new("org_a", {"key": "once"})
        job_id = await Enqueuer(jobs.db, jobs.bus).enqueue(job)
        await jobs.until_state(job_id, "completed")
        waiting = await Enqueuer(jobs.db, jobs.bus).enqueue(kind("effect.write").new("org_a", delay=60))
        assert (await jobs.row(waiting))["state"] in ("scheduled", "queued")


async def test_what_was_claimed_ahead_of_short_jobs_is_given_back_when_long_ones_come(jobs: Jobs) -> None:
    handlers = Handlers()

    async def short(ctx: JobContext) -> None:
        pass

    async def long(ctx: JobContext) -> None:
        await asyncio.sleep(30)

    async def one_runs() -> bool:
        return bool(await jobs.db.system_fetchval("select count(*) = 1 from job where state = 'running'"))

    handlers.add(kind("short"), short)
    handlers.add(kind("long"), long)
    async with jobs.db.transaction("org_a") as conn:
        await enqueue_many(conn, [kind("short").new("org_a")] * 100)
        await enqueue_many(conn, [kind("long").new("org_a")] * 20)
    async with jobs.working(handlers, worker_concurrency=1):
        held = "select count(*) > 1 from job where state = 'running' and kind = 'long'"
        await jobs.until(lambda: jobs.db.system_fetchval(held))
        await jobs.until(one_runs, 5.0)
        await asyncio.sleep(1.5)
        assert await one_runs()


async def test_polling_alone_fills_the_slots_beside_a_long_job(jobs: Jobs) -> None:
    """Wake-ups may be lost: a slot that is free asks again although others are busy for long."""
    handlers, gate = Handlers(), asyncio.Event()

    async def wait(ctx: JobContext) -> None:
        await gate.wait()

    handlers.add(kind("wait"), wait)
    async with jobs.working(handlers):
        first = await jobs.add("wait")
        await jobs.until_state(first, "running")
        await jobs.bus.close()
        second = await jobs.add("wait")
        await jobs.until_state(second, "running", seconds=5)
        gate.set()


async def test_idle_queues_are_looked_at_together_and_only_one_with_a_job_is_claimed_from(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers, claimed, looks = Handlers(), Counter[str](), Counter[str]()
    for queue in ("one", "two", "three"):
        handlers.add(kind(f"k.{queue}", queue=queue), write_effect)
    claim, look = Claimer.claim, claims.waiting

    async def counted_claim(self: Claimer, wanted: int, *, suspect: bool = True) -> list[Job]:
        claimed[self._policy.name] += 1
        return await claim(self, wanted, suspect=suspect)

    async def counted_look(db: Database, queues: Sequence[str]) -> set[str]:
        looks["all"] += len(queues) == 3
        return await look(db, queues)

    async def looked_twice() -> bool:
        return looks["all"] >= 2

    monkeypatch.setattr(Claimer, "claim", counted_claim)
    monkeypatch.setattr("libs.jobs.worker.worker.waiting", counted_look)
    async with jobs.working(handlers):
        await jobs.until(looked_twice)
        assert not claimed
        # Written beside the queue, so that no wake-up tells of it.
        await jobs.db.system_fetch(
            "insert into job (id, queue, kind, org_id, args, lane, max_attempts, state, run_at) "
            "values ('job_1', 'two', 'k.two', 'org_a', '{}', 1, 3, 'queued', now())"
        )
        await jobs.until_state("job_1", "completed")
        # A queue that had a job is asked at other times than those that had none, until it is idle too.
        looks.clear()
        await jobs.until(looked_twice)
    assert set(claimed) == {"two"}
