"""The gRPC methods of a service's queue, the same in every service, behind GET /api/jobs and the operators' routes.

A caller sees and changes the jobs of its own organization (libs.rpc.access), and a pause applies to that
organization alone. libs.events.servicer serves dead events.
"""

from google.protobuf.struct_pb2 import Struct

from echosenseix.jobs.v1 import jobs_pb2
from libs.errors import InvalidArgument, NotFound
from libs.jobs.admin import queries
from libs.jobs.admin.list_rows import job_row
from libs.jobs.job import decode_json
from libs.jobs.store.leases import organization_of_held
from libs.postgres import Connection, Record
from libs.rpc.access import BackgroundAccess
from libs.rpc.context import require_service
from libs.rpc.paging import json_page, page_info_to_proto, page_request_from_proto
from libs.rpc.times import to_timestamp

_STATES = {name.removeprefix("JOB_STATE_").lower(): number for name, number in jobs_pb2.JobState.items()}
_STATE_NAMES = {number: name for name, number in _STATES.items()}


class JobMethods(BackgroundAccess):
    """JobsService's methods about jobs, queues and schedules; libs.runtime.service composes the servicer."""

    async def GetJob(self, request: jobs_pb2.GetJobRequest, context: object) -> jobs_pb2.GetJobResponse:
        return jobs_pb2.GetJobResponse(job=await self._job(self._db.system_fetch, request.id, self._seen("read")))

    async def ConfirmJob(self, request: jobs_pb2.ConfirmJobRequest, context: object) -> jobs_pb2.ConfirmJobResponse:
        require_service()
        org_id = await organization_of_held(self._db, request.job_id, request.lease)
        if not org_id:
            raise NotFound("job_not_found", "No worker holds this job by this lease.")
        return jobs_pb2.ConfirmJobResponse(organization_id=org_id)

    async def ListJobs(self, request: jobs_pb2.ListJobsRequest, context: object) -> jobs_pb2.ListJobsResponse:
        wanted = page_request_from_proto(request.page, queries.RULES)
        states = [_STATE_NAMES[number] for number in request.states if number in _STATE_NAMES]
        page = await queries.list_jobs(
            self._db, self._one_org(), wanted, self._codec, states=states, kind=request.kind, queue=request.queue
        )
        if request.page.json_rows:
            rows = [job_row(self._service, row) for row in page.items]
            return jobs_pb2.ListJobsResponse(page_info=json_page(page, rows))
        jobs = [self._job_to_proto(row) for row in page.items]
        return jobs_pb2.ListJobsResponse(jobs=jobs, page_info=page_info_to_proto(page))

    async def CancelJob(self, request: jobs_pb2.CancelJobRequest, context: object) -> jobs_pb2.CancelJobResponse:
        org_id = self._seen("write")

        async def act(conn: Connection) -> jobs_pb2.CancelJobResponse:
            await queries.cancel(conn, request.id, org_id)
            return jobs_pb2.CancelJobResponse(job=await self._job(conn.fetch, request.id, org_id))

        return await self._write(org_id, act, jobs_pb2.CancelJobResponse)

    async def RetryJob(self, request: jobs_pb2.RetryJobRequest, context: object) -> jobs_pb2.RetryJobResponse:
        org_id = self._seen("write")

        async def act(conn: Connection) -> jobs_pb2.RetryJobResponse:
            await queries.retry(conn, self._service, request.id, org_id)
            return jobs_pb2.RetryJobResponse(job=await self._job(conn.fetch, request.id, org_id))

        return await self._write(org_id, act, jobs_pb2.RetryJobResponse)

    async def ListQueues(self, request: jobs_pb2.ListQueuesRequest, context: object) -> jobs_pb2.ListQueuesResponse:
        figures = await queries.queue_figures(self._db, self._seen("read"))
        return jobs_pb2.ListQueuesResponse(queues=[self._queue_to_proto(name, row) for name, row in figures])

    async def PauseQueue(self, request: jobs_pb2.PauseQueueRequest, context: object) -> jobs_pb2.PauseQueueResponse:
        org_id = self._seen("write")

        async def act(conn: Connection) -> jobs_pb2.PauseQueueResponse:
            await queries.pause(conn, request.queue, org_id)
            figures = await queries.one_queue(conn.fetch, request.queue, org_id)
            return jobs_pb2.PauseQueueResponse(queue=self._queue_to_proto(request.queue, figures))

        return await self._write(org_id, act, jobs_pb2.PauseQueueResponse)

    async def ResumeQueue(self, request: jobs_pb2.ResumeQueueRequest, context: object) -> jobs_pb2.ResumeQueueResponse:
        org_id = self._seen("write")

        async def act(conn: Connection) -> jobs_pb2.ResumeQueueResponse:
            await queries.resume(conn, self._service, request.queue, org_id)
            figures = await queries.one_queue(conn.fetch, request.queue, org_id)
            return jobs_pb2.ResumeQueueResponse(queue=self._queue_to_proto(request.queue, figures))

        return await self._write(org_id, act, jobs_pb2.ResumeQueueResponse)

    async def ListDeadLetters(
        self, request: jobs_pb2.ListDeadLettersRequest, context: object
    ) -> jobs_pb2.ListDeadLettersResponse:
        wanted = page_request_from_proto(request.page, queries.RULES)
        chosen = {"kind": request.kind, "queue": request.queue}
        if (org_id := self._seen("read")) is None:
            page = await queries.list_dead_of_all(self._db, wanted, self._codec, **chosen)
        else:
            page = await queries.list_dead(self._db, org_id, wanted, self._codec, **chosen)
        jobs = [self._job_to_proto(row) for row in page.items]
        return jobs_pb2.ListDeadLettersResponse(jobs=jobs, page_info=page_info_to_proto(page))

    async def ReplayDeadLetters(
        self, request: jobs_pb2.ReplayDeadLettersRequest, context: object
    ) -> jobs_pb2.ReplayDeadLettersResponse:
        org_id = self._seen("write")
        if len(request.ids) > queries.REPLAY_AT_MOST:
            raise InvalidArgument("invalid_value", "Replay at most 1,000 jobs at once.")
        if not (request.ids or request.queue or request.kind or request.error_code):
            raise InvalidArgument("invalid_value", "Say which jobs: by ids, or by queue, kind or errorCode.")

        async def act(conn: Connection) -> jobs_pb2.ReplayDeadLettersResponse:
            replayed = await queries.replay(
                conn, self._service, org_id, request.ids, request.queue, request.kind, request.error_code
            )
            return jobs_pb2.ReplayDeadLettersResponse(replayed=replayed)

        return await self._write(org_id, act, jobs_pb2.ReplayDeadLettersResponse)

    async def ListSchedules(
        self, request: jobs_pb2.ListSchedulesRequest, context: object
    ) -> jobs_pb2.ListSchedulesResponse:
        self._seen("read")
        rows = await queries.schedules(self._db)
        return jobs_pb2.ListSchedulesResponse(schedules=[_schedule_to_proto(row) for row in rows])

    def _one_org(self) -> str:
        org_id = self._seen("read")
        if org_id is None:
            raise InvalidArgument("invalid_value", "Say for which organization you list jobs.")
        return org_id

    async def _job(self, fetch: queries.Fetch, job_id: str, org_id: str | None) -> jobs_pb2.Job:
        row, attempts = await queries.get(fetch, job_id, org_id)
        job = self._job_to_proto(row)
        job.attempts.extend(_attempt_to_proto(attempt) for attempt in attempts)
        if row["state"] in ("completed", "running"):
            # The attempt that runs, or that completed the job, is the job's own row.
            job.attempts.add(
                attempt=row["attempt"], worker=row["worker"] or "", start_time=to_timestamp(row["started_at"]),
                end_time=to_timestamp(row["finished_at"]), outcome="completed" if row["finished_at"] else "",
            )  # fmt: skip
        return job

    def _job_to_proto(self, row: Record) -> jobs_pb2.Job:
        job = jobs_pb2.Job(
            id=row["id"], organization_id=row["org_id"], kind=row["kind"], queue=row["queue"], service=self._service,
            state=_STATES[row["state"]], lane=row["lane"] + 1, progress=row["progress"], attempt=row["attempt"],
            max_attempts=row["max_attempts"], stalls=row["stalls"], cancel_requested=row["cancel_requested"],
            error=_error(row), create_time=to_timestamp(row["created_at"]), run_time=to_timestamp(row["run_at"]),
            start_time=to_timestamp(row["started_at"]), finish_time=to_timestamp(row["finished_at"]),
        )  # fmt: skip
        if row["result"] is not None:
            job.result.CopyFrom(_struct(row["result"]))
        return job

    def _queue_to_proto(self, name: str, row: Record) -> jobs_pb2.Queue:
        return jobs_pb2.Queue(
            service=self._service, name=name, paused=row["paused"], waiting=row["waiting"], active=row["active"],
            delayed=row["delayed"], failed=row["failed"], completed=row["completed"], oldest_age_seconds=row["oldest"],
            wait_p95_seconds=max(0.0, row["wait_p95"] or 0.0), run_p95_seconds=row["run_p95"] or 0.0,
            finished_per_second=float(row["finished_per_second"]),
        )  # fmt: skip


def _attempt_to_proto(row: Record) -> jobs_pb2.JobAttempt:
    return jobs_pb2.JobAttempt(
        attempt=row["attempt"], worker=row["worker"] or "", outcome=row["outcome"], error=_error(row),
        start_time=to_timestamp(row["started_at"]), end_time=to_timestamp(row["ended_at"]),
    )  # fmt: skip


def _schedule_to_proto(row: Record) -> jobs_pb2.Schedule:
    return jobs_pb2.Schedule(
        name=row["name"], kind=row["kind"], cron=row["cron"], time_zone=row["time_zone"], catch_up=row["catch_up"],
        next_fire_time=to_timestamp(row["next_fire_at"]), last_fire_time=to_timestamp(row["last_fire_at"]),
    )  # fmt: skip


def _error(row: Record) -> jobs_pb2.JobError | None:
    if row["error_code"] is None:
        return None
    return jobs_pb2.JobError(code=row["error_code"], message=row["error_message"] or "")


def _struct(text: str) -> Struct:
    struct = Struct()
    struct.update(decode_json(text))
    return struct
