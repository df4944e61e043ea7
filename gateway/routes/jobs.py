"""Jobs of all services in one list; a job's id names the service that owns it."""

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from gateway.http import lists, responses
from gateway.http.merged_lists import FetchPage, ShownRow, merged_page, rows_of_json
from gateway.http.query import words
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.jobs import STATES, Job, JobQuery, JobRow, job_from_proto, job_row_from_proto
from gateway.state import ApiRequest
from libs.errors import NotFound
from libs.ids import job_owner
from suite.services import SERVICES

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub


async def list_jobs(request: ApiRequest[JobQuery, NoBody]) -> Response:
    """Of the services that the caller may read."""
    query, states = request.query, words(request.query.state)
    wanted = [STATES[state] for state in states]

    def fetcher(stub: "JobsServiceAsyncStub") -> FetchPage[ShownRow]:
        async def fetch(page: common_pb2.PageRequest) -> tuple[list[ShownRow], common_pb2.PageInfo]:
            answer = await stub.ListJobs(
                pb.ListJobsRequest(page=page, states=wanted, kind=query.kind or "", queue=query.queue or "")
            )
            if answer.page_info.json_rows:
                return rows_of_json(answer.page_info.json_rows), answer.page_info
            return [ShownRow(job.id, job_row_from_proto(job)) for job in answer.jobs], answer.page_info

        return fetch

    # A caller without a service's scope sees a list without it, as if it had no jobs.
    readable = {name: stub for name, stub in request.app.clients.jobs.items() if _may(request, name, "read")}
    fetchers = {name: fetcher(stub) for name, stub in readable.items()}
    scope = f"jobs|{request.principal.org_id}|{sorted(states)}|{query.kind}|{query.queue}"
    answer = await merged_page(
        lists.page_request(request.query), fetchers, request.app.cursors, scope, attrgetter("shown")
    )
    return lists.list_response(request, answer)


async def get_job(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await owner(request, request.id).GetJob(pb.GetJobRequest(id=request.id))
    return responses.ok(job_from_proto(answer.job))


async def job_subject(request: ApiRequest[Any, Any]) -> int:
    """Whether there is such a job; jobs have no versions."""
    # The service checks the scope; the id alone names the service.
    await owner(request, request.id).GetJob(pb.GetJobRequest(id=request.id))
    return 0


async def cancel_job(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await owner(request, request.id).CancelJob(pb.CancelJobRequest(id=request.id))
    return responses.ok(job_from_proto(answer.job))


async def retry_job(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await owner(request, request.id).RetryJob(pb.RetryJobRequest(id=request.id))
    return responses.accepted(job_from_proto(answer.job), f"/api/jobs/{answer.job.id}")


def owner(request: ApiRequest[Any, Any], job_id: str) -> "JobsServiceAsyncStub":
    """The stub of the service whose job this is."""
    stub = request.app.clients.jobs.get(job_owner(job_id) or "")
    if stub is None:
        raise NotFound("job_not_found", "No such job.")
    return stub


def _may(request: ApiRequest[Any, Any], service: str, verb: str) -> bool:
    return request.principal.has_scope(f"{SERVICES[service].area}:{verb}")


ROUTES = tagged(
    "Jobs",
    Route(
        "GET",
        "/api/jobs",
        list_jobs,
        "List jobs of the services that the caller may read",
        query=JobQuery,
        answer=list[JobRow],
    ),
    Route("GET", "/api/jobs/{id}", get_job, "Read a job", answer=Job, problems=(403,)),
    Route(
        "POST",
        "/api/jobs/{id}/cancel",
        cancel_job,
        "Cancel a job",
        answer=Job,
        subject=job_subject,
        problems=(403,),
    ),
    Route(
        "POST",
        "/api/jobs/{id}/retry",
        retry_job,
        "Run a failed or cancelled job again",
        answer=Job,
        status=202,
        subject=job_subject,
        problems=(403,),
    ),
)
