"""Bland's call, from a webhook or the API, read as a ReportedCall.

Source: docs.bland.ai, "Call Details" and "Post Call Webhooks": the body of a post-call webhook is the call itself.
Webhook events during a call have a `category`; they are kept and not processed. Ignored: `price`, a fraction of a
dollar; `end_at`, which is documented as the time when the call would be ended; `disposition_tag`, a word of the
customer's own; `variables` and `metadata`; turns of `agent-action`, which are not speech. `concatenated_transcript` is
read where the list of turns is missing.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from libs import untrusted_json as fields
from providers.interface.envelopes import Envelope, Makes, Shape, ranked
from providers.interface.reports import MAX_SECONDS, CallStatus, Direction, ReportedCall, Speaker, Turn
from providers.interface.transcripts import turns_of_text

POST_CALL = "post_call"
# Completeness of a report, from little to all: the fuller report wins.
_ONGOING_RANK, _ENDED_RANK, _ANALYZED_RANK = 1, 4, 5
_STATUSES = {
    "busy": CallStatus.BUSY,
    "no-answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
    "canceled": CallStatus.FAILED,
}
_ANSWERED_BY = {"no-answer": CallStatus.NO_ANSWER, "voicemail": CallStatus.VOICEMAIL}
_ENDED = {"completed", "unknown", *_STATUSES}
_SPEAKERS = {"user": Speaker.USER, "assistant": Speaker.AGENT, "robot": Speaker.AGENT}


def completeness(event_type: str, data: Mapping[str, Any]) -> int:
    ended = _ANALYZED_RANK if fields.text(data, "summary") else _ENDED_RANK
    return ranked(ended if _has_ended(data) else _ONGOING_RANK, len(_turns(data, None)))


SHAPE = Shape(
    type_name="category",
    data_name="",
    key_name="call_id",
    makes={POST_CALL: Makes.CALL},
    completeness=completeness,
    default_type=POST_CALL,
)


def wrap_call(call: Mapping[str, Any]) -> bytes:
    """The body that a webhook would have had for a call fetched from the provider."""
    return json.dumps(call, separators=(",", ":")).encode()


def recording_url(call: Mapping[str, Any]) -> str:
    """The address of the recording; empty unless the call was recorded."""
    return fields.text(call, "recording_url", 2_048)


def read_report(envelope: Envelope) -> ReportedCall:
    data = envelope.data
    status = _status(data)
    started_at = fields.iso_moment(data, "started_at")
    conversed = status in (CallStatus.COMPLETED, CallStatus.VOICEMAIL) and started_at is not None
    duration = _duration(data) if conversed else None
    return ReportedCall(
        provider=envelope.provider,
        external_call_id=envelope.key,
        external_agent_id=fields.text(data, "pathway_id", 200)
        or fields.text(fields.section(data, "request_data"), "pathway_id", 200),
        status=status,
        completeness=envelope.completeness,
        direction=_direction(data.get("inbound")),
        from_number=fields.text(data, "from", 100),
        to_number=fields.text(data, "to", 100),
        duration_seconds=duration,
        started_at=started_at or fields.iso_moment(data, "created_at"),
        ended_at=started_at + timedelta(seconds=duration) if started_at and duration is not None else None,
        summary=fields.text(data, "summary"),
        termination_reason=fields.text(data, "error_message", 500) or fields.text(data, "call_ended_by", 500),
        turns=_turns(data, started_at),
        has_audio=bool(recording_url(data)),
    )


def _direction(inbound: Any) -> Direction:
    if not isinstance(inbound, bool):
        return Direction.UNKNOWN
    return Direction.INBOUND if inbound else Direction.OUTBOUND


def _has_ended(data: Mapping[str, Any]) -> bool:
    return fields.flag(data, "completed") or fields.text(data, "status") in _ENDED


def _status(data: Mapping[str, Any]) -> CallStatus:
    if not _has_ended(data):
        return CallStatus.IN_PROGRESS
    reported = _STATUSES.get(fields.text(data, "status")) or _ANSWERED_BY.get(fields.text(data, "answered_by"))
    if reported is not None:
        return reported
    return CallStatus.FAILED if fields.iso_moment(data, "started_at") is None else CallStatus.COMPLETED


def _duration(data: Mapping[str, Any]) -> float | None:
    """Seconds: `corrected_duration`, which is text, before `call_length`, which is rounded minutes."""
    corrected = fields.text(data, "corrected_duration", 20)
    minutes = fields.number(data, "call_length")
    if corrected.isascii() and corrected.isdigit():
        seconds: float | None = float(corrected)
    else:
        seconds = None if minutes is None else round(minutes * 60, 3)
    return seconds if seconds is not None and seconds <= MAX_SECONDS else None


def _utterances(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (item for item in fields.items(data, "transcripts") if fields.text(item, "user") in _SPEAKERS)


def _turns(data: Mapping[str, Any], started_at: datetime | None) -> tuple[Turn, ...]:
    text = fields.text(data, "concatenated_transcript")
    return tuple(_spoken_turns(data, started_at)) or turns_of_text(text, _SPEAKERS)


def _spoken_turns(data: Mapping[str, Any], started_at: datetime | None) -> Iterator[Turn]:
    for index, item in enumerate(_utterances(data)):
        said_at = fields.iso_moment(item, "created_at")
        at = max(0.0, (said_at - started_at).total_seconds()) if said_at and started_at else 0.0
        yield Turn(index, _SPEAKERS[fields.text(item, "user")], fields.text(item, "text"), at)
