"""Signing by the Standard Webhooks specification. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from standardwebhooks import Webhook

from services.realtime.domain.delivery import CONTENT_TYPES


def signed_headers(
    delivery_id: str, body: bytes, secrets: Sequence[str], now: datetime.datetime, content_type: str = CONTENT_TYPES[0]
) -> dict[str, str]:
    """webhook-id, -timestamp and -signature; one signature per secret, newest first, while a rotation overlaps."""
    signatures = [Webhook(secret).sign(delivery_id, now, body.decode()) for secret in secrets]
    return {
        "content-type": content_type,
        "user-agent": "EchoSenseiX-Webhooks/1.0",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
