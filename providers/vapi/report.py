"""Vapi's call, from a server message or the API, read as a ReportedCall.

Shapes: the models of the official `vapi-server-sdk` package (ServerMessageStatusUpdate, ServerMessageEndOfCallReport,
Call), and those of older reports, which have the artifact's fields beside the call. A call has many messages; only
these two kinds report its state, the others belong to the conversation. docs/providers.md lists what is taken and
ignored.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from libs import untrusted_json as fields
from providers.interface.envelopes import Envelope, Makes, Shape, ranked
from providers.interface.reports import MAX_SECONDS, CallStatus, Direction, ReportedCall, Speaker, Turn
from providers.interface.telephony import status_of_sip
from providers.interface.transcripts import turns_of_text

STATUS = "status-update"
REPORT = "end-of-call-report"
# Only the status of a call in progress makes a call. Before, there is nothing to show; the report follows its end.
_STATUS_RANKS = {"in-progress": 1, "forwarding": 2}
# Completeness of a report, from little to all: the fuller report wins.
_REPORT_RANK, _ANALYZED_RANK = 4, 5
_NOT_CONVERSED = {
    "customer-busy": CallStatus.BUSY,
    "customer-did-not-answer": CallStatus.NO_ANSWER,
    "call.ringing.sip-inbound-caller-hungup-before-call-connect": CallStatus.NO_ANSWER,
}
# Vapi has hundreds of reasons, most of them errors of a component. Every reason of a broken call contains one of these.
_BROKEN = re.compile(
    "error|fail|fault|not-found|not-valid|request-returned|join-timed-out|shutdown|closed-websocket|microphone-permission"
    "|rejected|misdialed|unallocated|no-call-received|deleted"
)
_DIRECTIONS = {
    "inboundPhoneCall": Direction.INBOUND,
    "outboundPhoneCall": Direction.OUTBOUND,
    "webCall": Direction.WEB,
    "vapi.websocketCall": Direction.WEB,
}
# The result of a rubric of pass or fail. Results of other rubrics do not say whether the call was successful.
_SUCCESS = {"true": True, "false": False}
_SPEAKERS = {"user": Speaker.USER, "bot": Speaker.AGENT, "assistant": Speaker.AGENT, "tool_calls": Speaker.AGENT}
_LABELS = {"ai": Speaker.AGENT, "bot": Speaker.AGENT, "assistant": Speaker.AGENT, "user": Speaker.USER}
_SIP_RESPONSE = re.compile(r"sip-(\d{3})-")
# Fields that a message has beside its call, and the API's answer inside of it.
_BESIDE_THE_CALL = (
    "endedReason", "startedAt", "endedAt", "cost", "costs", "destination", "artifact", "analysis", "compliance",
    "assistant", "customer", "phoneNumber", "durationSeconds", "messages", "messagesOpenAIFormatted", "transcript",
    "summary", "recordingUrl", "stereoRecordingUrl",
)  # fmt: skip


def completeness(event_type: str, data: Mapping[str, Any]) -> int | None:
    if event_type == STATUS:
        rank = _STATUS_RANKS.get(fields.text(data, "status"))
    else:
        rank = _ANALYZED_RANK if fields.section(data, "analysis") else _REPORT_RANK
    return None if rank is None else ranked(rank, len(_turns(_facts(data))))


SHAPE = Shape(
    type_name="message.type",
    data_name="message",
    key_name="call.id",
    makes={STATUS: Makes.CALL, REPORT: Makes.CALL},
    completeness=completeness,
)


def wrap_call(call: Mapping[str, Any]) -> bytes:
    """The envelope that a webhook would have carried for an ended call fetched from the provider."""
    beside = {name: call[name] for name in _BESIDE_THE_CALL if name in call}
    inside = {name: value for name, value in call.items() if name not in beside}
    return json.dumps({"message": {"type": REPORT, **beside, "call": inside}}, separators=(",", ":")).encode()


def recording_url(call: Mapping[str, Any]) -> str:
    """The address of the recording; empty if there is none. A signed address comes first, because others may refuse
    access, and mono comes before stereo."""
    artifact = fields.section(call, "artifact")
    recording = fields.section(artifact, "recording")
    places = (
        (artifact, "presignedMonoUrl"),
        (fields.section(recording, "mono"), "combinedUrl"),
        (artifact, "recordingUrl"),
        (artifact, "presignedStereoUrl"),
        (recording, "stereoUrl"),
        (artifact, "stereoRecordingUrl"),
        (call, "recordingUrl"),
        (call, "stereoRecordingUrl"),
    )
    return next((url for source, name in places if (url := fields.text(source, name, 2_048))), "")


def read_report(envelope: Envelope) -> ReportedCall:
    facts = _facts(envelope.data)
    analysis = fields.section(facts, "analysis")
    started_at, ended_at = fields.iso_moment(facts, "startedAt"), fields.iso_moment(facts, "endedAt")
    reason, length = fields.text(facts, "endedReason", 500), _length(facts, started_at, ended_at)
    turns = _turns(facts)
    began = started_at is not None or bool(length) or any(turn.role is Speaker.USER for turn in turns)
    status = CallStatus.IN_PROGRESS if envelope.event_type == STATUS else _status(reason, began)
    conversed = status.ended and status not in (CallStatus.BUSY, CallStatus.NO_ANSWER)
    if length is not None and status.ended:
        started_at, ended_at = _both_ends(started_at, ended_at, length)
    direction, from_number, to_number = _sides(envelope.data, facts)
    return ReportedCall(
        provider=envelope.provider,
        external_call_id=envelope.key,
        external_agent_id=fields.text(facts, "assistantId", 200) or _text_at(facts, "assistant.id"),
        status=status,
        completeness=envelope.completeness,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        successful=_SUCCESS.get(str(analysis.get("successEvaluation")).lower()),
        duration_seconds=length if conversed else None,
        started_at=started_at,
        ended_at=ended_at if status.ended else None,
        summary=fields.text(analysis, "summary") or fields.text(facts, "summary"),
        termination_reason=reason,
        turns=turns,
        has_audio=bool(recording_url(facts)),
    )


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """All that a message says about its call. A field beside the call is newer than the same field inside of it."""
    beside = {name: data[name] for name in _BESIDE_THE_CALL if data.get(name) is not None}
    return {**fields.section(data, "call"), **beside}


def _status(reason: str, began: bool) -> CallStatus:
    if reason in _NOT_CONVERSED:
        return _NOT_CONVERSED[reason]
    if reason == "voicemail":
        return CallStatus.VOICEMAIL
    if not began and (response := _SIP_RESPONSE.search(reason)):
        return status_of_sip(response[1]) or CallStatus.FAILED
    return CallStatus.FAILED if not began or _BROKEN.search(reason) else CallStatus.COMPLETED


def _length(facts: Mapping[str, Any], started_at: datetime | None, ended_at: datetime | None) -> float | None:
    """Seconds between the two times, or where one is missing those that the report names. An unreasonable length is a
    mistake and must not be billed."""
    seconds = fields.number(facts, "durationSeconds")
    if started_at is not None and ended_at is not None:
        seconds = (ended_at - started_at).total_seconds()
    return seconds if seconds is not None and 0 <= seconds <= MAX_SECONDS else None


def _both_ends(
    started_at: datetime | None, ended_at: datetime | None, length: float
) -> tuple[datetime | None, datetime | None]:
    """Where only one of the two times is known, the length tells the other."""
    if started_at is None and ended_at is not None:
        started_at = ended_at - timedelta(seconds=length)
    elif started_at is not None and ended_at is None:
        ended_at = started_at + timedelta(seconds=length)
    return started_at, ended_at


def _sides(data: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[Direction, str, str]:
    """Direction, the caller's number and the called number."""
    direction = _DIRECTIONS.get(_text_at(data, "call.type"), Direction.UNKNOWN)
    other = _text_at(facts, "customer.number") or _text_at(facts, "customer.sipUri")
    ours = _text_at(facts, "phoneNumber.number") or _text_at(facts, "phoneNumber.twilioPhoneNumber")
    return (direction, ours, other) if direction is Direction.OUTBOUND else (direction, other, ours)


def _text_at(source: Mapping[str, Any], path: str) -> str:
    parent, _, name = path.rpartition(".")
    return fields.text(fields.section(source, parent), name, 200)


def _messages(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The list that has utterances: that of the artifact, or beside the call, or in the form of OpenAI's chats."""
    for source in (fields.section(facts, "artifact"), facts):
        for name in ("messages", "messagesOpenAIFormatted"):
            found = list(fields.items(source, name))
            if any(fields.text(item, "role") in _SPEAKERS for item in found):
                return found
    return []


def _turns(facts: Mapping[str, Any]) -> tuple[Turn, ...]:
    text = fields.text(fields.section(facts, "artifact"), "transcript") or fields.text(facts, "transcript")
    return tuple(_spoken_turns(_messages(facts))) or turns_of_text(text, _LABELS)


def _spoken_turns(messages: list[Mapping[str, Any]]) -> Iterator[Turn]:
    """Words and tool calls; the result of a tool call becomes part of its turn. System messages to the model are not
    part of the conversation."""
    results = {fields.text(item, "toolCallId"): item for item in messages if "toolCallId" in item}
    spoken = (item for item in messages if fields.text(item, "role") in _SPEAKERS)
    for index, item in enumerate(spoken):
        at = fields.number(item, "secondsFromStart") or 0.0
        calls = tuple(_tool_call(call, results) for call in fields.items(item, "toolCalls"))
        words = "" if calls else fields.text(item, "message") or fields.text(item, "content")
        yield Turn(index, _SPEAKERS[fields.text(item, "role")], words, at, calls)


def _tool_call(call: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    function = fields.section(call, "function")
    request_id = fields.text(call, "id", 200)
    return {
        "id": request_id,
        "name": fields.text(function, "name", 200),
        "type": fields.text(call, "type", 50),
        "arguments": fields.json_text(function, "arguments"),
        "result": fields.text(results.get(request_id, {}), "result") or None,
        "isError": False,
    }
