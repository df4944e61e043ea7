"""Rating: the documented rounding, and that order and time of rating change nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.amounts import MICRO
from services.billing.domain.rating import Rate, rate_at, rate_usage

START = datetime(2026, 1, 1, tzinfo=UTC)
CALLS = Rate("call_seconds", 100_000, 60, MICRO, "USD", START)
rates = st.builds(
    Rate, st.just("m"), st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from([1, 1_000, MICRO, 60 * MICRO]),
    st.just("USD"), st.just(START),
)  # fmt: skip
quantities = st.integers(0, 10**15)


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [(0, 0), (1, 1_667), (37, 61_667), (60, 100_000), (60.2, 101_667), (0.000001, 1_667), (3_600, 6_000_000)],
)
def test_calls_are_billed_by_the_second_at_a_price_a_minute(seconds: float, micros: int) -> None:
    assert rate_usage(CALLS, round(seconds * MICRO)) == micros


def test_half_a_millionth_is_rounded_up() -> None:
    rate = Rate("m", 1, 2, MICRO, "USD", START)
    assert [rate_usage(rate, units * MICRO) for units in (0, 1, 2, 3)] == [0, 1, 1, 2]


@given(rates, quantities)
def test_the_rule_as_fractions(rate: Rate, quantity: int) -> None:
    increments = -(-quantity // rate.increment_micros)
    exact = Fraction(increments * rate.increment_micros, MICRO) * Fraction(rate.price_micros, rate.per)
    assert rate_usage(rate, quantity) == floor(exact + Fraction(1, 2))


@given(rates, quantities, quantities)
def test_more_never_costs_less(rate: Rate, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= rate_usage(rate, low) <= rate_usage(rate, high)


def test_the_rate_in_force_at_the_time_of_use() -> None:
    later = Rate("call_seconds", 200_000, 60, MICRO, "USD", START + timedelta(days=30))
    own = Rate("call_seconds", 50_000, 60, MICRO, "USD", START + timedelta(days=10), of_organization=True)
    known = [later, own, CALLS]
    assert rate_at(known, "call_seconds", START - timedelta(seconds=1)) is None
    assert rate_at(known, "call_seconds", START) is CALLS
    assert rate_at(known, "call_seconds", START + timedelta(days=10)) is own
    assert rate_at(known, "call_seconds", START + timedelta(days=40)) is own
    assert rate_at([later, CALLS], "call_seconds", START + timedelta(days=40)) is later
    assert rate_at(known, "sms_segments", START + timedelta(days=40)) is None
