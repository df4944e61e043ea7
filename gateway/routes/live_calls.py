"""Calls told while they run by the party that runs them, and commands to that party."""

from typing import Any

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http import lists, responses
from gateway.http.derived import fill
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import set_time
from gateway.routes.call_logs import call_version
from gateway.schemas.calls import CallRow, call_row_from_proto
from gateway.schemas.live_calls import (
    DIRECTIONS,
    ENDINGS,
    CallCommand,
    CallCommandBody,
    CallCommandQuery,
    CommandOutcomeBody,
    LiveCall,
    LiveCallBody,
    LiveCallEndBody,
    LiveCallQuery,
    LiveTurns,
    LiveTurnsBody,
    command_from_proto,
    live_call_from_proto,
    turn_to_proto,
    turns_from_proto,
)
from gateway.state import ApiRequest


async def list_live_calls(request: ApiRequest[LiveCallQuery, NoBody]) -> Response:
    message = pb.ListCallsRequest(page=lists.page_request(request.query), status=pb.CALL_STATUS_IN_PROGRESS)
    fill(message, request.query)
    answer = await request.app.clients.calls.ListCalls(message)
    return lists.page_response(request, answer.calls, answer.page_info, call_row_from_proto)


async def list_realtime_live_calls(request: ApiRequest[LiveCallQuery, NoBody]) -> Response:
    return await list_live_calls(request)


async def begin_call(request: ApiRequest[NoQuery, LiveCallBody]) -> Response:
    body = request.data
    message = pb.BeginCallRequest(
        provider=body.provider or "",
        external_call_id=body.external_call_id,
        agent_id=body.agent_id or "",
        external_agent_id=body.external_agent_id or "",
        direction=DIRECTIONS[body.direction],
        from_number=body.from_number or "",
        to_number=body.to_number or "",
        language=body.language or "",
    )
    set_time(message.start_time, body.started_at, "#/startedAt")
    answer = await request.app.clients.live_calls.BeginCall(message)
    return responses.created(live_call_from_proto(answer), f"/api/call-logs/{answer.call.id}")


async def append_turns(request: ApiRequest[NoQuery, LiveTurnsBody]) -> Response:
    message = pb.AppendTurnsRequest(call_id=request.id, turns=map(turn_to_proto, request.data.turns))
    return responses.ok(turns_from_proto(await request.app.clients.live_calls.AppendTurns(message)))


async def end_call(request: ApiRequest[NoQuery, LiveCallEndBody]) -> Response:
    body = request.data
    message = pb.EndCallRequest(
        call_id=request.id,
        status=ENDINGS[body.status],
        termination_reason=body.termination_reason or "",
        summary=body.summary or "",
        successful=body.successful,
    )
    set_time(message.end_time, body.ended_at, "#/endedAt")
    answer = await request.app.clients.live_calls.EndCall(message)
    return responses.ok(call_row_from_proto(answer.call))


async def create_command(request: ApiRequest[NoQuery, CallCommandBody]) -> Response:
    body = request.data
    answer = await request.app.clients.live_calls.CreateCallCommand(
        pb.CreateCallCommandRequest(
            call_id=request.id,
            type=body.type,
            to=body.to or "",
            context=body.context or "",
            reason=body.reason or "",
            timeout_seconds=body.timeout_seconds or 0,
        )
    )
    command = answer.command
    return responses.created(command_from_proto(command), f"/api/live-calls/{command.call_id}/commands/{command.id}")


async def list_commands(request: ApiRequest[CallCommandQuery, NoBody]) -> Response:
    message = pb.ListCallCommandsRequest(call_id=request.id, page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.live_calls.ListCallCommands(message)
    return lists.page_response(request, answer.commands, answer.page_info, command_from_proto)


async def get_command(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.GetCallCommandRequest(call_id=request.id, id=request.path_params["commandId"])
    return responses.ok(command_from_proto((await request.app.clients.live_calls.GetCallCommand(message)).command))


async def acknowledge_command(request: ApiRequest[NoQuery, CommandOutcomeBody]) -> Response:
    message = pb.AcknowledgeCallCommandRequest(
        call_id=request.id,
        id=request.path_params["commandId"],
        status=request.data.status or "acknowledged",
        detail=request.data.detail or "",
    )
    answer = await request.app.clients.live_calls.AcknowledgeCallCommand(message)
    return responses.ok(command_from_proto(answer.command))


async def command_subject(request: ApiRequest[Any, Any]) -> int:
    message = pb.GetCallCommandRequest(call_id=request.id, id=request.path_params["commandId"])
    await request.app.clients.live_calls.GetCallCommand(message)
    return 0


_PATH = "/api/live-calls"
_CALL = {
    "externalCallId": "CA-1f0c",
    "direction": "inbound",
    "fromNumber": "+14155550100",
    "toNumber": "+14155550199",
}
_TURNS = {
    "turns": [
        {"index": 0, "role": "agent", "text": "Hello, how can I help?", "timeSeconds": 0.4},
        {"index": 1, "role": "user", "text": "Where is my parcel?", "timeSeconds": 3.1},
    ]
}
_COMMAND = {"type": "inject_context", "context": "The parcel arrives tomorrow.", "reason": "supervisor"}

ROUTES = tagged(
    "Live calls",
    Route(
        "GET",
        _PATH,
        list_live_calls,
        "List calls that run",
        scope="calls:read",
        query=LiveCallQuery,
        answer=list[CallRow],
    ),
    Route(
        "GET",
        "/api/realtime/live-calls",
        list_realtime_live_calls,
        "List calls that run, by the path of the realtime area",
        scope="calls:read",
        query=LiveCallQuery,
        answer=list[CallRow],
    ),
    Route(
        "POST",
        _PATH,
        begin_call,
        "Begin to tell a call that runs",
        scope="calls:write",
        body=LiveCallBody,
        example=_CALL,
        answer=LiveCall,
        status=201,
        repeatable=True,
        problems=(409,),
    ),
    Route(
        "POST",
        _PATH + "/{id}/turns",
        append_turns,
        "Tell the next turns of a call",
        scope="calls:write",
        body=LiveTurnsBody,
        example=_TURNS,
        answer=LiveTurns,
        repeatable=True,
        subject=call_version,
        problems=(409,),
    ),
    Route(
        "POST",
        _PATH + "/{id}/end",
        end_call,
        "Tell that a call has ended",
        scope="calls:write",
        body=LiveCallEndBody,
        example={"status": "completed", "terminationReason": "caller hung up"},
        answer=CallRow,
        repeatable=True,
        subject=call_version,
    ),
    Route(
        "POST",
        _PATH + "/{id}/commands",
        create_command,
        "Send a command to the party that runs a call",
        scope="calls:write",
        body=CallCommandBody,
        example=_COMMAND,
        answer=CallCommand,
        status=201,
        subject=call_version,
        problems=(409,),
    ),
    Route(
        "GET",
        _PATH + "/{id}/commands",
        list_commands,
        "List the commands of a call",
        scope="calls:read",
        query=CallCommandQuery,
        answer=list[CallCommand],
    ),
    Route(
        "GET",
        _PATH + "/{id}/commands/{commandId}",
        get_command,
        "Read a command",
        scope="calls:read",
        answer=CallCommand,
    ),
    Route(
        "POST",
        _PATH + "/{id}/commands/{commandId}/ack",
        acknowledge_command,
        "Acknowledge a command, or say that it failed",
        scope="calls:write",
        body=CommandOutcomeBody,
        example={"status": "acknowledged", "detail": "The agent was told."},
        answer=CallCommand,
        repeatable=True,
        subject=command_subject,
        problems=(409,),
    ),
)
