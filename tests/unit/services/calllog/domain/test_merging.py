"""Reports of one call in any order: the fullest wins, what was billed stays, call.ended comes once."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from datetime import UTC, datetime

from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker, Turn
from services.calllog.domain.calls import Call, is_billable
from services.calllog.domain.merging import change_topic, supersede

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
RINGING = ReportedCall("p", "c", "a", CallStatus.IN_PROGRESS, 10)
BUSY = ReportedCall("p", "c", "a", CallStatus.BUSY, 30, ended_at=NOON)
SHORT = ReportedCall("p", "c", "a", CallStatus.COMPLETED, 50, duration_seconds=30, started_at=NOON, ended_at=NOON)
WHOLE = replace(SHORT, completeness=60, duration_seconds=45, summary="whole", status=CallStatus.VOICEMAIL)


def stored(report: ReportedCall) -> Call:
    """The call that a first report makes."""
    taken = {part.name: getattr(report, part.name) for part in fields(report) if part.name != "has_audio"}
    return Call(
        **taken, id="call_1", org_id="org_1", agent_id=None, agent_version=0, turn_count=len(report.turns), cost=None,
        tags=(), version=1, created_at=NOON, updated_at=NOON,
    )  # fmt: skip


def tell(reports: tuple[ReportedCall, ...]) -> tuple[Call, list[str]]:
    call, topics = None, []
    for report in reports:
        facts: ReportedCall | None = report if call is None else supersede(call, report)
        if facts is not None:
            topics.append(change_topic(call, facts))
            call = stored(facts)
    assert call is not None
    return call, topics


def test_any_order_ends_with_the_fullest() -> None:
    for reports in itertools.permutations((RINGING, BUSY, SHORT, WHOLE)):
        call, topics = tell(reports)
        assert call.summary == "whole"
        assert call.completeness == 60
        assert topics.count("call.ended") == 1
        first_billable = next(report for report in reports if is_billable(report.status, report.duration_seconds))
        assert call.duration_seconds == first_billable.duration_seconds
        assert call.billable


TURNS = (Turn(0, Speaker.USER, "quadrille", 0.0),)
SPOKEN = replace(SHORT, completeness=40, turns=TURNS, from_number="+1", termination_reason="hung up")
JUDGED = replace(SHORT, completeness=50, duration_seconds=None, ended_at=None, summary="a dance", successful=True)


def test_whichever_report_comes_last_no_word_of_the_other_is_lost() -> None:
    for reports in ((SPOKEN, JUDGED), (JUDGED, SPOKEN), (SPOKEN, JUDGED, SPOKEN), (JUDGED, SPOKEN, JUDGED)):
        call, topics = tell(reports)
        assert (tuple(call.turns), call.summary, call.from_number) == (TURNS, "a dance", "+1")
        assert (call.successful, call.termination_reason, call.duration_seconds) == (True, "hung up", 30)
        assert call.completeness == 50
        assert topics == ["call.ended", "call.updated"]


def test_a_failed_start_takes_no_length_from_another_report() -> None:
    failed = replace(SHORT, status=CallStatus.FAILED, completeness=60, duration_seconds=None)
    in_progress = replace(RINGING, duration_seconds=3, started_at=NOON)
    facts = supersede(stored(in_progress), failed)
    assert facts is not None
    assert facts.duration_seconds is None
    assert supersede(stored(BUSY), replace(RINGING, duration_seconds=3, started_at=NOON)) is None


def test_an_ended_call_takes_from_a_report_of_before_only_what_it_leaves_open() -> None:
    ended = replace(RINGING, completeness=1, status=CallStatus.COMPLETED, ended_at=NOON, turns=TURNS)
    late = replace(RINGING, completeness=10, turns=(*TURNS, *TURNS), from_number="+1", started_at=NOON)
    assert supersede(replace(stored(ended), turns=TURNS), late) == replace(ended, from_number="+1")
    assert supersede(stored(ended), replace(late, from_number="")) is None


def test_the_same_again_is_nothing_new() -> None:
    for report in (RINGING, BUSY, SHORT, WHOLE):
        assert supersede(stored(report), report) is None


def test_topics() -> None:
    assert tell((RINGING,))[1] == ["call.started"]
    assert tell((RINGING, replace(RINGING, completeness=11), SHORT))[1] == [
        "call.started",
        "call.updated",
        "call.ended",
    ]
    assert tell((BUSY, SHORT, WHOLE))[1] == ["call.ended", "call.updated", "call.updated"]


def test_what_is_billed() -> None:
    billed = {status for status in CallStatus if is_billable(status, 5.0)}
    assert billed == {CallStatus.COMPLETED, CallStatus.VOICEMAIL, CallStatus.FAILED}
    assert not any(is_billable(status, None) for status in CallStatus)
    assert is_billable(CallStatus.COMPLETED, 0.0)
    assert str(Direction.WEB) == "web"
