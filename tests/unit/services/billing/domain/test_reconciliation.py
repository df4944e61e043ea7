"""Differences between three readings: none where they agree, each named where they do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.reconciliation import MeteredCall, RatedUsage, compare_calls, compare_ratings

lengths = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2))


@given(lengths, lengths)
def test_calls_and_usage(calls: dict[str, int], metered: dict[str, int]) -> None:
    found = list(compare_calls(calls, [MeteredCall(call, f"ue_{call}", length) for call, length in metered.items()]))
    assert {each.call_id for each in found if each.kind == "call_without_usage"} == calls.keys() - metered.keys()
    assert {each.call_id for each in found if each.kind == "usage_without_call"} == metered.keys() - calls.keys()
    unequal = {call for call in calls.keys() & metered.keys() if calls[call] != metered[call]}
    assert {each.call_id for each in found if each.kind == "amount_mismatch"} == unequal
    assert len(found) == len({each.call_id for each in found})


def test_usage_and_ledger() -> None:
    good = RatedUsage("ue_1", "call_1", 5, "led_1", -5)
    unrated = RatedUsage("ue_2", "", None, None, None)
    uncharged = RatedUsage("ue_3", "call_3", 5, None, None)
    wrong = RatedUsage("ue_4", "call_4", 5, "led_4", -6)
    found = [(each.kind, each.usage_event_id, each.ledger_entry_id) for each in
             compare_ratings([good, unrated, uncharged, wrong])]  # fmt: skip
    assert found == [
        ("usage_without_ledger", "ue_2", ""),
        ("usage_without_ledger", "ue_3", ""),
        ("amount_mismatch", "ue_4", "led_4"),
    ]
