"""Calls, and their recordings by byte range."""

from typing import Any

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http.downloads import Download, download_response
from gateway.http.merge_patch import apply_patch
from gateway.http.ranges import parse_range
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import set_time
from gateway.schemas.calls import (
    DIRECTIONS,
    STATUSES,
    CallPatch,
    CallQuery,
    CallRow,
    Transcription,
    call_from_proto,
    call_row_from_proto,
    transcription_from_proto,
)
from gateway.schemas.calls import Call as CallAnswer
from libs.errors import NotFound

_DOWNLOAD_SECONDS = 300.0


async def list_calls(call: Call[CallQuery, NoBody]) -> Response:
    answer = await call.clients.calls.ListCalls(_list_request(call))
    return call.page(answer.calls, answer.page_info, call_row_from_proto)


async def get_call(call: Call[NoQuery, Any]) -> Response:
    answer = await call.clients.calls.GetCall(pb.GetCallRequest(id=call.id))
    return call.resource(call_from_proto(answer.call), answer.call.version)


async def update_call(call: Call[NoQuery, CallPatch]) -> Response:
    request = pb.UpdateCallRequest(expected_version=call.expected_version)
    request.update_mask.CopyFrom(apply_patch(call.body, request.call, {"tags": "tags"}))
    request.call.id = call.id
    if not request.update_mask.paths:
        call.require_version(await call_version(call))
        return await get_call(call)
    answer = await call.clients.calls.UpdateCall(request)
    return call.resource(call_from_proto(answer.call), answer.call.version)


async def download_recording(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.calls.GetCall(pb.GetCallRequest(id=call.id))
    recording = answer.call.recording
    if recording.status != "available":
        raise NotFound("recording_not_found", "This call has no recording yet.")
    if_range = call.exchange.header(b"if-range")
    # A part of another content than the reader has begun with would be worse than the whole of this one.
    wanted = call.exchange.header(b"range") if if_range in ("", f'"{recording.id}"') else ""
    part = parse_range(wanted, recording.byte_size)
    request = pb.DownloadRecordingRequest(call_id=call.id)
    if part is not None:
        request.range_start, request.range_end = part.start, part.end
    return await download_response(
        call,
        Download(
            media_type=recording.media_type or "application/octet-stream",
            size=recording.byte_size,
            tag=recording.id,
            part=part,
            in_parts=True,
        ),
        (message.data async for message in call.clients.calls.DownloadRecording(request) if message.data),
    )


async def get_transcription(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.calls.GetTranscription(pb.GetTranscriptionRequest(call_id=call.id))
    return call.ok(transcription_from_proto(answer.transcription))


async def call_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.calls.GetCall(pb.GetCallRequest(id=call.id))
    return answer.call.version


def _list_request(call: Call[CallQuery, NoBody]) -> pb.ListCallsRequest:
    query = call.query
    request = pb.ListCallsRequest(
        page=call.page_request(),
        agent_id=query.agent_id or "",
        agent_version=query.agent_version or 0,
        status=STATUSES[query.status] if query.status else pb.CALL_STATUS_UNSPECIFIED,
        direction=DIRECTIONS[query.direction] if query.direction else pb.CALL_DIRECTION_UNSPECIFIED,
        phone_number=query.phone_number or "",
        successful=query.successful,
        duration_ge=query.duration_ge,
        duration_lt=query.duration_lt,
        tags=call.words(query.tags),
        search=query.search or "",
        provider=query.provider or "",
        external_call_id=query.external_call_id or "",
    )
    set_time(request.started_at_ge, query.started_at_ge)
    set_time(request.started_at_lt, query.started_at_lt)
    return request


ROUTES = tagged(
    "Call logs",
    Route("GET", "/api/call-logs", list_calls, "List calls", scope="calls:read", query=CallQuery, answer=list[CallRow]),
    Route(
        "GET", "/api/call-logs/{id}", get_call, "Read a call with its transcript", scope="calls:read", answer=CallAnswer
    ),
    Route(
        "PATCH",
        "/api/call-logs/{id}",
        update_call,
        "Tag a call",
        scope="calls:write",
        body=CallPatch,
        body_kind="merge_patch",
        example={"tags": ["follow-up"]},
        answer=CallAnswer,
        subject=call_version,
        problems=(409,),
    ),
    Route(
        "GET",
        "/api/call-logs/{id}/recording",
        download_recording,
        "Download a recording, whole or in part",
        scope="calls:read",
        media_type="application/octet-stream",
        seconds=_DOWNLOAD_SECONDS,
        problems=(416,),
    ),
    Route(
        "GET",
        "/api/call-logs/{id}/transcription",
        get_transcription,
        "Read what was heard in a recording whose provider gave no words",
        scope="calls:read",
        answer=Transcription,
    ),
)
