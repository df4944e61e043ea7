import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.clock import ManualClock, SystemClock, parse_rfc3339, rfc3339_ms, utcnow


def test_now_is_aware_and_utc() -> None:
    assert utcnow().tzinfo is UTC
    assert abs(SystemClock().now() - utcnow()) < timedelta(seconds=5)


def test_times_are_cut_to_milliseconds_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339_ms(moment) == "2026-01-02T01:04:05.678Z"


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),
    st.sampled_from([0, 1, 999, 1_000, 99_999, 100_000, 999_999]),
)
def test_every_time_is_spelled_with_three_decimals(moment: datetime, micros: int) -> None:
    moment = moment.replace(microsecond=micros)
    spelled = rfc3339_ms(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", spelled)
    assert timedelta(0) <= moment - parse_rfc3339(spelled) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05.6z", datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789+02:00", datetime(2026, 1, 2, 1, 4, 5, 123_456, tzinfo=UTC)),
    ],
)
def test_rfc3339_is_read(text: str, expected: datetime) -> None:
    parsed = parse_rfc3339(text)
    assert parsed == expected
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-01-02T25:04:05Z",
        "0001-01-01T00:00:00+14:00",
        "２026-01-02T03:04:05Z",
        "2026-01-02T03:04:05Z\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


def test_the_manual_clock_moves_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(1.5)
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert clock.monotonic() == 1.5
