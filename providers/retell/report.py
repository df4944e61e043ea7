"""Retell's call, from a webhook or the API, read as a ReportedCall.

Shapes: the models of the official `retell-sdk` package (PhoneCallResponse, WebCallResponse). Times are milliseconds.
docs/providers.md lists what is taken and ignored.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from libs import untrusted_json as fields
from providers.interface.envelopes import Envelope, Makes, Shape, ranked
from providers.interface.reports import MAX_SECONDS, CallStatus, Direction, ReportedCall, Speaker, Turn
from providers.interface.transcripts import turns_of_text

_RANKS = {"call_started": 1, "call_ended": 4, "call_analyzed": 5}
_ONGOING = ("registered", "ongoing")
_NOT_CONNECTED = {
    "dial_busy": CallStatus.BUSY,
    "user_declined": CallStatus.BUSY,
    "dial_no_answer": CallStatus.NO_ANSWER,
}
_DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
# The transcript with most in it comes first. An agent that keeps no personal data has only the scrubbed ones.
_TRANSCRIPTS = ("transcript_with_tool_calls", "transcript_object", "scrubbed_transcript_with_tool_calls")
_ROLES = {
    "agent": Speaker.AGENT,
    "transfer_target": Speaker.AGENT,
    "tool_call_invocation": Speaker.AGENT,
    "user": Speaker.USER,
    "dtmf": Speaker.USER,
    "sms": Speaker.USER,
}
_LABELS = {"agent": Speaker.AGENT, "transfer target": Speaker.AGENT, "user": Speaker.USER}


def completeness(event_type: str, data: Mapping[str, Any]) -> int:
    return ranked(_RANKS[event_type], len(_turns(data)))


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
    status = CallStatus.IN_PROGRESS if _has_begun_only(envelope) else _status(data, analysis)
    conversed = status in (CallStatus.COMPLETED, CallStatus.VOICEMAIL, CallStatus.FAILED)
    conversed = conversed and fields.text(data, "call_status") != "not_connected"
    successful = analysis.get("call_successful")
    started_at = fields.moment(_seconds(data, "start_timestamp"))
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
        started_at=started_at,
        ended_at=_ended_at(data, started_at) if status.ended else None,
        summary=fields.text(analysis, "call_summary"),
        termination_reason=fields.text(data, "disconnection_reason", 500),
        turns=_turns(data),
        has_audio=bool(recording_url(data)),
    )


def _has_begun_only(envelope: Envelope) -> bool:
    return envelope.event_type == "call_started" and not fields.text(envelope.data, "call_status")


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


def _ended_at(data: Mapping[str, Any], started_at: datetime | None) -> datetime | None:
    ended_at, seconds = fields.moment(_seconds(data, "end_timestamp")), _duration(data)
    if ended_at is None and started_at is not None and seconds is not None:
        return started_at + timedelta(seconds=seconds)
    return ended_at


def _duration(data: Mapping[str, Any]) -> float | None:
    """Seconds: `duration_ms`, or where it is missing what lies between the two times."""
    start, end = _seconds(data, "start_timestamp"), _seconds(data, "end_timestamp")
    between = end - start if start and end else None
    measured = _seconds(data, "duration_ms")
    seconds = between if measured is None else measured
    return seconds if seconds is not None and 0 <= seconds <= MAX_SECONDS else None


def _seconds(data: Mapping[str, Any], name: str) -> float | None:
    milliseconds = fields.number(data, name)
    return milliseconds / 1_000 if milliseconds is not None else None


def _utterances(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries that become turns: words, tool calls, keys pressed and messages sent. The result of a tool call
    becomes part of its turn. Entries that neither side said (node transitions, injected context) are left out."""
    for name in _TRANSCRIPTS:
        found = [item for item in fields.items(data, name) if fields.text(item, "role") in _ROLES]
        if found:
            return iter(found)
    return iter(())


def _turns(data: Mapping[str, Any]) -> tuple[Turn, ...]:
    return tuple(_spoken_turns(data)) or turns_of_text(fields.text(data, "transcript"), _LABELS)


def _spoken_turns(data: Mapping[str, Any]) -> Iterator[Turn]:
    results = {
        fields.text(item, "tool_call_id"): item
        for name in _TRANSCRIPTS
        for item in fields.items(data, name)
        if fields.text(item, "role") == "tool_call_result"
    }
    at = 0.0
    for index, item in enumerate(_utterances(data)):
        words = next(fields.items(item, "words"), {})
        at = fields.number(words, "start") or fields.number(item, "time_sec") or at
        role = fields.text(item, "role")
        if role == "tool_call_invocation":
            yield Turn(index, _ROLES[role], "", at, (_tool_call(item, results),))
        else:
            yield Turn(index, _ROLES[role], fields.text(item, "digit" if role == "dtmf" else "content"), at)


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
