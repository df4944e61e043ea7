"""The way into realtime: a connection token; and the event log and presence by request instead of by socket."""

from starlette.responses import Response

from echosenseix.realtime.v1 import realtime_pb2 as pb
from gateway.http import lists, responses
from gateway.http.query import words
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.realtime import (
    ConnectionToken,
    EventQuery,
    PresenceQuery,
    PresentClient,
    event_from_proto,
    present_client_from_proto,
    token_from_proto,
)
from gateway.schemas.shapes import JsonObject
from gateway.state import ApiRequest

# Rows of a page of events. An event can have 512 KiB, so pages are smaller than those of other lists.
_EVENTS_LIMIT = 100


async def create_token(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return responses.ok(
        token_from_proto(await request.app.clients.realtime.CreateConnectionToken(pb.CreateConnectionTokenRequest()))
    )


async def list_events(request: ApiRequest[EventQuery, NoBody]) -> Response:
    limit = request.query.limit or _EVENTS_LIMIT
    answer = await request.app.clients.realtime.ListEvents(
        pb.ListEventsRequest(after=request.query.after, limit=limit, types=words(request.query.types))
    )
    last = answer.reached or (answer.events[-1].position if answer.events else 0)
    return lists.list_response(
        request,
        lists.ListAnswer(
            data=[event_from_proto(event) for event in answer.events],
            # The log has positions and no pages: counting it would read all of it.
            page=None,
            limit=limit,
            total=None,
            total_pages=None,
            total_is_estimate=False,
            has_more=answer.has_more,
            next_cursor=str(last) if answer.has_more and last else None,
        ),
        cursor="after",
    )


async def list_presence(request: ApiRequest[PresenceQuery, NoBody]) -> Response:
    channel = request.query.channel or ""
    answer = await request.app.clients.realtime.ListPresence(pb.ListPresenceRequest(channel=channel))
    rows = map(present_client_from_proto, answer.clients)
    scope = f"presence|{request.principal.org_id}|{channel}"
    page = lists.whole_list(rows, request.query, request.app.cursors, scope, sort="clientId", key=_client_key)
    return lists.list_response(request, page)


def _client_key(client: PresentClient) -> tuple[str, str]:
    return client.client_id, client.channel


ROUTES = tagged(
    "Realtime",
    Route(
        "POST",
        "/api/realtime/token",
        create_token,
        "Get a token for the sockets",
        scope="realtime:read",
        answer=ConnectionToken,
        secret=True,
        keyed=False,
    ),
    Route(
        "GET",
        "/api/events",
        list_events,
        "Read the event log after a position",
        scope="realtime:read",
        query=EventQuery,
        answer=list[JsonObject],
    ),
    Route(
        "GET",
        "/api/realtime/presence",
        list_presence,
        "List who listens to a channel",
        scope="realtime:read",
        query=PresenceQuery,
        answer=list[PresentClient],
    ),
)
