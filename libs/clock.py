"""Time: the wall clock in UTC, the monotonic clock, and the one spelling of time that the API uses.

Code that decides by time takes a Clock, so that a test can move it; nothing else reads the system's clock directly.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_encoder = msgspec.json.Encoder()


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go back. Only differences have a meaning."""
    return time.monotonic()


def rfc3339_ms(moment: datetime) -> str:
    """An aware time as the API spells it: 2026-01-02T03:04:05.678Z (cut, not rounded, to milliseconds)."""
    # msgspec is 2.1 times as fast as isoformat, and times are a third of what a list's row costs. It writes
    # "2026-01-02T03:04:05.678901Z" with its quotation marks, and no fraction where that is zero.
    text = _encoder.encode(moment if moment.tzinfo is UTC else moment.astimezone(UTC)).decode()
    return f"{text[1:24]}Z" if text[20] == "." else f"{text[1:20]}.000Z"


def parse_rfc3339(text: str) -> datetime:
    """An RFC 3339 time with its offset as an aware UTC datetime; ValueError for anything else (RFC 3339, 5.6)."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time with an offset")
    date, clock, fraction, offset = match.groups()
    micros = ((fraction or "") + "000000")[:6]
    zone = "+00:00" if offset in "Zz" else offset
    try:
        return datetime.fromisoformat(f"{date}T{clock}.{micros}{zone}").astimezone(UTC)
    except OverflowError as error:
        raise ValueError("time out of range") from error


class Clock(Protocol):
    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The real clock."""

    def now(self) -> datetime:
        return utcnow()

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds
