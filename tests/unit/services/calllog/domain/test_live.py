"""Turns of a running call: which are new, what is refused, and how a call that was told live ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from providers.interface.reports import CallStatus, Direction, ReportedCall, Speaker, Turn
from services.calllog.domain.calls import Call
from services.calllog.domain.live import MAX_TURNS, Ending, check_moment, check_turns, ended_report, new_turns
from services.calllog.domain.merging import supersede

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call(**changes: object) -> Call:
    made = Call(
        id="call_1", org_id="org_1", provider="custom", external_call_id="x", external_agent_id="", agent_id=None,
        agent_version=0, status=CallStatus.IN_PROGRESS, completeness=0, direction=Direction.UNKNOWN, from_number="",
        to_number="", successful=None, duration_seconds=None, started_at=NOW, ended_at=None, title="", summary="",
        language="", termination_reason="", provider_cost_units=None, turn_count=0, cost=None, tags=(), version=1,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def turns(*texts: str, start: int = 0) -> list[Turn]:
    return [Turn(start + place, Speaker.USER, text, 0.0) for place, text in enumerate(texts)]


def test_turns_that_the_call_has_are_not_new() -> None:
    stored = {turn.index: turn for turn in turns("a", "b")}
    assert new_turns(call(turn_count=2), stored, turns("a", "b", "c")) == turns("c", start=2)


def test_a_repetition_of_all_turns_is_nothing_new_even_after_the_end() -> None:
    stored = {turn.index: turn for turn in turns("a", "b")}
    ended = call(turn_count=2, status=CallStatus.COMPLETED)
    assert new_turns(ended, stored, turns("a", "b")) == []


@pytest.mark.parametrize(
    ("known", "stored", "sent", "reason"),
    [
        (call(turn_count=1), turns("a"), turns("other"), "turn_differs"),
        (call(turn_count=1), [], turns("c", start=2), "turn_missing"),
        (call(turn_count=1, status=CallStatus.COMPLETED), [], turns("b", start=1), "call_ended"),
        (call(turn_count=MAX_TURNS), [], turns("b", start=MAX_TURNS), "too_many_turns"),
    ],
)
def test_a_turn_that_does_not_follow_is_refused(known: Call, stored: list[Turn], sent: list[Turn], reason: str) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        new_turns(known, {turn.index: turn for turn in stored}, sent)
    assert refused.value.reason == reason


def test_the_next_turn_is_named_where_words_differ() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        new_turns(call(turn_count=2), {turn.index: turn for turn in turns("a", "b")}, turns("other", start=1))
    assert refused.value.metadata == {"nextIndex": "2"}


def test_a_missing_turn_is_named() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        new_turns(call(turn_count=3), {}, turns("x", start=7))
    assert refused.value.metadata == {"nextIndex": "3"}


def test_every_violation_of_the_turns_is_told_at_once() -> None:
    sent = [*turns("x" * 32_001), Turn(5, Speaker.USER, "", 0.0)]
    with pytest.raises(InvalidArgument) as refused:
        check_turns(sent, [0, 65_537])
    assert [found.pointer for found in refused.value.violations] == [
        "#/turns/0/text", "#/turns/1/toolCalls", "#/turns",
    ]  # fmt: skip


def test_times_of_another_day_or_of_the_future_are_refused_and_a_fast_clock_is_not() -> None:
    assert check_moment(NOW + timedelta(seconds=30), "#/startedAt", NOW) == NOW
    for wrong in (NOW - timedelta(days=2), NOW + timedelta(hours=1)):
        with pytest.raises(InvalidArgument):
            check_moment(wrong, "#/startedAt", NOW)
    with pytest.raises(InvalidArgument):
        check_moment(NOW - timedelta(minutes=2), "#/endedAt", NOW, NOW - timedelta(minutes=1))


def test_the_suite_measures_calls_of_own_systems_and_leaves_those_of_providers_to_them() -> None:
    ending = Ending(CallStatus.COMPLETED, NOW + timedelta(seconds=90))
    assert ended_report(call(), ending).duration_seconds == 90.0
    assert ended_report(call(provider="retell"), ending).duration_seconds is None


def report(**changes: object) -> ReportedCall:
    made = ReportedCall("retell", "x", "", CallStatus.COMPLETED, 4_000)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_providers_report_keeps_the_live_turns_where_it_has_none_and_replaces_them_where_it_has() -> None:
    live = call(provider="retell", turn_count=2, turns=tuple(turns("a", "b")))
    without = supersede(live, report())
    told = supersede(live, report(turns=tuple(turns("a", "b", "c"))))
    assert without is not None
    assert list(without.turns) == turns("a", "b")
    assert told is not None
    assert list(told.turns) == turns("a", "b", "c")


def test_a_report_of_a_running_call_takes_no_turn_away() -> None:
    live = call(provider="retell", turn_count=2, turns=tuple(turns("a", "b")))
    running = supersede(live, report(status=CallStatus.IN_PROGRESS, completeness=1_001, turns=tuple(turns("a"))))
    assert running is not None
    assert list(running.turns) == turns("a", "b")
