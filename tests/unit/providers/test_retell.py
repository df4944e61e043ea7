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


def test_later_events_know_more() -> None:
    ranks = [read(event).completeness for event in ("call_started", "call_ended", "call_analyzed")]
    assert ranks == sorted(set(ranks))


def test_other_events_are_left_alone() -> None:
    envelope = PROVIDER.parse_envelope(b'{"event": "transfer_started", "call": {"call_id": "c"}}')
    assert (envelope.makes, envelope.key) == (Makes.NOTHING, "c")
    with pytest.raises(InvalidArgument, match="webhook_payload_invalid"):
        PROVIDER.parse_envelope(b'{"event": "call_ended", "call": {}}')
    with pytest.raises(InvalidArgument):
        PROVIDER.read_audio(envelope)
    assert PROVIDER.parse_envelope(b'{"event": "x"}').makes is Makes.NOTHING
