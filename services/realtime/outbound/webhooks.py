"""Signing by the Standard Webhooks specification, and what a receiver's answer means for the next attempt. Pure."""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Mapping, Sequence

from standardwebhooks import Webhook


def signed_headers(delivery_id: str, body: bytes, secrets: Sequence[str], now: datetime.datetime) -> dict[str, str]:
    """webhook-id, -timestamp and -signature; one signature per secret, newest first, while a rotation overlaps."""
    signatures = [Webhook(secret).sign(delivery_id, now, body.decode()) for secret in secrets]
    return {
        "content-type": "application/cloudevents+json",
        "user-agent": "EchoSenseiX-Webhooks/1.0",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def retry_after_seconds(headers: Mapping[str, str], now: datetime.datetime) -> float | None:
    """Retry-After as seconds or as an HTTP date (RFC 9110, 10.2.3); None when absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return max(0.0, (when - now).total_seconds())
