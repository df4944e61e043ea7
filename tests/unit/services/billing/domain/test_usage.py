"""Usage events: when two are the same, and a call's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.ids import new_id
from services.billing.domain.usage import Meter, UsageEvent, call_usage, call_usage_id, check_sent

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CALLS = Meter("call_seconds", "second", "Length of calls")
EVENT = UsageEvent("a", "call_seconds", NOON, 60_000_000, "s", {"agentId": "agt_1", "n": 1.0, "deep": {"b": 2, "a": 1}})


def test_a_body_is_told_by_its_meaning() -> None:
    same = replace(EVENT, properties={"deep": {"a": 1, "b": 2}, "n": 1.0, "agentId": "agt_1"})
    assert same.digest == EVENT.digest
    assert replace(EVENT, id="b", created_at=NOON).digest == EVENT.digest
    others = [
        replace(EVENT, meter="llm_tokens"),
        replace(EVENT, event_time=NOON + timedelta(microseconds=1)),
        replace(EVENT, quantity_micros=60_000_001),
        replace(EVENT, subject=""),
        replace(EVENT, properties={}),
        replace(EVENT, call_id="call_1"),
    ]
    assert len({event.digest for event in (EVENT, *others)}) == 7


@given(st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.integers() | st.text(max_size=3)))
def test_properties_of_any_shape_have_a_digest(properties: dict[str, object]) -> None:
    assert replace(EVENT, properties=properties).digest == replace(EVENT, properties=dict(properties)).digest


def test_a_calls_event_is_told_by_the_call() -> None:
    call = new_id("call")
    usage = call_usage(call_id=call, quantity_micros=1, ended_at=NOON, agent_id="agt_1", provider="elevenlabs")
    assert usage.id == call_usage_id(call) == "ue_" + call.removeprefix("call_")
    assert (usage.agent_id, usage.provider, usage.call_id, usage.subject) == ("agt_1", "elevenlabs", call, call)
    violations = check_sent(usage, [CALLS], NOON, "#")
    assert [violation.code for violation in violations] == ["reserved", "meter_reserved"]


def test_clients_choose_among_the_open_meters() -> None:
    meters = [CALLS, Meter("sms_segments", "segment", "")]
    assert check_sent(replace(EVENT, meter="sms_segments"), meters, NOON, "#") == []
    unknown = check_sent(replace(EVENT, meter="pages"), meters, NOON, "#")
    assert [(violation.code, violation.detail) for violation in unknown] == [
        ("unknown_meter", "Use one of: sms_segments.")
    ]


def test_odd_properties_name_no_one() -> None:
    odd = replace(EVENT, properties={"agentId": 7, "provider": ["x"]})
    assert (odd.agent_id, odd.provider) == ("", "")
