"""Operations: queues, dead letters and schedules of the organisation over all services, and the local mailbox."""

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from echosenseix.realtime.v1 import realtime_pb2
from gateway.http.lists import whole_list
from gateway.http.merged_lists import FetchPage, merged_page
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import ListQuery, NoBody, NoQuery, WholeListQuery
from gateway.routes.jobs import owner
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
from gateway.schemas.realtime import Mail, mail_from_proto
from libs.errors import InvalidArgument, NotFound, Violation
from libs.ids import job_owner

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub

_EVERYTHING = "*"


async def list_queues(call: Call[WholeListQuery, NoBody]) -> Response:
    stubs = call.clients.jobs.values()
    answers = await asyncio.gather(*(stub.ListQueues(pb.ListQueuesRequest()) for stub in stubs))
    rows = [queue_from_proto(queue) for answer in answers for queue in answer.queues]
    return call.list(whole_list(rows, call.query, call.edge.cursors, f"queues|{call.principal.org_id}"))


async def pause_queue(call: Call[NoQuery, NoBody]) -> Response:
    answer = await _service(call).PauseQueue(pb.PauseQueueRequest(queue=call.params["queue"]))
    return call.ok(queue_from_proto(answer.queue))


async def resume_queue(call: Call[NoQuery, NoBody]) -> Response:
    answer = await _service(call).ResumeQueue(pb.ResumeQueueRequest(queue=call.params["queue"]))
    return call.ok(queue_from_proto(answer.queue))


async def list_dead_letters(call: Call[DeadLetterQuery, NoBody]) -> Response:
    query = call.query

    def fetcher(stub: "JobsServiceAsyncStub") -> FetchPage[pb.Job]:
        async def fetch(page: common_pb2.PageRequest) -> tuple[list[pb.Job], common_pb2.PageInfo]:
            answer = await stub.ListDeadLetters(
                pb.ListDeadLettersRequest(page=page, kind=query.kind or "", queue=query.queue or "")
            )
            return list(answer.jobs), answer.page_info

        return fetch

    fetchers = {name: fetcher(stub) for name, stub in call.clients.jobs.items()}
    scope = f"dead|{call.principal.org_id}|{query.kind}|{query.queue}"
    answer = await merged_page(call.page_request(), fetchers, call.edge.cursors, scope, job_row_from_proto)
    return call.list(answer)


async def replay_dead_letters(call: Call[NoQuery, ReplayBody]) -> Response:
    requests = _replays_by_id(call) if call.body.ids else _replays_by_filter(call)
    answers = await asyncio.gather(*(stub.ReplayDeadLetters(request) for stub, request in requests))
    return call.ok(Replayed(replayed=sum(answer.replayed for answer in answers)), 202)


async def list_schedules(call: Call[WholeListQuery, NoBody]) -> Response:
    stubs = call.clients.jobs.values()
    answers = await asyncio.gather(*(stub.ListSchedules(pb.ListSchedulesRequest()) for stub in stubs))
    rows = [schedule_from_proto(schedule) for answer in answers for schedule in answer.schedules]
    return call.list(whole_list(rows, call.query, call.edge.cursors, f"schedules|{call.principal.org_id}"))


async def list_mail(call: Call[ListQuery, NoBody]) -> Response:
    answer = await call.clients.realtime.ListMail(realtime_pb2.ListMailRequest(page=call.page_request()))
    return call.page(answer.mails, answer.page_info, mail_from_proto)


_Replay = tuple["JobsServiceAsyncStub", pb.ReplayDeadLettersRequest]


def _replays_by_id(call: Call[Any, ReplayBody]) -> list[_Replay]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for job_id in call.body.ids or ():
        ids[job_owner(job_id) or ""].append(job_id)
    return [(owner(call, members[0]), pb.ReplayDeadLettersRequest(ids=members)) for members in ids.values()]


def _replays_by_filter(call: Call[Any, ReplayBody]) -> list[_Replay]:
    body = call.body
    if not (body.service or body.queue or body.kind or body.error_code):
        detail = "Name ids, or at least one of service, queue, kind and errorCode."
        raise InvalidArgument("validation_failed", detail, violations=[Violation("#/ids", "required", detail)])
    request = pb.ReplayDeadLettersRequest(
        queue=body.queue or "", kind=body.kind or "", error_code=body.error_code or ""
    )
    names = [body.service] if body.service else list(call.clients.jobs)
    return [(call.clients.jobs[name], request) for name in names]


async def queue_subject(call: Call[Any, Any]) -> int:
    """Whether there is such a queue; queues have no versions."""
    answer = await _service(call).ListQueues(pb.ListQueuesRequest())
    if call.params["queue"] not in {queue.name for queue in answer.queues}:
        raise NotFound("queue_not_found", "No such queue.")
    return 0


def _service(call: Call[Any, Any]) -> "JobsServiceAsyncStub":
    stub = call.clients.jobs.get(call.params["service"])
    if stub is None:
        raise NotFound("queue_not_found", "No such queue.")
    return stub


ROUTES = tagged(
    "Operations",
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
    ),
    Route(
        "POST",
        "/api/admin/queues/{service}/{queue}/resume",
        resume_queue,
        "Start jobs of a queue again",
        scope=_EVERYTHING,
        answer=Queue,
        subject=queue_subject,
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
        query=ListQuery,
        answer=list[Mail],
    ),
)
