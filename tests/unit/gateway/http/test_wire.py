from datetime import UTC, datetime

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.wire import (
    decimal_text,
    list_to_json,
    micros_from_json,
    struct_from_json,
    struct_to_json,
    time_to_json,
)
from libs.clock import rfc3339_ms
from libs.json_rows import micros_to_json

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2300, 1, 1), timezones=st.just(UTC))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8"))


@given(MOMENTS)
def test_times_are_spelled_as_everywhere_in_the_suite(moment: datetime) -> None:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    assert time_to_json(stamp) == rfc3339_ms(moment)


def test_an_unset_time_is_null() -> None:
    assert time_to_json(Timestamp()) is None


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (10_000_000, "10.00"), (0, "0.00"), (1, "0.000001"), (-12_345, "-0.012345"), (1_500_000, "1.50"),
        (1_050_000, "1.05"), (-2_000_000, "-2.00"), (123_456_789, "123.456789"),
    ],
)  # fmt: skip
def test_money_has_two_to_six_decimals(micros: int, text: str) -> None:
    assert micros_to_json(micros) == text


@given(st.integers(0, 10**17))
def test_money_is_read_as_it_was_written(micros: int) -> None:
    assert micros_from_json(micros_to_json(micros)) == micros


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.", ".5", "1e3", "1,0", " 1", "1.0000001", "٣", "1_0", "1" * 13])
def test_anything_but_a_plain_amount_is_no_money(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        micros_from_json(text)


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (1.5, "1.5"), (1e-7, "0.0000001"), (1e21, "1" + "0" * 21)])
def test_quantities_never_have_an_exponent(value: float, text: str) -> None:
    assert decimal_text(value) == text


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), SCALARS | st.lists(SCALARS, max_size=3), max_size=5))
def test_structs_give_back_what_they_were_given(values: dict[str, object]) -> None:
    assert struct_to_json(struct_from_json(values)) == values


def test_numbers_come_back_as_integers_where_they_are_whole() -> None:
    struct = Struct()
    struct.update({"whole": 5.0, "part": 0.5, "nested": {"list": [1, {"a": None}]}})
    plain = struct_to_json(struct)
    assert plain == {"whole": 5, "part": 0.5, "nested": {"list": [1, {"a": None}]}}
    assert isinstance(plain["whole"], int)


def test_what_json_cannot_say_is_null() -> None:
    values = ListValue()
    values.extend([float("inf"), float("nan"), 1])
    assert list_to_json(values) == [None, None, 1]
