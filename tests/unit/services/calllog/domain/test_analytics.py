"""Windows and buckets: edges and whole hours cover a window exactly, once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.calllog.domain.analytics import MAX_BUCKETS, Totals, Window, bucket_starts, fill, floor_to

moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
HOUR = timedelta(hours=1)


@given(moments, st.timedeltas(timedelta(microseconds=1), timedelta(days=3)))
def test_a_window_is_covered_once(start: datetime, length: timedelta) -> None:
    window = Window(start, start + length)
    (head_start, head_end), (tail_start, tail_end) = window.edges()
    whole = (window.first_hour, window.last_hour) if window.first_hour < window.last_hour else None
    parts = [part for part in ((head_start, head_end), whole, (tail_start, tail_end)) if part and part[0] < part[1]]
    assert parts[0][0] == window.start
    assert parts[-1][1] == window.end
    assert all(one[1] == other[0] for one, other in itertools.pairwise(parts))
    assert (head_end - head_start) < HOUR
    assert (tail_end - tail_start) < HOUR
    if whole:
        assert all(floor_to(edge, "hour") == edge for edge in whole)


def test_buckets_touch_the_window() -> None:
    start = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
    assert list(bucket_starts(start, start + HOUR, "hour")) == [
        datetime(2026, 1, 2, 9, tzinfo=UTC), datetime(2026, 1, 2, 10, tzinfo=UTC),
    ]  # fmt: skip
    assert list(bucket_starts(start, start + HOUR, "day")) == [datetime(2026, 1, 2, tzinfo=UTC)]
    assert len(list(bucket_starts(start, start + (MAX_BUCKETS - 1) * HOUR, "hour"))) == MAX_BUCKETS
    for interval, hours in (("hour", MAX_BUCKETS + 1), ("minute", 1)):
        with pytest.raises(InvalidArgument, match="invalid_query"):
            list(bucket_starts(start, start + hours * HOUR, interval))


def test_empty_buckets_hold_no_calls() -> None:
    start = datetime(2026, 1, 2, 9, tzinfo=UTC)
    filled = fill([start, start + HOUR], {start: Totals(calls=3)})
    assert [bucket.totals.calls for bucket in filled] == [3, 0]
    assert filled[1].totals.cost is None
    assert filled[1].totals.average_seconds is None
