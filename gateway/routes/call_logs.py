"""Calls, and their recordings by byte range."""

from typing import Any

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.derived import fill
from gateway.http.downloads import Download, download_response
from gateway.http.merge_patch import apply_patch
from gateway.http.ranges import parse_range
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.signed_links import LinkQuery
from gateway.schemas.calls import Call as CallAnswer
from gateway.schemas.calls import (
    CallPatch,
    CallQuery,
    CallRow,
    Transcription,
    call_from_proto,
    call_row_from_proto,
    transcription_from_proto,
)
from gateway.state import ApiRequest
from libs.cache.classes import CALL, CALL_LIST
from libs.errors import NotFound
from libs.rpc.context import acting_as
from libs.rpc.principal import GATEWAY, Principal

# Seconds for a whole recording, so that 256 MiB pass at 1 MB/s.
_DOWNLOAD_SECONDS = 300.0


async def list_calls(request: ApiRequest[CallQuery, NoBody]) -> Response:
    message = pb.ListCallsRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.calls.ListCalls(message)
    return lists.page_response(request, answer.calls, answer.page_info, call_row_from_proto)


async def get_call(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.calls.GetCall(pb.GetCallRequest(id=request.id))
    return responses.current(request, _shown(request, answer.call), answer.call.version)


async def update_call(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.UpdateCallRequest(expected_version=conditional.expected_version(request))
    message.update_mask.CopyFrom(apply_patch(request.data, message.call))
    message.call.id = request.id
    if not message.update_mask.paths:
        conditional.require_version(request, await call_version(request))
        return await get_call(request)
    answer = await request.app.clients.calls.UpdateCall(message)
    return responses.current(request, _shown(request, answer.call), answer.call.version)


def _shown(request: ApiRequest[Any, Any], call: pb.Call) -> CallAnswer:
    organization = request.principal.org_id
    # The link is made anew for each answer, because it works for five minutes only.
    return call_from_proto(
        call, lambda call_id: request.app.links.url(f"/api/call-logs/{call_id}/recording/content", organization)
    )


async def open_recording(request: ApiRequest[LinkQuery, NoBody]) -> Response:
    """The link is what `recording.url` of a call shows. It needs no credential and works for five minutes."""
    link = request.query
    request.app.links.check(request.path, link)
    # The signature vouches for the organization and the call; the reader may do nothing else.
    reader = Principal(org_id=link.organization, role="viewer", scopes=frozenset({"calls:read"}), issuer=GATEWAY)
    with acting_as(reader):
        return await download_recording(request)


async def download_recording(request: ApiRequest[Any, NoBody]) -> Response:
    answer = await request.app.clients.calls.GetCall(pb.GetCallRequest(id=request.id))
    recording = answer.call.recording
    if recording.status != "available":
        raise NotFound("recording_not_found", "This call has no recording yet.")
    if_range = request.header("if-range")
    # If-Range: a client that holds a part of other content gets the whole file, not a part that does not fit.
    wanted = request.header("range") if if_range in ("", f'"{recording.id}"') else ""
    part = parse_range(wanted, recording.byte_size)
    message = pb.DownloadRecordingRequest(call_id=request.id)
    if part is not None:
        message.range_start, message.range_end = part.start, part.end
    return await download_response(
        request,
        Download(
            media_type=recording.media_type or "application/octet-stream",
            size=recording.byte_size,
            # A recording never changes under its id, so the id is its strong tag.
            tag=recording.id,
            part=part,
            in_parts=True,
        ),
        (piece.data async for piece in request.app.clients.calls.DownloadRecording(message) if piece.data),
    )


async def get_transcription(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.calls.GetTranscription(pb.GetTranscriptionRequest(call_id=request.id))
    return responses.ok(transcription_from_proto(answer.transcription))


async def call_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.calls.GetCall(pb.GetCallRequest(id=request.id))
    return answer.call.version


ROUTES = tagged(
    "Call logs",
    Route(
        "GET",
        "/api/call-logs",
        list_calls,
        "List calls",
        scope="calls:read",
        cached=CALL_LIST,
        query=CallQuery,
        answer=list[CallRow],
    ),
    Route(
        "GET",
        "/api/call-logs/{id}",
        get_call,
        "Read a call with its transcript",
        scope="calls:read",
        cached=CALL,
        answer=CallAnswer,
        etag="match",
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
        etag="match",
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
        etag="content",
    ),
    Route(
        "GET",
        "/api/call-logs/{id}/recording/content",
        open_recording,
        "Open a recording by its signed link, whole or in part",
        public=True,
        limits="read",
        query=LinkQuery,
        media_type="application/octet-stream",
        seconds=_DOWNLOAD_SECONDS,
        problems=(403, 410, 416),
        etag="content",
    ),
    Route(
        "GET",
        "/api/call-logs/{id}/transcription",
        get_transcription,
        "Read the transcription of a recording whose provider sent no transcript",
        scope="calls:read",
        cached=CALL,
        answer=Transcription,
    ),
)
