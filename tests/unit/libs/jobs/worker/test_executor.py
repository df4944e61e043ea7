"""How an attempt's end is read from what the handler raised or returned."""

import asyncio
import contextlib
import datetime
import uuid
from typing import Any, cast

import pytest

from libs.errors import Unavailable
from libs.jobs import Cancel, Discard, Handlers, JobContext, JobKind, LeaseLost, RetryAfter, Snooze
from libs.jobs.errors import describe
from libs.jobs.job import Job, encode_json
from libs.jobs.store.leases import Settlement
from libs.jobs.worker.executor import Completed, Held, Lost, Outcome, attempt, interrupted


def job(attempt: int = 1) -> Job:
    now = datetime.datetime.now(datetime.UTC)
    return Job("job_x_1", "q", "k", "org_a", {}, 1, attempt, 3, 0, now, 0.0, None, "w", uuid.uuid4())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("provider_failed", "Down."), ("provider_failed", "Down.")),
        (Discard("bad", "No."), ("bad", "No.")),
        (RetryAfter(3, "slow_down"), ("slow_down", "The job will be tried again.")),
        (Snooze(3), ("snoozed", "The job waits.")),
        (Cancel("unwanted"), ("unwanted", "The job was cancelled.")),
        (LeaseLost(), ("job_lease_lost", "The job was taken over by another worker.")),
    ],
)
def test_errors_have_a_stable_code(error: Exception, told: tuple[str, str]) -> None:
    assert describe(error) == told


def test_the_text_of_an_unknown_error_stays_in_the_log() -> None:
    code, message = describe(ValueError("postgresql://user:password@db"))
    assert code == "unexpected_error"
    assert "password" not in message


@pytest.mark.parametrize(
    ("reason", "attempt", "expected"),
    [
        ("timeout", 1, ("queued", "retried", True)),
        ("timeout", 3, ("failed", "failed", True)),
        ("cancelled", 1, ("cancelled", "cancelled", True)),
        ("released", 1, ("queued", "released", False)),
    ],
)
async def test_an_interrupted_attempt(reason: str, attempt: int, expected: tuple[str, str, bool]) -> None:
    held, task = await running(sleep, attempt)
    held.interrupt(reason)
    outcome = await task
    assert isinstance(outcome, Settlement)
    assert (outcome.state, outcome.outcome, outcome.charged) == expected


def test_nothing_is_written_for_a_lost_job() -> None:
    assert isinstance(interrupted(job(), "lost"), Lost)


@pytest.mark.parametrize("value", [None, {}, {"a": [1, 2.5, None, True, "é"]}])
def test_payloads_are_json(value: dict[str, Any] | None) -> None:
    assert encode_json(value, "arguments").startswith("{")


async def sleep(ctx: JobContext) -> None:
    await asyncio.sleep(30)


async def ignore_the_interruption(ctx: JobContext) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(30)


async def running(handler: Any, number: int = 1) -> tuple[Held, asyncio.Task[Outcome]]:
    handlers, held = Handlers(), Held(job(number))
    handlers.add(JobKind("k", service="x", queue="q"), handler)

    async def run() -> Outcome:
        this: asyncio.Task[Any] = cast(Any, asyncio.current_task())
        return await attempt(held, this, handlers, cast(Any, None), cast(Any, None))

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    return held, task


async def test_an_interruption_ends_the_handler_and_leaves_the_runner_clean() -> None:
    for handler, expected in ((sleep, Settlement), (ignore_the_interruption, Completed)):
        held, task = await running(handler)
        held.interrupt("timeout")
        held.interrupt("lost")
        assert isinstance(await task, expected)
        assert task.cancelling() == 0


async def test_the_end_of_the_worker_is_not_taken_for_an_interruption() -> None:
    held, task = await running(sleep)
    held.interrupt("timeout")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
