"""Calls and the analytics made of them, as the API shows them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from echosenseix.calllog.v1 import calllog_pb2 as pb
from echosenseix.common.v1 import common_pb2
from gateway.http.derived import patch_of, reader
from gateway.http.schema import SORT, Answer, Body, ListQuery, Query
from gateway.http.wire import list_to_json
from gateway.schemas.shapes import CallProvider, JsonObject, Money, SearchText, TagFilter, Tags
from libs.json_rows import micros_to_json

StatusName = Literal["in_progress", "completed", "failed", "no_answer", "busy", "voicemail"]
DirectionName = Literal["inbound", "outbound", "web"]
_SPEAKERS = {pb.SPEAKER_USER: "user", pb.SPEAKER_AGENT: "agent"}


class Recording(Answer):
    id: str
    status: str
    media_type: str | None
    byte_size: int | None
    # Its bytes, whole or by range, without a credential for five minutes; null until the recording is available.
    url: str | None
    # done, failed, not_needed (the provider gave the words) or not_installed; null before the first attempt.
    transcription_status: str | None
    # The path of its transcription; null unless the status is done.
    transcription_url: str | None


class TranscriptionSegment(Answer):
    start_seconds: float
    end_seconds: float
    text: str


class Transcription(Answer):
    """The suite's own transcription of a recording whose provider sent no transcript."""

    status: str | None
    text: str | None
    model: str | None
    language: str | None
    duration_seconds: float | None
    segments: list[TranscriptionSegment]


class Turn(Answer):
    index: int
    role: str | None
    text: str
    time_seconds: float
    tool_calls: list[JsonObject] | None


class CallRow(Answer):
    """A call in a list: without its transcript and recording."""

    id: str
    agent_id: str | None
    agent_version: int | None
    external_call_id: str | None
    external_agent_id: str | None
    provider: str | None
    status: str | None
    direction: str | None
    from_number: str | None
    to_number: str | None
    duration_seconds: float | None
    started_at: str | None
    ended_at: str | None
    cost: Money | None
    provider_cost_units: int | None
    title: str | None
    summary: str | None
    successful: bool | None
    termination_reason: str | None
    language: str | None
    turn_count: int
    tags: list[str]
    version: int
    created_at: str | None
    updated_at: str | None


class Call(CallRow):
    recording: Recording | None
    transcript: list[Turn]


class CallBody(Body):
    """What a call's organization edits: the patch is made from this."""

    tags: Tags | None = None


CallPatch = patch_of("CallPatch", CallBody)


class CallQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "startedAt", "durationSeconds"], SORT] | None = None
    agent_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    agent_version: Annotated[int, Meta(ge=1, lt=2**31)] | None = None
    status: StatusName | None = None
    direction: DirectionName | None = None
    phone_number: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    successful: bool | None = None
    duration_ge: Annotated[float, Meta(ge=0, description="Seconds.")] | None = None
    duration_lt: Annotated[float, Meta(ge=0, description="Seconds.")] | None = None
    started_at_ge: Annotated[datetime, Meta(tz=True)] | None = None
    started_at_lt: Annotated[datetime, Meta(tz=True)] | None = None
    tags: TagFilter | None = None
    search: Annotated[SearchText, Meta(description="Words of the transcript, summary or title.")] | None = None
    provider: CallProvider | None = None
    external_call_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Received(Answer):
    received: bool
    duplicate: bool


class OrganizationAnalytics(Answer):
    total_calls: int
    total_minutes: float
    estimated_cost: Money | None
    active_agents: int
    last_sync: str | None
    successful_calls: int
    failed_calls: int
    average_duration_seconds: float | None


class Bucket(Answer):
    start_at: str | None
    calls: int
    minutes: float
    successful_calls: int
    failed_calls: int
    cost: Money | None


class Timeseries(Answer):
    interval: str
    data: list[Bucket]


class WindowQuery(Query):
    """A half-open window of time."""

    from_: Annotated[datetime, Meta(tz=True, description="At or after.")] | None = None
    to: Annotated[datetime, Meta(tz=True, description="Before.")] | None = None


class TimeseriesQuery(WindowQuery):
    interval: Literal["hour", "day"] | None = None
    agent_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


def money_from_proto(message: common_pb2.Money) -> Money:
    return Money(amount=micros_to_json(message.micros), currency=message.currency)


def _recording(call: pb.Call) -> Recording | None:
    """Without its link, which only a request can sign."""
    if not call.HasField("recording"):
        return None
    recording = call.recording
    transcribed = recording.transcription_status == "done"
    return Recording(
        id=recording.id,
        status=recording.status,
        media_type=recording.media_type or None,
        byte_size=recording.byte_size or None,
        url=None,
        transcription_status=recording.transcription_status or None,
        transcription_url=f"/api/call-logs/{call.id}/transcription" if transcribed else None,
    )


def transcription_from_proto(heard: pb.Transcription) -> Transcription:
    done = heard.status == "done"
    return Transcription(
        status=heard.status or None,
        text=heard.text if done else None,
        model=heard.model or None,
        language=heard.language or None,
        duration_seconds=heard.duration_seconds if heard.HasField("duration_seconds") else None,
        segments=[
            TranscriptionSegment(start_seconds=part.start_seconds, end_seconds=part.end_seconds, text=part.text)
            for part in heard.segments
        ],
    )


def _turn(turn: pb.Turn) -> Turn:
    return Turn(
        index=turn.index,
        role=_SPEAKERS.get(turn.role),
        text=turn.text,
        time_seconds=turn.time_seconds,
        tool_calls=list_to_json(turn.tool_calls) if turn.HasField("tool_calls") else None,
    )


def _cost(message: pb.Call | pb.AnalyticsBucket) -> Money | None:
    return money_from_proto(message.cost) if message.HasField("cost") else None


def _estimated_cost(answer: pb.GetOrganizationAnalyticsResponse) -> Money | None:
    return money_from_proto(answer.estimated_cost) if answer.HasField("estimated_cost") else None


def _transcript(call: pb.Call) -> list[Turn]:
    return [_turn(turn) for turn in call.transcript]


_TIMES = {"started_at": "start_time", "ended_at": "end_time"}

call_row_from_proto = reader(CallRow, pb.Call, _TIMES, cost=_cost)
_read_call = reader(Call, pb.Call, _TIMES, cost=_cost, recording=_recording, transcript=_transcript)
organization_analytics_from_proto = reader(
    OrganizationAnalytics,
    pb.GetOrganizationAnalyticsResponse,
    {"last_sync": "last_sync_time"},
    estimated_cost=_estimated_cost,
)
bucket_from_proto = reader(Bucket, pb.AnalyticsBucket, cost=_cost)


def call_from_proto(call: pb.Call, recording_url: Callable[[str], str]) -> Call:
    """A call with its transcript. `recording_url` makes the link to the recording of the call of an id."""
    shown = _read_call(call)
    if shown.recording is not None and shown.recording.status == "available":
        shown.recording.url = recording_url(call.id)
    return shown
