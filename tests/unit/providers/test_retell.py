"""Reading Retell's calls: the shapes of the official SDK."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from retell.types import PhoneCallResponse

from libs.errors import InvalidArgument
from providers.interface.envelopes import Makes
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker
from providers.retell import PROVIDER

SAMPLE = json.loads(
    (Path(__file__).resolve().parents[2] / "samples" / "retell" / "call_analyzed.json").read_text("utf-8")
)


def read(event: str = "call_analyzed", **call: Any) -> ReportedCall:
    envelope = copy.deepcopy(SAMPLE)
    envelope["event"] = event
    envelope["call"].update(call)
    return PROVIDER.read_report(PROVIDER.parse_envelope(json.dumps(envelope).encode()))


def test_the_sample_is_what_the_official_sdk_reads() -> None:
    official = PhoneCallResponse.model_validate(SAMPLE["call"])
    analysis, began, ended = official.call_analysis, official.start_timestamp, official.end_timestamp
    assert analysis
    assert began
    assert ended
    assert official.duration_ms
    ours = read()
    assert ours.external_call_id == official.call_id
    assert ours.external_agent_id == official.agent_id
    assert (ours.from_number, ours.to_number) == (official.from_number, official.to_number)
    assert ours.direction == official.direction
    assert ours.duration_seconds == official.duration_ms / 1_000
    assert ours.started_at == datetime.fromtimestamp(began / 1_000, UTC)
    assert ours.ended_at == datetime.fromtimestamp(ended / 1_000, UTC)
    assert ours.summary == analysis.call_summary
    assert ours.successful is analysis.call_successful
    assert ours.termination_reason == official.disconnection_reason


def test_turns_with_tool_calls() -> None:
    turns = read().turns
    assert [(turn.index, turn.role, turn.text, turn.time_seconds) for turn in turns] == [
        (0, Speaker.AGENT, "Hello.", 0.4),
        (1, Speaker.USER, "Is the observatory open tonight?", 2.1),
        (2, Speaker.AGENT, "", 2.1),
        (3, Speaker.AGENT, "Until eleven.", 5.0),
    ]
    (call,) = turns[2].tool_calls
    assert (call["name"], call["arguments"], call["result"], call["isError"]) == (
        "opening_hours", {"day": "today"}, "open until 23:00", False,
    )  # fmt: skip
    assert len(read(transcript_with_tool_calls=None).turns) == 2


@pytest.mark.parametrize(
    ("call", "expected", "measured"),
    [
        ({}, CallStatus.COMPLETED, True),
        ({"call_status": "ongoing"}, CallStatus.IN_PROGRESS, False),
        ({"call_status": "registered"}, CallStatus.IN_PROGRESS, False),
        ({"call_status": "error"}, CallStatus.FAILED, True),
        ({"call_status": "not_connected", "disconnection_reason": "dial_busy"}, CallStatus.BUSY, False),
        ({"call_status": "not_connected", "disconnection_reason": "user_declined"}, CallStatus.BUSY, False),
        ({"call_status": "not_connected", "disconnection_reason": "sip_routing_error"}, CallStatus.FAILED, False),
        ({"call_status": None, "disconnection_reason": "dial_busy"}, CallStatus.BUSY, False),
        ({"call_status": "not_connected", "disconnection_reason": "dial_no_answer"}, CallStatus.NO_ANSWER, False),
        ({"disconnection_reason": "voicemail_reached"}, CallStatus.VOICEMAIL, True),
        ({"call_analysis": {"in_voicemail": True}}, CallStatus.VOICEMAIL, True),
    ],
)
def test_status(call: dict[str, Any], expected: CallStatus, measured: bool) -> None:
    report = read(**call)
    assert report.status is expected
    assert (report.duration_seconds is not None) is measured


def test_a_dial_that_failed_is_not_metered() -> None:
    report = read(call_status="not_connected", disconnection_reason="dial_failed", duration_ms=0)
    assert (report.status, report.duration_seconds) == (CallStatus.FAILED, None)


def test_a_web_call() -> None:
    report = read(direction=None, from_number=None, to_number=None)
    assert (report.direction, report.from_number, report.to_number) == (Direction.WEB, "", "")


WITHOUT_LISTS: dict[str, Any] = {"transcript_object": None, "transcript_with_tool_calls": []}


def test_a_call_with_only_the_text_keeps_its_words() -> None:
    report = read(**WITHOUT_LISTS)
    assert [(turn.index, turn.role, turn.text, turn.time_seconds) for turn in report.turns] == [
        (0, Speaker.AGENT, "Hello.", 0.0),
        (1, Speaker.USER, "Is the observatory open tonight?", 0.0),
    ]
    unlabeled = read(**WITHOUT_LISTS, transcript="Hello.\n\nUser: One\ntwo: three\n")
    assert [(turn.role, turn.text) for turn in unlabeled.turns] == [
        (Speaker.AGENT, "Hello."),
        (Speaker.USER, "One\ntwo: three"),
    ]
    assert read(**WITHOUT_LISTS, transcript=None).turns == ()


def test_keys_and_messages_are_turns_of_the_user_and_what_no_one_said_is_none() -> None:
    items = [
        {"role": "agent", "content": "Press a key.", "words": [{"word": "Press", "start": 1.0}]},
        {"role": "dtmf", "digit": "1"},
        {"role": "dtmf", "digit": "#"},
        {"role": "sms", "content": "My number", "time_sec": 7.5},
        {"role": "node_transition", "former_node_id": "a", "new_node_id": "b"},
        {"role": "injected", "content": "a hint", "time_sec": 8},
    ]
    turns = read(transcript_with_tool_calls=items).turns
    assert [(turn.index, turn.role, turn.text, turn.time_seconds) for turn in turns] == [
        (0, Speaker.AGENT, "Press a key.", 1.0),
        (1, Speaker.USER, "1", 1.0),
        (2, Speaker.USER, "#", 1.0),
        (3, Speaker.USER, "My number", 7.5),
    ]


def test_an_agent_that_keeps_no_personal_data_has_its_scrubbed_words() -> None:
    scrubbed = [{"role": "user", "content": "I am [name]", "words": []}]
    report = read(**WITHOUT_LISTS, scrubbed_transcript_with_tool_calls=scrubbed)
    assert [turn.text for turn in report.turns] == ["I am [name]"]


def test_a_missing_length_is_what_lies_between_the_two_times() -> None:
    whole = read()
    assert read(duration_ms=None).duration_seconds == whole.duration_seconds
    assert read(end_timestamp=None).ended_at == whole.ended_at
    assert read(duration_ms=None, end_timestamp=None).duration_seconds is None
    assert read(duration_ms=None, end_timestamp=1).duration_seconds is None


def test_a_call_that_has_only_begun_is_in_progress() -> None:
    assert read("call_started", call_status=None, disconnection_reason=None).status is CallStatus.IN_PROGRESS


def test_later_events_know_more() -> None:
    ranks = [read(event).completeness for event in ("call_started", "call_ended", "call_analyzed")]
    assert ranks == sorted(set(ranks))


def test_other_events_are_left_alone() -> None:
    envelope = PROVIDER.parse_envelope(b'{"event": "transfer_started", "call": {"call_id": "c"}}')
    assert (envelope.makes, envelope.key) == (Makes.NOTHING, "c")
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        PROVIDER.parse_envelope(b'{"event": "call_ended", "call": {}}')
    with pytest.raises(InvalidArgument):
        next(PROVIDER.read_audio(envelope))
    assert PROVIDER.parse_envelope(b'{"event": "x"}').makes is Makes.NOTHING
