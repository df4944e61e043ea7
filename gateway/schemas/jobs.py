"""Jobs, queues and schedules as the API shows them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from echosenseix.jobs.v1 import jobs_pb2 as pb
from gateway.http.schema import Answer, Body, CreatedListQuery
from gateway.http.wire import struct_to_json, time_to_json
from gateway.schemas.shapes import ServiceName

StateName = Literal["scheduled", "queued", "running", "completed", "failed", "cancelled"]
STATES: dict[str, pb.JobState.ValueType] = {
    "scheduled": pb.JOB_STATE_SCHEDULED,
    "queued": pb.JOB_STATE_QUEUED,
    "running": pb.JOB_STATE_RUNNING,
    "completed": pb.JOB_STATE_COMPLETED,
    "failed": pb.JOB_STATE_FAILED,
    "cancelled": pb.JOB_STATE_CANCELLED,
}
_STATE = f"({'|'.join(STATES)})"
_STATE_NAMES: dict[int, str] = {number: name for name, number in STATES.items()}
_LANES = {pb.JOB_LANE_HIGH: "high", pb.JOB_LANE_NORMAL: "normal", pb.JOB_LANE_LOW: "low"}


class JobError(Answer):
    code: str
    message: str


class JobRow(Answer):
    id: str
    service: str
    kind: str
    queue: str
    lane: str | None
    state: str | None
    progress: int
    attempt: int
    max_attempts: int
    error: JobError | None
    result: dict[str, Any] | None
    cancel_requested: bool
    stalls: int
    created_at: str | None
    run_at: str | None
    started_at: str | None
    finished_at: str | None


class Attempt(Answer):
    attempt: int
    worker: str | None
    outcome: str | None
    error: JobError | None
    started_at: str | None
    ended_at: str | None


class Job(JobRow):
    attempts: list[Attempt]


class Queue(Answer):
    service: str
    name: str
    paused: bool
    waiting: int
    active: int
    delayed: int
    failed: int
    completed: int
    oldest_age_seconds: float
    wait_p95_seconds: float
    run_p95_seconds: float
    finished_per_second: float


class Schedule(Answer):
    name: str
    kind: str
    cron: str
    time_zone: str
    catch_up: str
    next_fire_at: str | None
    last_fire_at: str | None


class Replayed(Answer):
    replayed: int


class ReplayBody(Body):
    """Ids, or a filter of which all given must match; at most 1,000 at once for each service."""

    one_of = (("ids",), ("service",), ("queue",), ("kind",), ("errorCode",))
    ids: Annotated[list[str], Meta(min_length=1, max_length=1000)] | None = None
    service: ServiceName | None = None
    queue: Annotated[str, Meta(max_length=100)] | None = None
    kind: Annotated[str, Meta(max_length=100)] | None = None
    error_code: Annotated[str, Meta(max_length=100)] | None = None


class JobQuery(CreatedListQuery):
    state: Annotated[str, Meta(pattern=f"^{_STATE}(,{_STATE})*$", description="Comma list of states.")] | None = None
    kind: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    queue: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class DeadLetterQuery(CreatedListQuery):
    kind: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    queue: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


def _error(message: pb.Job | pb.JobAttempt) -> JobError | None:
    if not message.HasField("error"):
        return None
    return JobError(code=message.error.code, message=message.error.message)


def job_row_from_proto(job: pb.Job) -> JobRow:
    return JobRow(
        id=job.id,
        service=job.service,
        kind=job.kind,
        queue=job.queue,
        lane=_LANES.get(job.lane),
        state=_STATE_NAMES.get(job.state),
        progress=job.progress,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        error=_error(job),
        result=struct_to_json(job.result) if job.HasField("result") else None,
        cancel_requested=job.cancel_requested,
        stalls=job.stalls,
        created_at=time_to_json(job.create_time),
        run_at=time_to_json(job.run_time),
        started_at=time_to_json(job.start_time),
        finished_at=time_to_json(job.finish_time),
    )


def job_from_proto(job: pb.Job) -> Job:
    row = job_row_from_proto(job)
    return Job(**msgspec.structs.asdict(row), attempts=[_attempt(attempt) for attempt in job.attempts])


def _attempt(attempt: pb.JobAttempt) -> Attempt:
    return Attempt(
        attempt=attempt.attempt,
        worker=attempt.worker or None,
        outcome=attempt.outcome or None,
        error=_error(attempt),
        started_at=time_to_json(attempt.start_time),
        ended_at=time_to_json(attempt.end_time),
    )


def queue_from_proto(queue: pb.Queue) -> Queue:
    return Queue(
        service=queue.service,
        name=queue.name,
        paused=queue.paused,
        waiting=queue.waiting,
        active=queue.active,
        delayed=queue.delayed,
        failed=queue.failed,
        completed=queue.completed,
        oldest_age_seconds=queue.oldest_age_seconds,
        wait_p95_seconds=queue.wait_p95_seconds,
        run_p95_seconds=queue.run_p95_seconds,
        finished_per_second=queue.finished_per_second,
    )


def schedule_from_proto(schedule: pb.Schedule) -> Schedule:
    return Schedule(
        name=schedule.name,
        kind=schedule.kind,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        catch_up=schedule.catch_up,
        next_fire_at=time_to_json(schedule.next_fire_time),
        last_fire_at=time_to_json(schedule.last_fire_time),
    )
