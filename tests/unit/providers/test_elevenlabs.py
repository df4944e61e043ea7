"""Reading ElevenLabs' conversations: the shapes of the official SDK, and whatever a sender gets wrong."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from elevenlabs.types import GetConversationResponseModel
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from providers.elevenlabs import PROVIDER
from providers.elevenlabs.report import wrap_conversation
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "elevenlabs"
TRANSCRIPTION = json.loads((SAMPLES / "post_call_transcription.json").read_text())


def read(data: dict[str, Any] | None = None, **changes: Any) -> ReportedCall:
    envelope = copy.deepcopy(TRANSCRIPTION)
    envelope["data"].update(data or {}, **changes)
    return PROVIDER.read_report(PROVIDER.parse_envelope(json.dumps(envelope).encode()))


def test_the_sample_is_what_the_official_sdk_reads() -> None:
    """Every value that we take is the value that the SDK's model holds."""
    official = GetConversationResponseModel.model_validate(TRANSCRIPTION["data"])
    ours = read()
    assert ours.external_call_id == official.conversation_id
    assert ours.external_agent_id == official.agent_id
    assert ours.duration_seconds == official.metadata.call_duration_secs
    assert ours.started_at == datetime.fromtimestamp(official.metadata.start_time_unix_secs, UTC)
    assert ours.provider_cost_units == official.metadata.cost
    assert ours.language == official.metadata.main_language
    assert ours.termination_reason == official.metadata.termination_reason
    assert official.analysis is not None
    assert (ours.summary, ours.title) == (official.analysis.transcript_summary, official.analysis.call_summary_title)
    assert ours.has_audio == official.has_audio
    assert [(turn.role.value, turn.text, turn.time_seconds) for turn in ours.turns] == [
        (turn.role, turn.message or "", turn.time_in_call_secs) for turn in official.transcript
    ]
    assert [len(turn.tool_calls) for turn in ours.turns] == [len(turn.tool_calls or []) for turn in official.transcript]


@pytest.mark.parametrize(
    ("status", "call_result", "reason", "expected"),
    [
        ("done", None, "", CallStatus.COMPLETED),
        ("failed", None, "", CallStatus.FAILED),
        ("initiated", None, "", CallStatus.IN_PROGRESS),
        ("in-progress", "answered", "", CallStatus.IN_PROGRESS),
        ("processing", None, "", CallStatus.IN_PROGRESS),
        ("done", "answered", "", CallStatus.COMPLETED),
        ("done", "voicemail", "", CallStatus.VOICEMAIL),
        ("done", "busy", "", CallStatus.BUSY),
        ("done", "no_answer", "", CallStatus.NO_ANSWER),
        ("done", "failed", "", CallStatus.FAILED),
        ("done", None, "voicemail_detection tool was called", CallStatus.VOICEMAIL),
        ("from next year", None, "", CallStatus.COMPLETED),
        (None, None, "", CallStatus.COMPLETED),
    ],
)
def test_status(status: str | None, call_result: str | None, reason: str, expected: CallStatus) -> None:
    phone = {"direction": "inbound", "call_result": call_result}
    metadata = {"phone_call": phone, "termination_reason": reason, "call_duration_secs": 5}
    report = read(status=status, metadata=metadata)
    assert report.status is expected
    assert (report.duration_seconds is not None) == (expected is not CallStatus.IN_PROGRESS)


def test_sides() -> None:
    def sides(phone: Any) -> tuple[Direction, str, str]:
        report = read(metadata={"phone_call": phone})
        return report.direction, report.from_number, report.to_number

    numbers = {"agent_number": "+1", "external_number": "+2"}
    assert sides({"direction": "inbound", **numbers}) == (Direction.INBOUND, "+2", "+1")
    assert sides({"direction": "outbound", **numbers}) == (Direction.OUTBOUND, "+1", "+2")
    assert sides(None) == (Direction.WEB, "", "")


def test_tool_calls_carry_their_result_wherever_it_stands() -> None:
    asked = {"request_id": "1", "tool_name": "a", "params_as_json": "{x"}
    answered = {"request_id": "1", "result_value": "r", "is_error": True}
    transcript = [
        {"role": "agent", "message": None, "tool_calls": [asked]},
        {"role": "user", "message": "ok"},
        {"role": "agent", "message": None, "tool_results": [answered]},
    ]
    turns = read(transcript=transcript).turns
    assert [(turn.index, turn.role, turn.text) for turn in turns] == [
        (0, Speaker.AGENT, ""), (1, Speaker.USER, "ok"), (2, Speaker.AGENT, ""),
    ]  # fmt: skip
    call = {"id": "1", "name": "a", "type": "", "arguments": "{x", "result": "r", "isError": True}
    assert turns[0].tool_calls == (call,)


@pytest.mark.parametrize(
    ("params", "arguments"),
    [
        ('{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ("", {}),
        ("{broken", "{broken"),
        ("[1e999, NaN]", ["inf", "NaN"]),
        (f"[{10**400}]", [str(10**400)]),
        (r'["\u0000\ud800"]', ["\ufffd\ufffd\ufffd\ufffd"]),
        ("[" * 50 + "]" * 50, "[" * 50 + "]" * 50),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_arguments_can_be_stored_and_sent(params: str, arguments: Any) -> None:
    (turn,) = read(transcript=[{"role": "agent", "tool_calls": [{"params_as_json": params}]}]).turns
    assert turn.tool_calls[0]["arguments"] == arguments


def test_success_is_true_false_or_unknown() -> None:
    judged = [read(analysis={"call_successful": word}).successful for word in ("success", "failure", "unknown", 3)]
    assert judged == [True, False, None, None]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("busy", CallStatus.BUSY), ("no-answer", CallStatus.NO_ANSWER), ("unknown", CallStatus.FAILED)],
)
def test_a_failed_start(reason: str, expected: CallStatus) -> None:
    envelope = json.loads((SAMPLES / "call_initiation_failure.json").read_text())
    envelope["data"]["failure_reason"] = reason
    report = PROVIDER.read_report(PROVIDER.parse_envelope(json.dumps(envelope).encode()))
    assert (report.status, report.duration_seconds, report.successful) == (expected, None, False)
    assert (report.from_number, report.to_number) == ("+4930555010", "+4930555030")
    assert report.ended_at == datetime(2026, 1, 2, 9, 4, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"sip_status_code": 486}, CallStatus.BUSY),
        ({"sip_status_code": 600}, CallStatus.BUSY),
        ({"sip_status_code": 603}, CallStatus.BUSY),
        ({"sip_status_code": 480}, CallStatus.NO_ANSWER),
        ({"sip_status_code": 408}, CallStatus.NO_ANSWER),
        ({"sip_status_code": "487"}, CallStatus.NO_ANSWER),
        ({"sip_status_code": 404}, CallStatus.FAILED),
        ({"sip_status_code": 503}, CallStatus.FAILED),
        ({"sip_status_code": None}, CallStatus.FAILED),
        ({"sip_status_code": "soon"}, CallStatus.FAILED),
        ({"SipResponseCode": "486"}, CallStatus.BUSY),
        ({}, CallStatus.FAILED),
    ],
)
@pytest.mark.parametrize("reason", ["unknown", None, "something new"])
def test_a_failed_start_says_what_telephony_said(
    reason: str | None, body: dict[str, Any], expected: CallStatus
) -> None:
    said = "INVITE failed: sip status: 486: Busy Here"
    data = {"failure_reason": reason, "conversation_id": "c", "agent_id": "a"}
    metadata = {"type": "sip", "body": {**body, "error_reason": said, "call_sid": "x"}}
    envelope = {"type": "call_initiation_failure", "event_timestamp": 1, "data": {**data, "metadata": metadata}}
    report = PROVIDER.read_report(PROVIDER.parse_envelope(json.dumps(envelope).encode()))
    assert (report.status, report.duration_seconds) == (expected, None)
    assert report.termination_reason == (f"{reason}: {said}" if reason == "something new" else said)


def test_a_failed_start_without_a_reason_has_the_status_of_its_telephony() -> None:
    envelope = json.loads((SAMPLES / "call_initiation_failure.json").read_text())
    envelope["data"]["failure_reason"] = None
    report = PROVIDER.read_report(PROVIDER.parse_envelope(json.dumps(envelope).encode()))
    assert report.status is CallStatus.BUSY


def test_what_several_voices_said_is_one_turn() -> None:
    parts = [{"text": "Once upon", "voice_label": "Old"}, {"text": "a time", "time_in_call_secs": 4}, {"text": None}]
    items = [{"role": "agent", "message": None, "multivoice_message": {"parts": parts}, "time_in_call_secs": 3}]
    (turn,) = read(transcript=items).turns
    assert (turn.text, turn.time_seconds) == ("Once upon a time", 3)
    assert [turn.text for turn in read(transcript=[{**items[0], "message": "whole"}]).turns] == ["whole"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"sms": {"direction": "inbound", "sms_user_phone_number": "+2", "agent_phone_number": "+1"}},
        {"whatsapp": {"direction": "inbound", "whatsapp_user_id": "+2", "whatsapp_phone_number_id": "+1"}},
    ],
)
def test_a_conversation_by_message_has_its_sides(metadata: dict[str, Any]) -> None:
    report = read(metadata=metadata)
    assert (report.direction, report.from_number, report.to_number) == (Direction.INBOUND, "+2", "+1")


def test_fuller_reports_rank_higher() -> None:
    failure = PROVIDER.read_report(PROVIDER.parse_envelope((SAMPLES / "call_initiation_failure.json").read_bytes()))
    ranks = [
        read(status="initiated").completeness,
        read(status="in-progress", transcript=[]).completeness,
        read(status="in-progress").completeness,
        read(status="processing").completeness,
        failure.completeness,
        read(status="failed").completeness,
        read(transcript=[]).completeness,
        read().completeness,
    ]
    assert ranks == sorted(set(ranks))


def test_a_fetched_conversation_reads_like_a_delivered_one() -> None:
    fetched = PROVIDER.parse_envelope(wrap_conversation(TRANSCRIPTION["data"]))
    assert PROVIDER.read_report(fetched) == read()


def test_audio() -> None:
    def audio(text: Any) -> bytes:
        body = {"type": "post_call_audio", "data": {"conversation_id": "c", "full_audio": text}}
        return b"".join(PROVIDER.read_audio(PROVIDER.parse_envelope(json.dumps(body).encode())))

    assert audio("SUQz") == b"ID3"
    for broken in ("", "SUQ", "not base64!", None, 7):
        with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
            audio(broken)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NAMES = ("agent_id", "status", "transcript", "metadata", "analysis", "has_audio")
INNER = (
    "role", "message", "tool_calls", "tool_results", "request_id", "params_as_json", "time_in_call_secs",
    "start_time_unix_secs", "call_duration_secs", "cost", "phone_call", "direction", "agent_number", "external_number",
    "call_result", "error", "reason", "main_language", "call_successful", "transcript_summary",
)  # fmt: skip
objects = st.dictionaries(st.sampled_from(INNER), values, max_size=6)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), values | objects | st.lists(objects, max_size=3), max_size=6))
def test_whatever_a_sender_gets_wrong_a_call_can_be_stored(data: dict[str, Any]) -> None:
    body = json.dumps({"type": "post_call_transcription", "data": {**data, "conversation_id": "c"}})
    try:
        envelope = PROVIDER.parse_envelope(body.encode())
    except InvalidArgument:
        assert "NaN" in body or "Infinity" in body
        return
    report = PROVIDER.read_report(envelope)
    texts = [report.title, report.summary, report.language, report.termination_reason, report.external_agent_id]
    texts += [turn.text for turn in report.turns]
    texts.append(json.dumps([turn.tool_calls for turn in report.turns], ensure_ascii=False))
    for text in texts:
        assert "\x00" not in text.encode().decode()
    assert [turn.index for turn in report.turns] == list(range(len(report.turns)))
    assert report.duration_seconds is None or 0 <= report.duration_seconds <= 30 * 86_400
    assert report.provider_cost_units is None or 0 <= report.provider_cost_units < 2**63
