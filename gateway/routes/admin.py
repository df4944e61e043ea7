"""Queues, dead letters and schedules of the organization in all services, the local mailbox, and for operators the
figures of the whole suite."""

import asyncio
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from echosenseix.identity.v1 import operators_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from echosenseix.realtime.v1 import realtime_pb2
from gateway.http import lists, responses
from gateway.http.fan_out import ask_all
from gateway.http.merged_lists import FetchPage, merged_page
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery, WholeListQuery
from gateway.routes.jobs import owner
from gateway.schemas.figures import Figures, FiguresQuery
from gateway.schemas.jobs import (
    DeadLetterQuery,
    JobRow,
    Queue,
    ReplayBody,
    Replayed,
    Schedule,
    job_row_from_proto,
    queue_from_proto,
    schedule_from_proto,
)
from gateway.schemas.realtime import Mail, MailQuery, mail_from_proto
from gateway.state import ApiRequest
from libs.errors import InvalidArgument, NotFound, Violation
from libs.ids import job_owner
from suite.services import SERVICES

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub

# Queues show work of all areas, so only a caller with every scope may see them.
_EVERYTHING = "*"


async def list_queues(request: ApiRequest[WholeListQuery, NoBody]) -> Response:
    stubs = request.app.clients.jobs.values()
    # A service that does not answer fails the list: a page without its queues would look complete.
    answers = await asyncio.gather(*(stub.ListQueues(pb.ListQueuesRequest()) for stub in stubs))
    rows = [queue_from_proto(queue) for answer in answers for queue in answer.queues]
    return lists.list_response(
        request, lists.whole_list(rows, request.query, request.app.cursors, f"queues|{request.principal.org_id}")
    )


async def pause_queue(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await _service(request).PauseQueue(pb.PauseQueueRequest(queue=request.path_params["queue"]))
    return responses.ok(queue_from_proto(answer.queue))


async def resume_queue(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await _service(request).ResumeQueue(pb.ResumeQueueRequest(queue=request.path_params["queue"]))
    return responses.ok(queue_from_proto(answer.queue))


async def list_dead_letters(request: ApiRequest[DeadLetterQuery, NoBody]) -> Response:
    query = request.query

    def fetcher(stub: "JobsServiceAsyncStub") -> FetchPage[pb.Job]:
        async def fetch(page: common_pb2.PageRequest) -> tuple[list[pb.Job], common_pb2.PageInfo]:
            answer = await stub.ListDeadLetters(
                pb.ListDeadLettersRequest(page=page, kind=query.kind or "", queue=query.queue or "")
            )
            return list(answer.jobs), answer.page_info

        return fetch

    fetchers = {name: fetcher(stub) for name, stub in request.app.clients.jobs.items()}
    scope = f"dead|{request.principal.org_id}|{query.kind}|{query.queue}"
    answer = await merged_page(
        lists.page_request(request.query), fetchers, request.app.cursors, scope, job_row_from_proto
    )
    return lists.list_response(request, answer)


async def replay_dead_letters(request: ApiRequest[NoQuery, ReplayBody]) -> Response:
    requests = _replays_by_id(request) if request.data.ids else _replays_by_filter(request)
    answers = await ask_all(partial(stub.ReplayDeadLetters, message) for stub, message in requests)
    return responses.ok(Replayed(replayed=sum(answer.replayed for answer in answers)), 202)


async def list_schedules(request: ApiRequest[WholeListQuery, NoBody]) -> Response:
    stubs = request.app.clients.jobs.values()
    answers = await asyncio.gather(*(stub.ListSchedules(pb.ListSchedulesRequest()) for stub in stubs))
    rows = [schedule_from_proto(schedule) for answer in answers for schedule in answer.schedules]
    return lists.list_response(
        request, lists.whole_list(rows, request.query, request.app.cursors, f"schedules|{request.principal.org_id}")
    )


async def list_mail(request: ApiRequest[MailQuery, NoBody]) -> Response:
    answer = await request.app.clients.realtime.ListMail(
        realtime_pb2.ListMailRequest(
            page=lists.page_request(request.query), unregistered=bool(request.query.unregistered)
        )
    )
    return lists.page_response(request, answer.mails, answer.page_info, mail_from_proto)


async def get_figures(request: ApiRequest[FiguresQuery, NoBody]) -> Response:
    await request.app.clients.operators.CheckOperator(operators_pb2.CheckOperatorRequest())
    return responses.ok(request.app.history.figures(request.query.after))


_Replay = tuple["JobsServiceAsyncStub", pb.ReplayDeadLettersRequest]


def _replays_by_id(request: ApiRequest[Any, ReplayBody]) -> list[_Replay]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for job_id in request.data.ids or ():
        # An id that names no service is refused by `owner` below.
        ids[job_owner(job_id) or ""].append(job_id)
    return [(owner(request, members[0]), pb.ReplayDeadLettersRequest(ids=members)) for members in ids.values()]


def _replays_by_filter(request: ApiRequest[Any, ReplayBody]) -> list[_Replay]:
    body = request.data
    if not (body.service or body.queue or body.kind or body.error_code):
        detail = "Name ids, or at least one of service, queue, kind and errorCode."
        raise InvalidArgument("validation_failed", detail, violations=[Violation("#/ids", "required", detail)])
    message = pb.ReplayDeadLettersRequest(
        queue=body.queue or "", kind=body.kind or "", error_code=body.error_code or ""
    )
    # A filter without a service asks all of them; each replays what it owns.
    names = [body.service] if body.service else list(request.app.clients.jobs)
    return [(request.app.clients.jobs[name], message) for name in names]


async def queue_subject(request: ApiRequest[Any, Any]) -> int:
    """Whether there is such a queue; queues have no versions."""
    answer = await _service(request).ListQueues(pb.ListQueuesRequest())
    if request.path_params["queue"] not in {queue.name for queue in answer.queues}:
        raise NotFound("queue_not_found", "No such queue.")
    return 0


def _service(request: ApiRequest[Any, Any]) -> "JobsServiceAsyncStub":
    stub = request.app.clients.jobs.get(request.path_params["service"])
    if stub is None:
        raise NotFound("queue_not_found", "No such queue.")
    return stub


_QUEUE = {"service": {"type": "string", "enum": list(SERVICES)}}

ROUTES = tagged(
    "Operations",
    Route(
        "GET",
        "/api/admin/figures",
        get_figures,
        "Read the last hour of the suite's figures, for the platform's own organization",
        scope=_EVERYTHING,
        query=FiguresQuery,
        answer=Figures,
    ),
    Route(
        "GET",
        "/api/admin/queues",
        list_queues,
        "List queues with their figures",
        scope=_EVERYTHING,
        query=WholeListQuery,
        answer=list[Queue],
    ),
    Route(
        "POST",
        "/api/admin/queues/{service}/{queue}/pause",
        pause_queue,
        "Start no more jobs of a queue",
        scope=_EVERYTHING,
        answer=Queue,
        subject=queue_subject,
        segments=_QUEUE,
    ),
    Route(
        "POST",
        "/api/admin/queues/{service}/{queue}/resume",
        resume_queue,
        "Start jobs of a queue again",
        scope=_EVERYTHING,
        answer=Queue,
        subject=queue_subject,
        segments=_QUEUE,
    ),
    Route(
        "GET",
        "/api/admin/dead-letters",
        list_dead_letters,
        "List jobs that failed for good",
        scope=_EVERYTHING,
        query=DeadLetterQuery,
        answer=list[JobRow],
    ),
    Route(
        "POST",
        "/api/admin/dead-letters/replay",
        replay_dead_letters,
        "Run dead letters again",
        scope=_EVERYTHING,
        body=ReplayBody,
        example={"kind": "document.process"},
        answer=Replayed,
        status=202,
        problems=(404,),
    ),
    Route(
        "GET",
        "/api/admin/schedules",
        list_schedules,
        "List schedules",
        scope=_EVERYTHING,
        query=WholeListQuery,
        answer=list[Schedule],
    ),
    Route(
        "GET",
        "/api/admin/mail",
        list_mail,
        "Read the local mailbox",
        scope=_EVERYTHING,
        query=MailQuery,
        answer=list[Mail],
    ),
)
