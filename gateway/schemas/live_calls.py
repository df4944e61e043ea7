"""Calls told while they run, and commands to them, as the API shows and takes them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http.derived import reader
from gateway.http.schema import SORT, Answer, Body, CreatedListQuery, ListQuery, limits
from gateway.http.wire import time_to_json
from gateway.schemas.calls import CallRow, DirectionName, call_row_from_proto
from gateway.schemas.shapes import CallProvider, JsonObject, Language
from libs.rpc.messages import enum_numbers

CommandType = Literal["end_call", "transfer", "inject_context"]
CommandStatus = Literal["pending", "acknowledged", "failed", "timed_out"]
_Number = Annotated[str, limits(maxLength=64)]


class LiveCallBody(Body):
    external_call_id: Annotated[
        str, limits(minLength=1, maxLength=200), Meta(description="The id that your system, or the provider, gives it.")
    ]
    provider: Annotated[CallProvider, Meta(description="null: custom, a call that your own system runs.")] | None = None
    agent_id: Annotated[str, limits(maxLength=128)] | None = None
    external_agent_id: Annotated[str, limits(maxLength=200)] | None = None
    direction: DirectionName | None = None
    from_number: _Number | None = None
    to_number: _Number | None = None
    language: Language | None = None
    started_at: Annotated[datetime, Meta(tz=True, description="Of the last 24 hours; null: now.")] | None = None


class LiveCall(CallRow):
    """The call, and until when it counts as live without a further sign."""

    lost_at: str | None


class LiveTurnBody(Body):
    index: Annotated[int, limits(minimum=0, maximum=9_999), Meta(ge=0, lt=2**31)]
    role: Literal["user", "agent"]
    text: Annotated[str, limits(maxLength=32_000)]
    time_seconds: (
        Annotated[float, Meta(ge=0, le=86_400, description="Into the call; null: when it arrives.")] | None
    ) = None
    tool_calls: Annotated[list[JsonObject], limits(maxItems=50)] | None = None


class LiveTurnsBody(Body):
    turns: Annotated[
        list[LiveTurnBody], limits(maxItems=100), Meta(description="One after another; none: the call still runs.")
    ]


class LiveTurns(Answer):
    """`accepted` and `duplicates` are numbers of turns."""

    accepted: int
    duplicates: int
    next_index: int
    lost_at: str | None


class LiveCallEndBody(Body):
    status: Literal["completed", "failed", "no_answer", "busy", "voicemail"] | None = None
    ended_at: Annotated[datetime, Meta(tz=True, description="null: now.")] | None = None
    termination_reason: Annotated[str, limits(maxLength=500)] | None = None
    summary: Annotated[str, limits(maxLength=10_000)] | None = None
    successful: bool | None = None


class LiveCallQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "startedAt"], SORT] | None = None
    agent_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    direction: DirectionName | None = None
    provider: CallProvider | None = None


class CallCommandBody(Body):
    type: CommandType
    to: (
        Annotated[str, limits(maxLength=256), Meta(description="Where transfer leads: a number or SIP address.")] | None
    ) = None
    context: (
        Annotated[str, limits(maxLength=8_000), Meta(description="inject_context: what the agent shall know.")] | None
    ) = None
    reason: Annotated[str, limits(maxLength=500), Meta(description="Why, for people.")] | None = None
    timeout_seconds: (
        Annotated[int, limits(minimum=1, maximum=300), Meta(description="To acknowledge it; null: 30.")] | None
    ) = None


class CallCommand(Answer):
    id: str
    call_id: str
    type: str
    to: Annotated[str, Meta(description="Where a transfer leads.")] | None
    context: Annotated[str, Meta(description="What the agent shall know.")] | None
    reason: Annotated[str, Meta(description="Why, for people.")] | None
    status: str
    detail: (
        Annotated[
            str, Meta(description="What the party that runs the call says of the outcome, or that the call ended.")
        ]
        | None
    )
    created_at: str | None
    expires_at: Annotated[str, Meta(description="Until when it can be acknowledged.")] | None
    settled_at: str | None


class CallCommandQuery(CreatedListQuery):
    status: CommandStatus | None = None


class CommandOutcomeBody(Body):
    status: Literal["acknowledged", "failed"] | None = None
    detail: Annotated[str, limits(maxLength=500), Meta(description="What became of it.")] | None = None


command_from_proto = reader(CallCommand, pb.CallCommand, {"expires_at": "expire_time", "settled_at": "settle_time"})
turns_from_proto = reader(LiveTurns, pb.AppendTurnsResponse)
DIRECTIONS = cast(
    Mapping[str | None, pb.CallDirection.ValueType], {None: 0, **enum_numbers(pb.CallDirection.DESCRIPTOR)}
)
ENDINGS = cast(Mapping[str | None, pb.CallStatus.ValueType], {None: 0, **enum_numbers(pb.CallStatus.DESCRIPTOR)})
_ROLES = {"user": pb.SPEAKER_USER, "agent": pb.SPEAKER_AGENT}


def live_call_from_proto(answer: pb.BeginCallResponse) -> LiveCall:
    row = call_row_from_proto(answer.call)
    return LiveCall(**msgspec.structs.asdict(row), lost_at=time_to_json(answer.lost_time))


def turn_to_proto(turn: LiveTurnBody) -> pb.LiveTurn:
    message = pb.LiveTurn(index=turn.index, role=_ROLES[turn.role], text=turn.text, time_seconds=turn.time_seconds)
    if turn.tool_calls:
        message.tool_calls.extend(list[Any](turn.tool_calls))
    return message
