"""One attempt of a webhook by the Standard Webhooks specification: sign, send, and what is recorded of the exchange."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from standardwebhooks import Webhook

from libs.clock import monotonic, utcnow
from libs.errors import AppError
from libs.http import OutboundClient
from libs.http.retry_after import retry_after_seconds
from services.realtime.domain.delivery import (
    ATTEMPT_SECONDS,
    CONTENT_TYPES,
    Exchange,
    Verdict,
    judge,
    masked,
    recorded_body,
)


def signed_headers(
    delivery_id: str,
    body: bytes,
    secrets: Sequence[str],
    now: datetime.datetime,
    content_type: str = CONTENT_TYPES[0],
    position: int = 0,
) -> dict[str, str]:
    """webhook-id, -timestamp and -signature; one signature per secret, newest first, while a rotation overlaps.
    event-position is the event's place in the organization's log, so that receivers can restore its order."""
    signatures = [Webhook(secret).sign(delivery_id, now, body.decode()) for secret in secrets]
    headers = {
        "content-type": content_type,
        "user-agent": "EchoSenseiX-Webhooks/1.0",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return headers | {"event-position": str(position)} if position else headers


async def post(
    http: OutboundClient, url: str, body: bytes, headers: dict[str, str]
) -> tuple[Verdict, Exchange, float | None]:
    """Send it once: the verdict, the exchange as it is recorded, and the seconds of a Retry-After."""
    started_at, started = utcnow(), monotonic()
    status, error, fields, content, wait = None, "", {}, b"", None
    verdict = Verdict.RETRY
    try:
        answer = await http.post(url, content=body, headers=headers, timeout=ATTEMPT_SECONDS)
    except AppError as failure:
        error = failure.detail
    else:
        status, fields, content = answer.status_code, dict(answer.headers), answer.content
        verdict = judge(status)
        error = "" if verdict is Verdict.DELIVERED else f"HTTP {status}"
        wait = retry_after_seconds(answer.headers, utcnow())
    spent = round((monotonic() - started) * 1000)
    exchange = Exchange(started_at, spent, status, error, masked(headers), masked(fields), recorded_body(content))
    return verdict, exchange, wait
