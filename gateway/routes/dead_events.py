"""Dead events of all services: events that a consumer gave up. They are listed and redelivered like dead jobs."""

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from gateway.http import lists, responses
from gateway.http.fan_out import ask_all
from gateway.http.merged_lists import BIRTH, FetchPage, merged_page
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.dead_events import (
    DeadEvent,
    DeadEventQuery,
    DeadEventReplayBody,
    dead_event_from_proto,
    filter_to_proto,
)
from gateway.schemas.jobs import Replayed
from gateway.state import ApiRequest
from libs.errors import InvalidArgument, NotFound, Violation
from libs.ids import read_dead_event_id
from libs.paging import ListRules

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub

# Events of all areas, so only a caller with every scope may see them.
_EVERYTHING = "*"
_RULES = ListRules(sorts={"diedAt": BIRTH}, default_sort="diedAt")


async def list_dead_events(request: ApiRequest[DeadEventQuery, NoBody]) -> Response:
    chosen = filter_to_proto(request.query)

    def fetcher(stub: "JobsServiceAsyncStub") -> FetchPage[pb.DeadEvent]:
        async def fetch(page: common_pb2.PageRequest) -> tuple[list[pb.DeadEvent], common_pb2.PageInfo]:
            answer = await stub.ListDeadEvents(pb.ListDeadEventsRequest(page=page, filter=chosen))
            return list(answer.events), answer.page_info

        return fetch

    fetchers = {name: fetcher(stub) for name, stub in request.app.clients.jobs.items()}
    scope = f"dead events|{request.principal.org_id}|{chosen.SerializeToString(deterministic=True).hex()}"
    page, cursors = lists.page_request(request.query), request.app.cursors
    return lists.list_response(
        request, await merged_page(page, fetchers, cursors, scope, dead_event_from_proto, _RULES)
    )


async def replay_dead_events(request: ApiRequest[NoQuery, DeadEventReplayBody]) -> Response:
    requests = _by_id(request) if request.data.ids else _by_filter(request)
    answers = await ask_all(partial(stub.ReplayDeadEvents, message) for stub, message in requests)
    return responses.ok(Replayed(replayed=sum(answer.replayed for answer in answers)), 202)


_Replay = tuple["JobsServiceAsyncStub", pb.ReplayDeadEventsRequest]


def _by_id(request: ApiRequest[Any, DeadEventReplayBody]) -> list[_Replay]:
    requests: defaultdict[str, pb.ReplayDeadEventsRequest] = defaultdict(pb.ReplayDeadEventsRequest)
    for event_id in request.data.ids or ():
        read = read_dead_event_id(event_id)
        if read is None or read[0] not in request.app.clients.jobs:
            raise NotFound("dead_event_not_found", "No such event.")
        requests[read[0]].ids.append(event_id)
    return [(request.app.clients.jobs[service], message) for service, message in requests.items()]


def _by_filter(request: ApiRequest[Any, DeadEventReplayBody]) -> list[_Replay]:
    chosen = filter_to_proto(request.data)
    # An empty filter would redeliver everything; that must be asked for in words.
    if chosen == pb.DeadEventFilter():
        detail = "Name ids, or at least one of consumer, topic, errorCode, diedAtGe and diedAtLt."
        raise InvalidArgument("validation_failed", detail, violations=[Violation("#/ids", "required", detail)])
    names = [request.data.service] if request.data.service else list(request.app.clients.jobs)
    return [(request.app.clients.jobs[name], pb.ReplayDeadEventsRequest(filter=chosen)) for name in names]


ROUTES = tagged(
    "Operations",
    Route(
        "GET",
        "/api/admin/dead-events",
        list_dead_events,
        "List events that a consumer gave up",
        scope=_EVERYTHING,
        query=DeadEventQuery,
        answer=list[DeadEvent],
    ),
    Route(
        "POST",
        "/api/admin/dead-events/replay",
        replay_dead_events,
        "Have consumers handle dead events again",
        scope=_EVERYTHING,
        body=DeadEventReplayBody,
        example={"consumer": "billing", "topic": "call.ended"},
        answer=Replayed,
        status=202,
        problems=(404,),
    ),
)
