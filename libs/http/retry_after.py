"""What a Retry-After header asks for (RFC 9110, 10.2.3): seconds, or a date. Pure."""

import datetime
import email.utils
from collections.abc import Mapping

# Longer than any limit lasts; a mistaken or hostile header must not park work for years.
LONGEST_SECONDS = 86_400.0


def retry_after_seconds(headers: Mapping[str, str], now: datetime.datetime) -> float | None:
    """Seconds from now, at most a day; None when the header is absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_SECONDS)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return min(max(0.0, (when - now).total_seconds()), LONGEST_SECONDS)
