"""Exact numbers: what is parsed is what is shown, and nothing else is parsed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.billing.domain.amounts import MICRO, format_micros, parse_micros, seconds_to_micros


@given(st.integers(0, 10**18 - 1))
def test_what_is_shown_can_be_read_again(micros: int) -> None:
    assert parse_micros(format_micros(micros), "#") == micros
    assert Decimal(format_micros(micros)) * MICRO == micros


@given(st.text(max_size=12))
def test_only_plain_decimals_are_read(text: str) -> None:
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and text[0] != "." and text[-1] != "."
    plain = plain and len(text.partition(".")[2]) <= 6
    if plain:
        assert parse_micros(text, "#") == int(Decimal(text) * MICRO)
    else:
        with pytest.raises(InvalidArgument):
            parse_micros(text, "#")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e3", " 1", "1 ", "1.", ".5", "1.0000001", "0x1", "١", "1_0", "∞"])
def test_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        parse_micros(text, "#/value")
    assert refusal.value.violations[0].pointer == "#/value"


def test_shown() -> None:
    shown = [format_micros(micros) for micros in (0, 1, -5, 61_500_000, -61_667, 10 * MICRO)]
    assert shown == ["0", "0.000001", "-0.000005", "61.5", "-0.061667", "10"]


def test_durations_are_taken_to_the_nearest_millionth() -> None:
    assert [seconds_to_micros(seconds) for seconds in (0.0, 37.0, 0.1 + 0.2, 59.9999996)] == [
        0, 37_000_000, 300_000, 60_000_000,
    ]  # fmt: skip
