"""Retry-After in both its forms, and bounded."""

import datetime

import pytest

from libs.http.retry_after import LONGEST_SECONDS, retry_after_seconds

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("Fri, 02 Jan 2096 03:00:00 GMT", LONGEST_SECONDS),
        ("9" * 400, LONGEST_SECONDS),
        ("soon", None),
        ("Fri, 02 Jan 2026 03:05:05 +99999999999999", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": value}, NOW) == seconds
