"""Reading Bland's calls and verifying its webhooks: the shapes of its documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.errors import InvalidArgument
from providers.bland import PROVIDER
from providers.bland.report import wrap_call
from providers.interface.credentials import Credentials, valid_at
from providers.interface.envelopes import Makes
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker

SAMPLE = json.loads((Path(__file__).resolve().parents[2] / "samples" / "bland" / "call.json").read_text("utf-8"))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = wrap_call(SAMPLE)


def read(**changes: Any) -> ReportedCall:
    return PROVIDER.read_report(PROVIDER.parse_envelope(wrap_call({**SAMPLE, **changes})))


def signed(body: bytes = BODY, secret: str = "wsec_1") -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verified(header: str, body: bytes = BODY, credentials: Credentials | None = None) -> bool:
    credentials = credentials or Credentials("key-0123456789", "wsec_1")
    secrets = valid_at(PROVIDER.webhook.secrets(credentials), NOW)
    return PROVIDER.webhook.verify(secrets, {"x-webhook-signature": header}, (body,), NOW)


def test_the_hex_hmac_of_the_raw_body_is_accepted() -> None:
    assert verified(signed()) is True
    assert verified(signed().upper()) is True


@pytest.mark.parametrize(
    "header", ["", "wsec_1", signed()[:-1], signed() + "0", signed(secret="wsec_2"), signed(BODY + b" "), "\u00fc" * 64]
)
def test_any_other_signature_is_refused(header: str) -> None:
    assert verified(header) is False


def test_every_flipped_bit_of_the_body_is_noticed() -> None:
    header = signed()
    for position in range(0, len(BODY), 7):
        flipped = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert verified(header, flipped) is False


def test_the_secret_before_a_rotation_counts_for_a_while_and_none_proves_nothing() -> None:
    rotated = Credentials("k", "wsec_2", "", "wsec_1", NOW + timedelta(minutes=10))
    assert verified(signed(), credentials=rotated) is True
    assert verified(signed(secret="wsec_2"), credentials=rotated) is True
    assert verified(signed(), credentials=Credentials("k", "wsec_2", "", "wsec_1", NOW)) is False
    assert verified(signed(), credentials=Credentials("key-0123456789")) is False


def test_the_sample_becomes_a_call() -> None:
    call = read()
    assert (call.provider, call.external_call_id) == ("bland", SAMPLE["call_id"])
    assert call.external_agent_id == SAMPLE["pathway_id"]
    assert (call.status, call.direction) == (CallStatus.COMPLETED, Direction.INBOUND)
    assert (call.from_number, call.to_number) == ("+4930555020", "+4930555010")
    assert call.started_at == datetime(2026, 1, 2, 9, 0, 6, tzinfo=UTC)
    assert (call.duration_seconds, call.ended_at) == (43.0, datetime(2026, 1, 2, 9, 0, 49, tzinfo=UTC))
    assert [(turn.role, turn.text, turn.time_seconds) for turn in call.turns] == [
        (Speaker.AGENT, "The greenhouse, good morning.", 1.5),
        (Speaker.USER, "Are you open on Sunday?", 5.25),
        (Speaker.AGENT, "Yes, from ten to six.", 10.0),
    ]
    assert [turn.index for turn in call.turns] == [0, 1, 2]
    assert "greenhouse" in call.summary
    assert (call.termination_reason, call.has_audio) == ("ASSISTANT", True)
    assert (call.successful, call.provider_cost_units) == (None, None)


@pytest.mark.parametrize(
    ("changes", "expected", "measured"),
    [
        ({}, CallStatus.COMPLETED, True),
        ({"status": None}, CallStatus.COMPLETED, True),
        ({"answered_by": "voicemail"}, CallStatus.VOICEMAIL, True),
        ({"status": "no-answer", "started_at": None}, CallStatus.NO_ANSWER, False),
        ({"answered_by": "no-answer"}, CallStatus.NO_ANSWER, False),
        ({"status": "busy"}, CallStatus.BUSY, False),
        ({"status": "failed"}, CallStatus.FAILED, False),
        ({"status": "canceled"}, CallStatus.FAILED, False),
        ({"status": None, "started_at": None, "error_message": "invalid number"}, CallStatus.FAILED, False),
        ({"completed": False, "status": None}, CallStatus.IN_PROGRESS, False),
        ({"completed": False, "status": "in-progress"}, CallStatus.IN_PROGRESS, False),
    ],
)
def test_status_and_what_is_metered(changes: dict[str, Any], expected: CallStatus, measured: bool) -> None:
    call = read(**changes)
    assert (call.status, call.duration_seconds is not None) == (expected, measured)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"corrected_duration": "71"}, 71.0),
        ({"corrected_duration": None}, 43.02),
        ({"corrected_duration": "soon", "call_length": 0.75}, 45.0),
        ({"corrected_duration": "", "call_length": None}, None),
        ({"corrected_duration": "\u0663"}, 43.02),
        ({"corrected_duration": None, "call_length": -1}, None),
        ({"corrected_duration": "99999999"}, None),
    ],
)
def test_the_duration_is_corrected_seconds_or_else_minutes(changes: dict[str, Any], seconds: float | None) -> None:
    assert read(**changes).duration_seconds == seconds


@pytest.mark.parametrize(("inbound", "direction"), [(False, "outbound"), (None, ""), (1, ""), ([], ""), ("true", "")])
def test_only_a_boolean_tells_the_direction(inbound: Any, direction: str) -> None:
    assert read(inbound=inbound).direction == direction


def test_the_pathway_of_an_outbound_call_may_stand_in_its_request() -> None:
    assert read(pathway_id=None, request_data={"pathway_id": "p-1"}).external_agent_id == "p-1"
    assert read(pathway_id=None).external_agent_id == ""


def test_later_reports_know_more() -> None:
    ranks = [
        read(completed=False, status=None, summary=None, transcripts=[]),
        read(summary=None, transcripts=[]),
        read(summary=None),
        read(),
    ]
    assert [call.completeness for call in ranks] == sorted({call.completeness for call in ranks})


def test_events_during_a_call_make_no_call_and_other_bodies_are_refused() -> None:
    event = PROVIDER.parse_envelope(b'{"category": "tool", "call_id": "c-1", "message": "asked"}')
    assert (event.event_type, event.key, event.makes) == ("tool", "c-1", Makes.NOTHING)
    for body in (b"", b"[]", b"{}", b'{"call_id": 7}', b'{"category": 7, "call_id": "c"}', b'{"completed": true}'):
        with pytest.raises(InvalidArgument):
            PROVIDER.parse_envelope(body)


@pytest.mark.parametrize("name", sorted(set(SAMPLE) - {"call_id"}))
@pytest.mark.parametrize("value", [None, 7, -1.5, "x", [], [7], {}, {"a": 1}, True, "\x00"])
def test_an_odd_field_loses_no_call(name: str, value: Any) -> None:
    call = read(**{name: value})
    assert call.external_call_id == SAMPLE["call_id"]
    assert "\x00" not in repr(call.summary + call.external_agent_id)
