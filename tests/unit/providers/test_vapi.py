"""Reading Vapi's server messages: the shapes of the official SDK."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from vapi.types import (
    Analysis,
    Artifact,
    BotMessage,
    CallEndedReason,
    SystemMessage,
    ToolCallMessage,
    ToolCallResultMessage,
    UserMessage,
)

from libs.errors import InvalidArgument
from providers.interface.envelopes import Envelope, Makes
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker
from providers.vapi import PROVIDER
from providers.vapi.report import recording_url, wrap_call

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "vapi"
REPORT = json.loads((SAMPLES / "end_of_call_report.json").read_text("utf-8"))
STATUS = json.loads((SAMPLES / "status_update.json").read_text("utf-8"))
ENDED_WELL = {
    "assistant-ended-call", "assistant-ended-call-after-message-spoken", "assistant-ended-call-with-hangup-task",
    "assistant-forwarded-call", "assistant-said-end-call-phrase", "customer-ended-call",
    "customer-ended-call-after-warm-transfer-attempt", "customer-ended-call-before-warm-transfer",
    "customer-ended-call-during-transfer", "exceeded-max-duration", "manually-canceled", "silence-timed-out",
    "vonage-completed", "call.in-progress.sip-completed-call", "call.in-progress.twilio-completed-call",
    "call.ending.hook-executed-say", "call.ending.hook-executed-transfer", "call.ringing.hook-executed-say",
    "call.ringing.hook-executed-transfer", "call.forwarding.no-answer", "call.forwarding.operator-busy",
    "vonage-disconnected", "sip-outbound-carrier-released-call",
}  # fmt: skip


def parse(sample: dict[str, Any] = REPORT, call: dict[str, Any] | None = None, **message: Any) -> Envelope:
    envelope = copy.deepcopy(sample)
    envelope["message"].update(message)
    envelope["message"]["call"].update(call or {})
    return PROVIDER.parse_envelope(json.dumps(envelope).encode())


def read(sample: dict[str, Any] = REPORT, call: dict[str, Any] | None = None, **message: Any) -> ReportedCall:
    return PROVIDER.read_report(parse(sample, call, **message))


def fetched() -> dict[str, Any]:
    """The sample's call as the API answers it: what the message says beside the call lies inside."""
    message = copy.deepcopy(REPORT["message"])
    beside = ("endedReason", "startedAt", "endedAt", "cost", "costs", "analysis", "artifact", "customer")
    return {**message["call"], **{name: message[name] for name in beside}}


def test_the_sample_is_what_the_official_sdk_reads() -> None:
    """In parts, because the SDK takes ten seconds to build its whole messages; those are tried with the stand-in."""
    artifact = Artifact.model_validate(REPORT["message"]["artifact"])
    assert [type(item) for item in artifact.messages or ()] == [
        SystemMessage, BotMessage, UserMessage, ToolCallMessage, ToolCallResultMessage, BotMessage, UserMessage,
    ]  # fmt: skip
    analysis = Analysis.model_validate(REPORT["message"]["analysis"])
    ours = read()
    assert (ours.summary, ours.successful) == (analysis.summary, analysis.success_evaluation == "true")
    assert ours.external_call_id == REPORT["message"]["call"]["id"]
    assert ours.external_agent_id == REPORT["message"]["call"]["assistantId"]
    assert (ours.status, ours.termination_reason) == (CallStatus.COMPLETED, "customer-ended-call")
    assert ours.started_at == datetime(2026, 1, 2, 9, 3, 20, 500_000, UTC)
    assert ours.ended_at == datetime(2026, 1, 2, 9, 3, 51, 750_000, UTC)
    assert (ours.duration_seconds, ours.provider_cost_units, ours.has_audio) == (31.25, None, False)


def test_a_call_that_is_going_on() -> None:
    ours = read(STATUS)
    assert (ours.external_call_id, ours.status) == (read().external_call_id, CallStatus.IN_PROGRESS)
    assert ours.started_at == read().started_at
    assert (ours.duration_seconds, ours.ended_at, ours.turns, ours.has_audio) == (None, None, (), False)


def test_turns_are_words_and_tool_calls_and_nothing_of_the_system() -> None:
    turns = read().turns
    assert [(turn.index, turn.role, turn.text, turn.time_seconds) for turn in turns] == [
        (0, Speaker.AGENT, "Apiary at the mill, good morning.", 0.8),
        (1, Speaker.USER, "Can I move my beekeeping lesson to Saturday?", 4.4),
        (2, Speaker.AGENT, "", 7.7),
        (3, Speaker.AGENT, "Saturday at ten is free. I have moved it.", 9.6),
        (4, Speaker.USER, "Wonderful, thank you.", 13.5),
    ]
    assert turns[2].tool_calls == (
        {
            "id": "call_Zb1", "name": "free_lessons", "type": "function", "arguments": {"day": "saturday"},
            "result": '["10:00"]', "isError": False,
        },
    )  # fmt: skip


def test_what_a_tool_is_told_was_not_said() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "free_lessons", "arguments": "{}"}}
    message = {"role": "tool_calls", "message": "Asking for free lessons", "secondsFromStart": 1, "toolCalls": [call]}
    assert [(turn.text, len(turn.tool_calls)) for turn in read(artifact={"messages": [message]}).turns] == [("", 1)]


def test_arguments_may_come_as_they_are() -> None:
    function = {"name": "free_lessons", "arguments": {"day": "sat\x00urday"}}
    call = {"id": "call_1", "type": "function", "function": function}
    messages = [{"role": "tool_calls", "message": "", "time": 1, "secondsFromStart": 1, "toolCalls": [call]}]
    assert read(artifact={"messages": messages}).turns[0].tool_calls[0]["arguments"] == {"day": "sat\ufffdurday"}
    for _ in range(30):
        function["arguments"] = {"deeper": function["arguments"]}
    assert read(artifact={"messages": messages}).turns[0].tool_calls[0]["arguments"] == ""


@pytest.mark.parametrize(
    ("reason", "expected", "measured"),
    [
        ("customer-ended-call", CallStatus.COMPLETED, True),
        ("exceeded-max-duration", CallStatus.COMPLETED, True),
        ("voicemail", CallStatus.VOICEMAIL, True),
        ("customer-busy", CallStatus.BUSY, False),
        ("customer-did-not-answer", CallStatus.NO_ANSWER, False),
        ("call.ringing.sip-inbound-caller-hungup-before-call-connect", CallStatus.NO_ANSWER, False),
        ("call.in-progress.error-vapifault-worker-died", CallStatus.FAILED, True),
        ("pipeline-error-openai-llm-failed", CallStatus.FAILED, True),
        ("a-reason-of-tomorrow", CallStatus.COMPLETED, True),
    ],
)
def test_status(reason: str, expected: CallStatus, measured: bool) -> None:
    report = read(endedReason=reason)
    assert report.status is expected
    assert (report.duration_seconds is not None) is measured


def test_every_reason_that_the_sdk_knows_has_a_status() -> None:
    reasons: tuple[str, ...] = get_args(get_args(CallEndedReason)[0])
    assert len(reasons) > 500
    statuses = {reason: read(endedReason=reason).status for reason in reasons}
    assert {reason for reason, status in statuses.items() if status is CallStatus.COMPLETED} == ENDED_WELL
    assert CallStatus.IN_PROGRESS not in statuses.values()


def test_a_call_that_never_began_has_failed_and_is_not_metered() -> None:
    report = read(endedReason="manually-canceled", startedAt=None, artifact={})
    assert (report.status, report.duration_seconds) == (CallStatus.FAILED, None)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable", CallStatus.NO_ANSWER),
        ("call.in-progress.error-providerfault-outbound-sip-408-request-timeout", CallStatus.NO_ANSWER),
        ("call.in-progress.error-providerfault-outbound-sip-503-service-unavailable", CallStatus.FAILED),
        ("call.in-progress.error-providerfault-outbound-sip-403-forbidden", CallStatus.FAILED),
        ("sip-outbound-unallocated-number", CallStatus.FAILED),
    ],
)
def test_the_sip_response_of_a_dial_that_failed_is_its_status(reason: str, expected: CallStatus) -> None:
    report = read(endedReason=reason, startedAt=None, endedAt=None, artifact={})
    assert (report.status, report.duration_seconds, report.termination_reason) == (expected, None, reason)


def test_a_report_with_its_length_and_without_its_times_is_a_call_that_is_metered() -> None:
    report = read(startedAt=None, endedAt=None, durationSeconds=67.5)
    assert (report.status, report.duration_seconds) == (CallStatus.COMPLETED, 67.5)
    assert (report.started_at, report.ended_at) == (None, None)
    silent = read(startedAt=None, endedAt=None, artifact={}, durationSeconds=67.5)
    assert (silent.status, silent.duration_seconds) == (CallStatus.COMPLETED, 67.5)
    half = read(startedAt=None, durationSeconds=31.25)
    assert (half.started_at, half.ended_at) == (read().started_at, read().ended_at)
    other = read(endedAt=None, durationSeconds=31.25)
    assert (other.started_at, other.ended_at) == (read().started_at, read().ended_at)
    assert read(durationSeconds=999).duration_seconds == 31.25  # the two times measure, where both are known
    assert read(startedAt=None, endedAt=None, artifact={}, durationSeconds=0).status is CallStatus.FAILED


def test_an_older_report_has_the_artifact_beside_the_call() -> None:
    artifact = copy.deepcopy(REPORT["message"]["artifact"])
    older = {
        "messages": artifact["messages"],
        "transcript": artifact["transcript"],
        "summary": "Moved a lesson.",
        "recordingUrl": "https://storage.example/mono.wav",
    }
    report = read(artifact=None, analysis=None, startedAt=None, endedAt=None, durationSeconds=31.25, **older)
    assert report.turns == read().turns
    assert (report.summary, report.has_audio, report.duration_seconds) == ("Moved a lesson.", True, 31.25)
    inside = read(artifact=None, analysis=None, call=older)
    assert (inside.turns, inside.summary, inside.has_audio) == (report.turns, "Moved a lesson.", True)


@pytest.mark.parametrize("label", ["AI", "Assistant", "Bot"])
def test_a_report_with_only_the_text_keeps_its_words(label: str) -> None:
    text = f"{label}: Good morning.\nUser: Is it open?\nuntil when: exactly?\n{label}: Until ten."
    report = read(artifact={"transcript": text, "messages": []})
    assert [(turn.role, turn.text) for turn in report.turns] == [
        (Speaker.AGENT, "Good morning."),
        (Speaker.USER, "Is it open?\nuntil when: exactly?"),
        (Speaker.AGENT, "Until ten."),
    ]


def test_messages_in_the_form_of_openai_are_read_where_there_are_no_others() -> None:
    chat = [
        {"role": "system", "content": "x"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Yo"},
    ]
    report = read(artifact={"messagesOpenAIFormatted": chat})
    assert [(turn.role, turn.text) for turn in report.turns] == [(Speaker.AGENT, "Hi"), (Speaker.USER, "Yo")]


@pytest.mark.parametrize("ended_at", [None, "", "yesterday", 17, "2026-01-02T09:03:20.499Z", "2026-03-02T09:03:20Z"])
def test_a_length_beyond_reason_is_unknown(ended_at: Any) -> None:
    assert read(endedAt=ended_at).duration_seconds is None


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("true", True), ("false", False), (True, True), ("True", True), ("8", None), ("Excellent", None), (None, None)],
)
def test_only_pass_or_fail_is_a_judgement(mark: Any, expected: bool | None) -> None:
    assert read(analysis={"successEvaluation": mark}).successful is expected


@pytest.mark.parametrize(
    ("kind", "direction", "sides"),
    [
        ("inboundPhoneCall", Direction.INBOUND, ("+4930555020", "+4930555010")),
        ("outboundPhoneCall", Direction.OUTBOUND, ("+4930555010", "+4930555020")),
        ("somethingNew", Direction.UNKNOWN, ("+4930555020", "+4930555010")),
    ],
)
def test_direction_and_numbers(kind: str, direction: Direction, sides: tuple[str, str]) -> None:
    report = read(call={"type": kind})
    assert (report.direction, (report.from_number, report.to_number)) == (direction, sides)


@pytest.mark.parametrize("kind", ["webCall", "vapi.websocketCall"])
def test_a_web_call(kind: str) -> None:
    report = read(call={"type": kind}, customer=None, phoneNumber=None)
    assert (report.direction, report.from_number, report.to_number) == (Direction.WEB, "", "")


def test_numbers_of_a_transient_phone_and_an_assistant_beside_the_call() -> None:
    phone = {"twilioPhoneNumber": "+4930555011", "twilioAccountSid": "AC1"}
    call = {"assistantId": None, "phoneNumber": phone, "customer": {"sipUri": "sip:anna@example.org"}}
    report = read(call=call, customer=None, phoneNumber=None, assistant={"id": "asst_1", "name": "Desk"})
    assert (report.from_number, report.to_number) == ("sip:anna@example.org", "+4930555011")
    assert report.external_agent_id == "asst_1"


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [
        ({}, ""),
        ({"recordingUrl": "https://a/mono.wav"}, "https://a/mono.wav"),
        ({"stereoRecordingUrl": "https://a/stereo.wav"}, "https://a/stereo.wav"),
        (
            {"recording": {"stereoUrl": "https://a/2.wav", "mono": {"combinedUrl": "https://a/1.wav"}}},
            "https://a/1.wav",
        ),
        ({"recording": {"stereoUrl": "https://a/2.wav", "mono": {}}}, "https://a/2.wav"),
        ({"recordingUrl": "https://a/1.wav", "presignedMonoUrl": "https://a/1.wav?sig=x"}, "https://a/1.wav?sig=x"),
        ({"recordingUrl": 7, "recording": "https://a/1.wav"}, ""),
    ],
)
def test_where_the_recording_lies(artifact: dict[str, Any], expected: str) -> None:
    assert recording_url({"artifact": artifact}) == expected
    assert read(artifact=artifact).has_audio is bool(expected)


def test_a_fetched_call_reads_like_its_webhook() -> None:
    call = fetched()
    envelope = PROVIDER.parse_envelope(wrap_call(call))
    told, ours = PROVIDER.read_report(envelope), read()
    # The API names the phone by its id alone.
    assert (told.to_number, ours.to_number) == ("", "+4930555010")
    call["phoneNumber"] = REPORT["message"]["phoneNumber"]
    assert PROVIDER.read_report(PROVIDER.parse_envelope(wrap_call(call))) == ours
    assert (envelope.event_type, envelope.key, envelope.makes) == ("end-of-call-report", call["id"], Makes.CALL)


def test_later_messages_know_more() -> None:
    told = [
        parse(STATUS),
        parse(STATUS, status="forwarding"),
        parse(analysis={}, artifact={}),
        parse(analysis={}),
        parse(artifact={}),
        parse(),
    ]
    ranks = [envelope.completeness for envelope in told]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("status", ["scheduled", "queued", "ringing", "ended", "not-found", None, 7])
def test_a_status_that_tells_of_nothing_going_on_makes_no_call(status: Any) -> None:
    envelope = parse(STATUS, status=status)
    assert (envelope.makes, envelope.completeness, envelope.key) == (Makes.NOTHING, 0, STATUS["message"]["call"]["id"])


def test_other_messages_are_left_alone() -> None:
    told = PROVIDER.parse_envelope(b'{"message": {"type": "transcript", "call": {"id": "c"}}}')
    assert (told.makes, told.event_type, told.key) == (Makes.NOTHING, "transcript", "c")
    request = PROVIDER.parse_envelope(b'{"message": {"type": "assistant-request"}}')
    assert (request.makes, request.key[:7]) == (Makes.NOTHING, "sha256:")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"type": "end-of-call-report"}',
        b'{"message": "end-of-call-report"}',
        b'{"message": {"type": 7}}',
        b'{"message": {"type": "end-of-call-report"}}',
        b'{"message": {"type": "end-of-call-report", "call": []}}',
        b'{"message": {"type": "end-of-call-report", "call": {"id": ""}}}',
    ],
)
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        PROVIDER.parse_envelope(body)


ODD = [None, True, 7, -1.5, "x", "\x00\ud800", [], [None], {}, {"id": 7}, {"messages": [7, {"role": []}]}]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize(
    "name", ["artifact", "analysis", "customer", "phoneNumber", "assistant", "startedAt", "endedAt", "endedReason"]
)
def test_an_odd_field_loses_no_call(name: str, value: Any) -> None:
    assert read(**{name: value}).external_call_id == REPORT["message"]["call"]["id"]
