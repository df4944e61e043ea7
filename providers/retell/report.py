"""Retell's call, from a webhook or the API, read as a ReportedCall.

Shapes: the models of the official `retell-sdk` package (PhoneCallResponse, WebCallResponse). Times are milliseconds.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from libs import untrusted_json as fields
from providers.interface.envelopes import Envelope, Makes, Shape, ranked
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker, Turn

_RANKS = {"call_started": 1, "call_ended": 4, "call_analyzed": 5}
_ONGOING = ("registered", "ongoing")
_NOT_CONNECTED = {"dial_busy": CallStatus.BUSY, "dial_no_answer": CallStatus.NO_ANSWER}
_DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
_MAX_MS = 30 * 86_400_000


def completeness(event_type: str, data: Mapping[str, Any]) -> int:
    return ranked(_RANKS[event_type], sum(1 for _ in _utterances(data)))


SHAPE = Shape(
    type_name="event",
    data_name="call",
    key_name="call_id",
    makes=dict.fromkeys(_RANKS, Makes.CALL),
    completeness=completeness,
)


def wrap_call(call: Mapping[str, Any]) -> bytes:
    """The envelope that a webhook would have carried for a call fetched from the provider."""
    event = "call_analyzed" if call.get("call_analysis") else "call_ended"
    return json.dumps({"event": event, "call": call}, separators=(",", ":")).encode()


def recording_url(call: Mapping[str, Any]) -> str:
    """The address of the call's recording; empty if there is none. An agent that keeps no personal data has only the
    scrubbed recording."""
    return fields.text(call, "recording_url", 2_048) or fields.text(call, "scrubbed_recording_url", 2_048)


def read_report(envelope: Envelope) -> ReportedCall:
    data = envelope.data
    analysis = fields.section(data, "call_analysis")
    status = _status(data, analysis)
    conversed = status in (CallStatus.COMPLETED, CallStatus.VOICEMAIL, CallStatus.FAILED)
    conversed = conversed and fields.text(data, "call_status") != "not_connected"
    successful = analysis.get("call_successful")
    return ReportedCall(
        provider=envelope.provider,
        external_call_id=envelope.key,
        external_agent_id=fields.text(data, "agent_id", 200),
        status=status,
        completeness=envelope.completeness,
        direction=_DIRECTIONS.get(fields.text(data, "direction"), Direction.WEB),
        from_number=fields.text(data, "from_number", 100),
        to_number=fields.text(data, "to_number", 100),
        successful=successful if isinstance(successful, bool) else None,
        duration_seconds=_duration(data) if conversed else None,
        started_at=fields.moment(_seconds(data, "start_timestamp")),
        ended_at=fields.moment(_seconds(data, "end_timestamp")) if status.ended else None,
        summary=fields.text(analysis, "call_summary"),
        termination_reason=fields.text(data, "disconnection_reason", 500),
        turns=tuple(_turns(data)),
        has_audio=bool(recording_url(data)),
    )


def _status(data: Mapping[str, Any], analysis: Mapping[str, Any]) -> CallStatus:
    reported, reason = fields.text(data, "call_status"), fields.text(data, "disconnection_reason")
    if reported in _ONGOING:
        return CallStatus.IN_PROGRESS
    if reported == "not_connected" or reason in _NOT_CONNECTED:
        return _NOT_CONNECTED.get(reason, CallStatus.FAILED)
    if reported == "error":
        return CallStatus.FAILED
    voicemail = fields.flag(analysis, "in_voicemail") or reason == "voicemail_reached"
    return CallStatus.VOICEMAIL if voicemail else CallStatus.COMPLETED


def _duration(data: Mapping[str, Any]) -> float | None:
    milliseconds = fields.number(data, "duration_ms")
    return milliseconds / 1_000 if milliseconds is not None and milliseconds <= _MAX_MS else None


def _seconds(data: Mapping[str, Any], name: str) -> float | None:
    milliseconds = fields.number(data, name)
    return milliseconds / 1_000 if milliseconds is not None else None


def _utterances(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries that become turns: words and tool calls. The result of a tool call becomes part of its turn."""
    name = "transcript_with_tool_calls" if data.get("transcript_with_tool_calls") else "transcript_object"
    for item in fields.items(data, name):
        if fields.text(item, "role") in ("agent", "user", "transfer_target", "tool_call_invocation"):
            yield item


def _turns(data: Mapping[str, Any]) -> Iterator[Turn]:
    results = {
        fields.text(item, "tool_call_id"): item
        for item in fields.items(data, "transcript_with_tool_calls")
        if fields.text(item, "role") == "tool_call_result"
    }
    at = 0.0
    for index, item in enumerate(_utterances(data)):
        words = next(fields.items(item, "words"), {})
        at = fields.number(words, "start") or at
        role = Speaker.USER if fields.text(item, "role") == "user" else Speaker.AGENT
        if fields.text(item, "role") == "tool_call_invocation":
            yield Turn(index, role, "", at, (_tool_call(item, results),))
        else:
            yield Turn(index, role, fields.text(item, "content"), at)


def _tool_call(item: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    request_id = fields.text(item, "tool_call_id", 200)
    result = results.get(request_id, {})
    return {
        "id": request_id,
        "name": fields.text(item, "name", 200),
        "type": fields.text(item, "type", 50),
        "arguments": fields.json_text(item, "arguments"),
        "result": fields.text(result, "content") or None,
        "isError": result.get("successful") is False,
    }
