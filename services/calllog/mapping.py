"""Between protos and domain: calls, filters, recordings, analytics, and the events this service writes. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import ListValue

from echosenseix.agent.v1 import agent_pb2
from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.common.v1 import common_pb2
from echosenseix.events.v1 import events_pb2
from libs.errors import InvalidArgument, NotFound, Violation
from libs.events import Event
from libs.rpc.messages import Mapper
from libs.rpc.times import to_timestamp
from libs.untrusted_json import storable, storable_json
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker, Turn
from services.calllog.domain.analytics import Bucket, Totals
from services.calllog.domain.call_filter import CallFilter
from services.calllog.domain.calls import BillableCall, Call, Cost, Recording, ServedBy, Transcription, is_billable
from services.calllog.domain.commands import Command

# The agent service's method, as its stub has it.
ResolveAgent = Callable[[agent_pb2.ResolveExternalAgentRequest], Awaitable[agent_pb2.ResolveExternalAgentResponse]]

_STATUSES = {
    CallStatus.IN_PROGRESS: calllog_pb2.CALL_STATUS_IN_PROGRESS,
    CallStatus.COMPLETED: calllog_pb2.CALL_STATUS_COMPLETED,
    CallStatus.FAILED: calllog_pb2.CALL_STATUS_FAILED,
    CallStatus.NO_ANSWER: calllog_pb2.CALL_STATUS_NO_ANSWER,
    CallStatus.BUSY: calllog_pb2.CALL_STATUS_BUSY,
    CallStatus.VOICEMAIL: calllog_pb2.CALL_STATUS_VOICEMAIL,
}
_DIRECTIONS = {
    Direction.UNKNOWN: calllog_pb2.CALL_DIRECTION_UNSPECIFIED,
    Direction.INBOUND: calllog_pb2.CALL_DIRECTION_INBOUND,
    Direction.OUTBOUND: calllog_pb2.CALL_DIRECTION_OUTBOUND,
    Direction.WEB: calllog_pb2.CALL_DIRECTION_WEB,
}
# An event names things; the whole summary is read from the call.
_MAX_SUMMARY = 10_000
_SPEAKERS = {Speaker.USER: calllog_pb2.SPEAKER_USER, Speaker.AGENT: calllog_pb2.SPEAKER_AGENT}
_STATUS_OF = {number: status for status, number in _STATUSES.items()}
_DIRECTION_OF = {number: direction for direction, number in _DIRECTIONS.items()}
_SPEAKER_OF = {number: speaker for speaker, number in _SPEAKERS.items()}


def call_to_proto(call: Call) -> calllog_pb2.Call:
    """A call; its transcript and recording where the domain object carries them."""
    return calllog_pb2.Call(
        id=call.id,
        organization_id=call.org_id,
        agent_id=call.agent_id or "",
        agent_version=call.agent_version,
        external_call_id=call.external_call_id,
        external_agent_id=call.external_agent_id,
        provider=call.provider,
        status=_STATUSES[call.status],
        direction=_DIRECTIONS[call.direction],
        duration_seconds=call.duration_seconds,
        start_time=to_timestamp(call.started_at),
        end_time=to_timestamp(call.ended_at),
        cost=_money(call.cost),
        title=call.title,
        summary=call.summary,
        successful=call.successful,
        transcript=[_turn_to_proto(turn) for turn in call.turns],
        recording=recording_to_proto(call.recording) if call.recording else None,
        tags=call.tags,
        from_number=call.from_number,
        to_number=call.to_number,
        termination_reason=call.termination_reason,
        language=call.language,
        turn_count=call.turn_count,
        version=call.version,
        create_time=to_timestamp(call.created_at),
        update_time=to_timestamp(call.updated_at),
        provider_cost_units=call.provider_cost_units,
    )


def _turn_to_proto(turn: Turn) -> calllog_pb2.Turn:
    message = calllog_pb2.Turn(
        index=turn.index, role=_SPEAKERS[turn.role], text=turn.text, time_seconds=turn.time_seconds
    )
    if turn.tool_calls:
        calls = ListValue()
        calls.extend(list[Any](turn.tool_calls))
        message.tool_calls.CopyFrom(calls)
    return message


def turn_from_proto(turn: calllog_pb2.LiveTurn, elapsed_seconds: float) -> Turn:
    """A turn of a live party; one without a time is said when it arrives, so many seconds into the call.

    Raises InvalidArgument for a turn without a speaker and for tool calls that are no objects."""
    role = _SPEAKER_OF.get(turn.role)
    tool_calls = json_format.MessageToDict(turn.tool_calls)
    if role is None or not all(isinstance(call, dict) for call in tool_calls):
        detail = "A turn has the role user or agent, and tool calls are objects."
        raise InvalidArgument("validation_failed", detail, violations=[Violation("#/turns", "unknown_value", detail)])
    seconds = turn.time_seconds if turn.HasField("time_seconds") else elapsed_seconds
    return Turn(turn.index, role, storable(turn.text), seconds, tuple(storable_json(tool_calls)))


def status_from_proto(number: calllog_pb2.CallStatus.ValueType) -> CallStatus | None:
    return _STATUS_OF.get(number)


def direction_from_proto(number: calllog_pb2.CallDirection.ValueType) -> Direction:
    return _DIRECTION_OF.get(number, Direction.UNKNOWN)


command_to_proto = Mapper(
    Command, calllog_pb2.CallCommand,
    {"created_at": "create_time", "expires_at": "expire_time", "settled_at": "settle_time"},
    without=("org_id", "agent_id"),
).write  # fmt: skip


def recording_to_proto(recording: Recording) -> calllog_pb2.Recording:
    return calllog_pb2.Recording(
        id=recording.id,
        status=recording.status,
        media_type=recording.media_type,
        byte_size=recording.byte_size,
        transcription_status=recording.transcription_status,
    )


def transcription_to_proto(heard: Transcription) -> calllog_pb2.Transcription:
    return calllog_pb2.Transcription(
        status=heard.status,
        text=heard.text,
        model=heard.model,
        language=heard.language,
        duration_seconds=heard.duration_seconds,
        segments=[
            calllog_pb2.TranscriptionSegment(
                start_seconds=part.start_seconds, end_seconds=part.end_seconds, text=part.text
            )
            for part in heard.segments
        ],
    )


filter_from_proto = Mapper(CallFilter, calllog_pb2.ListCallsRequest, without=("agent_ids",)).read


def billable_to_proto(call: BillableCall) -> calllog_pb2.BillableCall:
    return calllog_pb2.BillableCall(
        call_id=call.call_id, duration_seconds=call.duration_seconds, end_time=to_timestamp(call.ended_at)
    )


def bucket_to_proto(bucket: Bucket) -> calllog_pb2.AnalyticsBucket:
    totals = bucket.totals
    return calllog_pb2.AnalyticsBucket(
        start_time=to_timestamp(bucket.start),
        calls=totals.calls,
        minutes=totals.minutes,
        successful_calls=totals.successful_calls,
        failed_calls=totals.failed_calls,
        cost=_money(totals.cost),
    )


def totals_to_proto(totals: Totals) -> calllog_pb2.GetOrganizationAnalyticsResponse:
    return calllog_pb2.GetOrganizationAnalyticsResponse(
        total_calls=totals.calls,
        total_minutes=totals.minutes,
        estimated_cost=_money(totals.cost),
        active_agents=totals.active_agents,
        successful_calls=totals.successful_calls,
        failed_calls=totals.failed_calls,
        average_duration_seconds=totals.average_seconds,
    )


def call_event(
    topic: str, org_id: str, call_id: str, version: int, agent: ServedBy, facts: Call | ReportedCall
) -> Event:
    """What happened to a call, as the suite is told."""
    changed = events_pb2.CallChanged(
        call_id=call_id,
        agent_id=agent.agent_id or "",
        agent_version=agent.version,
        external_call_id=facts.external_call_id,
        provider=facts.provider,
        status=facts.status,
        direction=facts.direction,
        duration_seconds=facts.duration_seconds or 0.0,
        started_at=to_timestamp(facts.started_at),
        ended_at=to_timestamp(facts.ended_at),
        summary=facts.summary[:_MAX_SUMMARY],
        successful=facts.successful,
        version=version,
        billable=is_billable(facts.status, facts.duration_seconds),
    )
    return Event(topic=topic, org_id=org_id, key=call_id, data=changed)


def turn_event(call: Call, turn: Turn) -> Event:
    said = events_pb2.CallTurn(
        call_id=call.id, agent_id=call.agent_id or "", index=turn.index, role=turn.role, text=turn.text,
        time_seconds=turn.time_seconds,
    )  # fmt: skip
    if turn.tool_calls:
        said.tool_calls.extend(list[Any](turn.tool_calls))
    return Event(topic="call.turn", org_id=call.org_id, key=call.id, data=said)


def command_event(topic: str, command: Command) -> Event:
    told = events_pb2.CallCommandChanged(
        command_id=command.id, call_id=command.call_id, agent_id=command.agent_id, type=command.type, to=command.to,
        context=command.context, reason=command.reason, status=command.status, detail=command.detail,
        expires_at=to_timestamp(command.expires_at),
    )  # fmt: skip
    return Event(topic=topic, org_id=command.org_id, key=command.call_id, data=told)


def stored_call_event(topic: str, call: Call) -> Event:
    served_by = ServedBy(call.agent_id, call.agent_version)
    return call_event(topic, call.org_id, call.id, call.version, served_by, call)


def _money(cost: Cost | None) -> common_pb2.Money | None:
    return common_pb2.Money(micros=cost.micros, currency=cost.currency) if cost else None


def serving_agents(resolve_agent: ResolveAgent) -> Callable[[str, str, str], Awaitable[ServedBy]]:
    """Asks the agent service by organization, provider and the provider's id of an agent. An agent that is tied to none
    is an empty ServedBy; an agent service that cannot be asked raises."""

    async def resolve(org_id: str, provider: str, external_agent_id: str) -> ServedBy:
        request = agent_pb2.ResolveExternalAgentRequest(
            organization_id=org_id, provider=provider, external_agent_id=external_agent_id
        )
        try:
            found = await resolve_agent(request)
        except NotFound:
            return ServedBy()
        return ServedBy(found.agent_id, found.published_version)

    return resolve


def own_agents(resolve_agent: ResolveAgent) -> Callable[[str, str], Awaitable[ServedBy]]:
    """Asks the agent service by organization and the agent's own id; NotFound where there is none."""

    async def resolve(org_id: str, agent_id: str) -> ServedBy:
        found = await resolve_agent(agent_pb2.ResolveExternalAgentRequest(organization_id=org_id, agent_id=agent_id))
        return ServedBy(found.agent_id, found.published_version)

    return resolve
