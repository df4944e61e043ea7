"""The queue's public face: what a caller sees and moves of its own, and nothing of anybody else's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import msgspec
import pytest

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from gateway.http.merged_lists import rows_of_json
from gateway.schemas.jobs import job_row_from_proto
from libs.context import CallContext
from libs.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.jobs import Discard, Handlers, JobContext
from libs.jobs.admin import queries
from libs.paging import CursorCodec
from libs.rpc.context import serving
from libs.rpc.principal import Principal
from libs.runtime.service import JobsServicer
from tests.integration.libs.jobs.conftest import SERVICE, Jobs, kind
from tests.integration.locks import someone_waits


@contextlib.contextmanager
def caller(org_id: str = "org_a", *scopes: str, role: str = "member", key: str = "") -> Iterator[None]:
    held = frozenset(scopes or ("widgets:read", "widgets:write"))
    call = CallContext(idempotency_key=key, idempotency_fingerprint="f")
    with serving(call, Principal(org_id=org_id, role=role, scopes=held, issuer="gateway")):
        yield


@contextlib.contextmanager
def operator() -> Iterator[None]:
    with serving(CallContext(), Principal(role="service", issuer="agent")):
        yield


@pytest.fixture
def servicer(jobs: Jobs) -> JobsServicer:
    return JobsServicer(SERVICE, SERVICE, jobs.db, CursorCodec(b"k" * 32))


async def fail_one(jobs: Jobs, org_id: str = "org_a", code: str = "bad_input") -> str:
    handlers = Handlers()

    async def refuse(ctx: JobContext) -> None:
        raise Discard(code, "No.")

    handlers.add(kind("refuse", queue="mail"), refuse)
    async with jobs.working(handlers):
        job_id = await jobs.add("refuse", org_id, queue="mail")
        await jobs.until_state(job_id, "failed")
    return job_id


async def test_rows_in_json_are_what_the_api_makes_of_the_messages(jobs: Jobs, servicer: JobsServicer) -> None:
    handlers = Handlers()

    async def answer(ctx: JobContext) -> dict[str, object]:
        return {"words": ["a", "€"], "count": 3, "share": 0.5, "none": None}

    handlers.add(kind("answer", queue="mail"), answer)
    async with jobs.working(handlers):
        await jobs.until_state(await jobs.add("answer", "org_json", queue="mail"), "completed")
    await fail_one(jobs, "org_json")
    await jobs.add("never", "org_json", queue="idle")
    with caller("org_json"):
        messages = await servicer.ListJobs(jobs_pb2.ListJobsRequest(), None)
        asked = jobs_pb2.ListJobsRequest(page=common_pb2.PageRequest(json_rows=True))
        in_json = await servicer.ListJobs(asked, None)
    rows = [msgspec.to_builtins(job_row_from_proto(job)) for job in messages.jobs]
    assert msgspec.json.decode(in_json.page_info.json_rows) == rows
    assert [row["id"] for row in rows] == [row.id for row in rows_of_json(in_json.page_info.json_rows)]


async def test_a_job_with_its_attempts_error_and_result(jobs: Jobs, servicer: JobsServicer) -> None:
    handlers = Handlers()

    async def second_time(ctx: JobContext) -> dict[str, object]:
        if ctx.job.attempt == 1:
            raise ValueError
        return {"pages": 3, "title": "x"}

    handlers.add(kind("read", backoff=(0.0,)), second_time)
    async with jobs.working(handlers):
        job_id = await jobs.add("read")
        await jobs.until_state(job_id, "completed")
    with caller():
        job = (await servicer.GetJob(jobs_pb2.GetJobRequest(id=job_id), None)).job
    assert (job.state, job.progress, job.attempt, job.max_attempts) == (jobs_pb2.JOB_STATE_COMPLETED, 100, 2, 3)
    assert [(a.attempt, a.outcome, a.error.code) for a in job.attempts] == [
        (1, "retried", "unexpected_error"), (2, "completed", ""),
    ]  # fmt: skip
    assert dict(job.result) == {"pages": 3, "title": "x"}
    assert job.service == SERVICE
    assert job.create_time.seconds <= job.start_time.seconds <= job.finish_time.seconds


async def test_a_foreign_job_is_as_absent_as_an_unknown_one(jobs: Jobs, servicer: JobsServicer) -> None:
    job_id = await jobs.add("k", "org_b")
    refusals = []
    for wanted in (job_id, "job_widgets_00000000000000000000000000"):
        for act in (
            servicer.GetJob(jobs_pb2.GetJobRequest(id=wanted), None),
            servicer.CancelJob(jobs_pb2.CancelJobRequest(id=wanted), None),
            servicer.RetryJob(jobs_pb2.RetryJobRequest(id=wanted), None),
        ):
            with caller(), pytest.raises(NotFound) as refusal:
                await act
            refusals.append(str(refusal.value))
    assert len(set(refusals)) == 1
    assert (await jobs.row(job_id))["state"] == "queued"


async def test_rights_are_those_of_the_service_s_things(jobs: Jobs, servicer: JobsServicer) -> None:
    job_id = await jobs.add("k")
    with caller("org_a", "widgets:read"):
        await servicer.GetJob(jobs_pb2.GetJobRequest(id=job_id), None)
        with pytest.raises(PermissionDenied):
            await servicer.CancelJob(jobs_pb2.CancelJobRequest(id=job_id), None)
    with caller("org_a", "calls:read"), pytest.raises(PermissionDenied):
        await servicer.ListJobs(jobs_pb2.ListJobsRequest(), None)


async def test_lists_filter_and_page(jobs: Jobs, servicer: JobsServicer) -> None:
    waiting = [await jobs.add("k") for _ in range(3)]
    later = await jobs.add("k", delay=3600)
    await jobs.add("other", "org_b")
    dead = await fail_one(jobs)
    with caller():
        everything = await servicer.ListJobs(jobs_pb2.ListJobsRequest(), None)
        assert [job.id for job in everything.jobs] == [dead, later, *reversed(waiting)]
        assert everything.page_info.total == 5
        scheduled = await servicer.ListJobs(jobs_pb2.ListJobsRequest(states=[jobs_pb2.JOB_STATE_SCHEDULED]), None)
        assert [job.id for job in scheduled.jobs] == [later]
        kinds = await servicer.ListJobs(jobs_pb2.ListJobsRequest(kind="refuse", queue="mail"), None)
        assert [job.id for job in kinds.jobs] == [dead]
        first = await servicer.ListJobs(
            jobs_pb2.ListJobsRequest(page=common_pb2.PageRequest(limit=2, cursor_mode=True)), None
        )
        second = await servicer.ListJobs(
            jobs_pb2.ListJobsRequest(page=common_pb2.PageRequest(limit=3, cursor=first.page_info.next_cursor)), None
        )
        assert [job.id for job in (*first.jobs, *second.jobs)] == [dead, later, *reversed(waiting)]
        letters = await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(), None)
        assert [(job.id, job.error.code) for job in letters.jobs] == [(dead, "bad_input")]


async def test_cancel_waiting_then_retry(jobs: Jobs, servicer: JobsServicer) -> None:
    job_id = await jobs.add("k", delay=3600)
    with caller():
        cancelled = (await servicer.CancelJob(jobs_pb2.CancelJobRequest(id=job_id), None)).job
        assert cancelled.state == jobs_pb2.JOB_STATE_CANCELLED
        with pytest.raises(FailedPrecondition):
            await servicer.CancelJob(jobs_pb2.CancelJobRequest(id=job_id), None)
        again = (await servicer.RetryJob(jobs_pb2.RetryJobRequest(id=job_id), None)).job
        assert (again.state, again.attempt) == (jobs_pb2.JOB_STATE_QUEUED, 0)
        with pytest.raises(FailedPrecondition):
            await servicer.RetryJob(jobs_pb2.RetryJobRequest(id=job_id), None)


async def test_a_retry_yields_to_a_live_job_with_its_key(jobs: Jobs, servicer: JobsServicer) -> None:
    job_id = await jobs.add("k", unique_key="sync")
    with caller():
        await servicer.CancelJob(jobs_pb2.CancelJobRequest(id=job_id), None)
        await jobs.add("k", unique_key="sync")
        with pytest.raises(FailedPrecondition) as refusal:
            await servicer.RetryJob(jobs_pb2.RetryJobRequest(id=job_id), None)
    assert refusal.value.reason == "job_not_retryable"


async def test_of_two_retries_at_once_with_one_key_the_second_is_told_to_try_again(jobs: Jobs) -> None:
    alike = [await jobs.add("k", unique_key="sync")]
    async with jobs.db.transaction("org_a") as conn:
        await queries.cancel(conn, alike[0], "org_a")
    alike.append(await jobs.add("k", unique_key="sync"))
    async with jobs.db.transaction("org_a") as conn:
        await queries.cancel(conn, alike[1], "org_a")

    async def retry(job_id: str) -> None:
        async with jobs.db.transaction("org_a") as conn:
            await queries.retry(conn, SERVICE, job_id, "org_a")

    async with jobs.db.transaction("org_a") as conn:
        await queries.retry(conn, SERVICE, alike[0], "org_a")
        second = asyncio.create_task(retry(alike[1]))
        await someone_waits(jobs.db)
    with pytest.raises(Aborted, match="unique key"):
        await second
    assert [(await jobs.row(job_id))["state"] for job_id in alike] == ["queued", "cancelled"]


async def test_a_write_under_a_key_is_done_once(jobs: Jobs, servicer: JobsServicer) -> None:
    job_id = await jobs.add("k", delay=3600)
    for _ in range(2):
        with caller(key="once"):
            answer = await servicer.CancelJob(jobs_pb2.CancelJobRequest(id=job_id), None)
            assert answer.job.state == jobs_pb2.JOB_STATE_CANCELLED


async def test_dead_letters_replay_by_id_and_by_filter_within_the_organization(
    jobs: Jobs, servicer: JobsServicer
) -> None:
    mine, mine_too, foreign = await fail_one(jobs), await fail_one(jobs, code="other"), await fail_one(jobs, "org_b")
    with caller():
        with pytest.raises(InvalidArgument):
            await servicer.ReplayDeadLetters(jobs_pb2.ReplayDeadLettersRequest(), None)
        request = jobs_pb2.ReplayDeadLettersRequest(ids=[mine, foreign])
        assert (await servicer.ReplayDeadLetters(request, None)).replayed == 1
        request = jobs_pb2.ReplayDeadLettersRequest(queue="mail", error_code="other")
        assert (await servicer.ReplayDeadLetters(request, None)).replayed == 1
    states = {job_id: (await jobs.row(job_id))["state"] for job_id in (mine, mine_too, foreign)}
    assert states == {mine: "queued", mine_too: "queued", foreign: "failed"}
    with operator():
        request = jobs_pb2.ReplayDeadLettersRequest(kind="refuse")
        assert (await servicer.ReplayDeadLetters(request, None)).replayed == 1


async def test_an_operator_lists_everyone_s_dead_letters_and_replays_exactly_one(
    jobs: Jobs, servicer: JobsServicer
) -> None:
    ids = [await fail_one(jobs, org_id) for org_id in ("org_a", "org_b", "org_a")]
    waiting = await jobs.add("refuse", queue="mail")
    with operator():
        listed: list[jobs_pb2.Job] = []
        page = common_pb2.PageRequest(limit=2, cursor_mode=True)
        while True:
            answer = await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(page=page), None)
            listed += answer.jobs
            if not answer.page_info.has_more:
                break
            page = common_pb2.PageRequest(limit=2, cursor=answer.page_info.next_cursor)
        assert [(job.id, job.organization_id) for job in listed] == [
            (ids[2], "org_a"), (ids[1], "org_b"), (ids[0], "org_a"),
        ]  # fmt: skip
        assert {job.error.code for job in listed} == {"bad_input"}
        for request in (jobs_pb2.ListDeadLettersRequest(queue="elsewhere"), jobs_pb2.ListDeadLettersRequest(kind="k")):
            assert not (await servicer.ListDeadLetters(request, None)).jobs
        one = jobs_pb2.ReplayDeadLettersRequest(ids=[listed[1].id])
        assert (await servicer.ReplayDeadLetters(one, None)).replayed == 1
        left = await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(queue="mail", kind="refuse"), None)
        assert [job.id for job in left.jobs] == [ids[2], ids[0]]
    states = [(await jobs.row(job_id))["state"] for job_id in (*ids, waiting)]
    assert states == ["failed", "queued", "failed", "queued"]
    with serving(CallContext(), Principal(role="member", issuer="gateway")), pytest.raises(PermissionDenied):
        await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(), None)


async def test_dead_letters_of_one_unique_key_replay_as_one_the_newest(jobs: Jobs, servicer: JobsServicer) -> None:
    """One at a time may be live, so the others stay where they are instead of keeping all from being replayed."""
    alike, handlers = [], Handlers()

    async def refuse(ctx: JobContext) -> None:
        raise Discard("bad_input", "No.")

    handlers.add(kind("refuse", queue="mail"), refuse)
    async with jobs.working(handlers):
        for org_id, key in (("org_a", "sync"), ("org_a", "sync"), ("org_b", "sync"), ("org_a", None), ("org_a", None)):
            alike.append(await jobs.add("refuse", org_id, queue="mail", unique_key=key))
            await jobs.until_state(alike[-1], "failed")
    older, newer, *others = alike
    with operator():
        request = jobs_pb2.ReplayDeadLettersRequest(kind="refuse")
        assert (await servicer.ReplayDeadLetters(request, None)).replayed == 4
        states = {job_id: (await jobs.row(job_id))["state"] for job_id in alike}
        assert states == {older: "failed"} | dict.fromkeys((newer, *others), "queued")
        assert (await servicer.ReplayDeadLetters(request, None)).replayed == 0
    with caller():
        await servicer.CancelJob(jobs_pb2.CancelJobRequest(id=newer), None)
        # Chosen by its id, the older one goes: it need not be the newest, only the one that was asked for.
        request = jobs_pb2.ReplayDeadLettersRequest(ids=[older])
        assert (await servicer.ReplayDeadLetters(request, None)).replayed == 1


async def test_a_cursor_of_another_list_is_refused(jobs: Jobs, servicer: JobsServicer) -> None:
    for _ in range(2):
        await fail_one(jobs)
    page = common_pb2.PageRequest(limit=1, cursor_mode=True)
    with operator():
        of_all = await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(page=page), None)
    with caller():
        mine = await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(page=page), None)
    of_one, of_everyone = mine.page_info.next_cursor, of_all.page_info.next_cursor
    for view, cursor, wanted in (
        (operator(), of_one, ""),
        (caller(), of_everyone, ""),
        (operator(), of_everyone, "x"),
    ):
        foreign = common_pb2.PageRequest(limit=1, cursor=cursor)
        with view, pytest.raises(InvalidArgument) as refusal:
            await servicer.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(page=foreign, kind=wanted), None)
        assert refusal.value.reason == "invalid_cursor"


async def test_queues_in_figures_paused_for_one_organization_or_for_all(jobs: Jobs, servicer: JobsServicer) -> None:
    await fail_one(jobs)
    await fail_one(jobs, "org_b")
    waiting, foreign = await jobs.add("refuse", queue="mail"), await jobs.add("refuse", "org_b", queue="mail")
    await jobs.add("refuse", queue="mail", delay=3600)
    with caller():
        [queue] = (await servicer.ListQueues(jobs_pb2.ListQueuesRequest(), None)).queues
        assert (queue.name, queue.waiting, queue.delayed, queue.failed, queue.paused) == ("mail", 1, 1, 1, False)
        assert queue.finished_per_second > 0
        paused = await servicer.PauseQueue(jobs_pb2.PauseQueueRequest(queue="mail"), None)
        assert paused.queue.paused
        with pytest.raises(NotFound):
            await servicer.PauseQueue(jobs_pb2.PauseQueueRequest(queue="nowhere"), None)
    with operator():
        [queue] = (await servicer.ListQueues(jobs_pb2.ListQueuesRequest(), None)).queues
        assert (queue.waiting, queue.failed, queue.paused) == (2, 2, False)
    handlers = Handlers()

    async def nothing(ctx: JobContext) -> None:
        return None

    handlers.add(kind("refuse", queue="mail"), nothing)
    async with jobs.working(handlers):
        await jobs.until_state(foreign, "completed")
        assert (await jobs.row(waiting))["state"] == "queued"
        with caller():
            await servicer.ResumeQueue(jobs_pb2.ResumeQueueRequest(queue="mail"), None)
        async with asyncio.timeout(5):
            await jobs.until_state(waiting, "completed")


async def test_schedules_are_listed(jobs: Jobs, servicer: JobsServicer) -> None:
    handlers = Handlers()

    async def nothing(ctx: JobContext) -> None:
        return None

    handlers.add(kind("roll.up"), nothing)
    handlers.cron("nightly", "0 3 * * *", kind("roll.up"), tz="Europe/Berlin")
    async with jobs.working(handlers):

        async def declared() -> bool:
            return bool(await jobs.db.system_fetchval("select count(*) from job_schedule"))

        await jobs.until(declared)
    with caller():
        [schedule] = (await servicer.ListSchedules(jobs_pb2.ListSchedulesRequest(), None)).schedules
    assert (schedule.name, schedule.cron, schedule.time_zone) == ("nightly", "0 3 * * *", "Europe/Berlin")
    assert schedule.next_fire_time.seconds > 0
