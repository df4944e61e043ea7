"""ElevenLabs' conversation, from a webhook or the API, read as a ReportedCall.

Shapes: the models of the official `elevenlabs` package (GetConversationResponseModel) and the provider's page on
post-call webhooks. A field with an unexpected value is unknown. docs/providers.md lists what is taken and ignored.
"""

import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from libs import untrusted_json as fields
from libs.errors import InvalidArgument
from providers.interface.envelopes import Envelope, Makes, Shape, ranked
from providers.interface.reports import MAX_SECONDS, CallStatus, Direction, ReportedCall, Speaker, Turn
from providers.interface.telephony import status_of_sip, status_of_word

TRANSCRIPTION = "post_call_transcription"
AUDIO = "post_call_audio"
INITIATION_FAILURE = "call_initiation_failure"
# Reports of one call in rising order of what they know. A failed start is between processing and failed.
_RANKS = {"initiated": 0, "in-progress": 1, "processing": 2, "failed": 4, "done": 5}
# Completeness of a report of a failed start: less than any report of a conversation.
_INITIATION_FAILURE_RANK = 3
_ONGOING = ("initiated", "in-progress", "processing")
_CALL_RESULTS = {
    "voicemail": CallStatus.VOICEMAIL,
    "busy": CallStatus.BUSY,
    "no_answer": CallStatus.NO_ANSWER,
    "failed": CallStatus.FAILED,
}
# Where a conversation with telephony names the agent's side and the other one.
_TELEPHONY = {
    "phone_call": ("agent_number", "external_number"),
    "sms": ("agent_phone_number", "sms_user_phone_number"),
    "whatsapp": ("whatsapp_phone_number_id", "whatsapp_user_id"),
}
_SUCCESS = {"success": True, "failure": False}


def completeness(event_type: str, data: Mapping[str, Any]) -> int:
    if event_type == INITIATION_FAILURE:
        return ranked(_INITIATION_FAILURE_RANK, 0)
    rank = _RANKS.get(fields.text(data, "status"), _RANKS["done"])
    return ranked(rank, sum(1 for _ in fields.items(data, "transcript")))


SHAPE = Shape(
    type_name="type",
    data_name="data",
    key_name="conversation_id",
    makes={TRANSCRIPTION: Makes.CALL, INITIATION_FAILURE: Makes.CALL, AUDIO: Makes.RECORDING},
    completeness=completeness,
    sent_name="event_timestamp",
)


def wrap_conversation(conversation: Mapping[str, Any]) -> bytes:
    """The envelope that a webhook would have carried for a conversation fetched from the provider."""
    return json.dumps({"type": TRANSCRIPTION, "data": conversation}, separators=(",", ":")).encode()


def read_report(envelope: Envelope) -> ReportedCall:
    if envelope.event_type == INITIATION_FAILURE:
        return _read_initiation_failure(envelope)
    return _read_conversation(envelope)


def _read_conversation(envelope: Envelope) -> ReportedCall:
    """A conversation with its transcript, metadata and analysis."""
    data = envelope.data
    metadata, analysis = fields.section(data, "metadata"), fields.section(data, "analysis")
    phone = fields.section(metadata, "phone_call")
    direction, from_number, to_number = _sides(metadata)
    started_at = fields.moment(fields.number(metadata, "start_time_unix_secs"))
    status = _status(data, metadata, phone)
    duration = _duration(metadata) if status.ended else None
    return ReportedCall(
        provider=envelope.provider,
        external_call_id=envelope.key,
        external_agent_id=fields.text(data, "agent_id", 200),
        status=status,
        completeness=envelope.completeness,
        direction=direction,
        from_number=from_number,
        to_number=to_number,
        successful=_SUCCESS.get(fields.text(analysis, "call_successful")),
        duration_seconds=duration,
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=duration) if started_at and duration is not None else None,
        title=fields.text(analysis, "call_summary_title", 500),
        summary=fields.text(analysis, "transcript_summary"),
        language=fields.text(metadata, "main_language", 35),
        termination_reason=fields.text(metadata, "termination_reason", 500)
        or fields.text(fields.section(metadata, "error"), "reason", 500),
        provider_cost_units=fields.whole(metadata, "cost"),
        turns=_turns(data),
        has_audio=fields.flag(data, "has_audio"),
    )


def _read_initiation_failure(envelope: Envelope) -> ReportedCall:
    """A call that never began has no duration, so it is not billed."""
    data = envelope.data
    metadata = fields.section(data, "metadata")
    body = fields.section(metadata, "body")
    reason, detail = fields.text(data, "failure_reason", 200), fields.text(body, "error_reason", 500)
    return ReportedCall(
        provider=envelope.provider,
        external_call_id=envelope.key,
        external_agent_id=fields.text(data, "agent_id", 200),
        status=_failed_start(reason, body),
        completeness=envelope.completeness,
        direction=Direction.OUTBOUND,
        from_number=fields.text(body, "From", 100) or fields.text(body, "from_number", 100),
        to_number=fields.text(body, "To", 100) or fields.text(body, "to_number", 100),
        successful=False,
        started_at=envelope.sent_at,
        ended_at=envelope.sent_at,
        termination_reason=": ".join(
            part for part in (reason if reason != "unknown" or not detail else "", detail) if part
        ),
    )


def _failed_start(reason: str, body: Mapping[str, Any]) -> CallStatus:
    """The provider's word; where it has none, the word or the SIP response of the telephony beneath."""
    word = status_of_word(reason or fields.text(body, "CallStatus", 50))
    codes = (body.get(name) for name in ("sip_status_code", "SipResponseCode"))
    responses = (status_of_sip(code) for code in codes if isinstance(code, int | str))
    return word or next(filter(None, responses), CallStatus.FAILED)


def read_audio(envelope: Envelope) -> Iterator[bytes]:
    """The recording (MP3) of a post_call_audio envelope, decoded piece by piece."""
    kept, size, padded = b"", 0, False
    try:
        for piece in envelope.text_pieces("full_audio"):
            whole = kept + piece
            cut = len(whole) - len(whole) % 4
            kept = whole[cut:]
            if padded and whole:
                raise binascii.Error
            audio = binascii.a2b_base64(whole[:cut], strict_mode=True)
            padded = whole[:cut].endswith(b"=")
            size += len(audio)
            yield audio
    except binascii.Error:
        size = 0
    if kept or not size:
        raise InvalidArgument("webhook_payload_invalid", "The envelope's data holds no base64 full_audio.")


def _status(data: Mapping[str, Any], metadata: Mapping[str, Any], phone: Mapping[str, Any]) -> CallStatus:
    reported = fields.text(data, "status")
    if reported in _ONGOING:
        return CallStatus.IN_PROGRESS
    result = _CALL_RESULTS.get(fields.text(phone, "call_result"))
    if result is not None:
        return result
    if "voicemail" in fields.text(metadata, "termination_reason").lower():
        return CallStatus.VOICEMAIL
    return CallStatus.FAILED if reported == "failed" else CallStatus.COMPLETED


def _sides(metadata: Mapping[str, Any]) -> tuple[Direction, str, str]:
    """Direction, the number of the side that began, and the other's. A conversation without telephony is a web call."""
    name = next((name for name in _TELEPHONY if fields.section(metadata, name)), "")
    if not name:
        return Direction.WEB, "", ""
    channel, (agent_name, other_name) = fields.section(metadata, name), _TELEPHONY[name]
    agent, other = fields.text(channel, agent_name, 100), fields.text(channel, other_name, 100)
    if fields.text(channel, "direction") == "outbound":
        return Direction.OUTBOUND, agent, other
    return Direction.INBOUND, other, agent


def _duration(metadata: Mapping[str, Any]) -> float | None:
    seconds = fields.number(metadata, "call_duration_secs")
    return seconds if seconds is not None and seconds <= MAX_SECONDS else None


def _turns(data: Mapping[str, Any]) -> tuple[Turn, ...]:
    results = {
        fields.text(result, "request_id"): result
        for item in fields.items(data, "transcript")
        for result in fields.items(item, "tool_results")
    }
    return tuple(
        Turn(
            index=index,
            role=Speaker.USER if fields.text(item, "role") == "user" else Speaker.AGENT,
            text=fields.text(item, "message") or _parts(item),
            time_seconds=fields.number(item, "time_in_call_secs") or 0.0,
            tool_calls=tuple(_tool_call(call, results) for call in fields.items(item, "tool_calls")),
        )
        for index, item in enumerate(fields.items(data, "transcript"))
    )


def _parts(item: Mapping[str, Any]) -> str:
    """What an agent of several voices said; each part is one voice's."""
    parts = fields.items(fields.section(item, "multivoice_message"), "parts")
    return " ".join(text for part in parts if (text := fields.text(part, "text").strip()))


def _tool_call(call: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    request_id = fields.text(call, "request_id", 200)
    result = results.get(request_id, {})
    return {
        "id": request_id,
        "name": fields.text(call, "tool_name", 200),
        "type": fields.text(call, "type", 50),
        "arguments": fields.json_text(call, "params_as_json"),
        "result": fields.text(result, "result_value") or None,
        "isError": fields.flag(result, "is_error"),
    }
