"""Operations that methods and jobs share: store a provider's delivery, and enqueue the recomputation of an hour's
analytics.
"""

from __future__ import annotations

from datetime import datetime

from libs.jobs import WAITING, JobKind
from libs.postgres import Connection
from providers.interface.envelopes import Envelope, Makes
from services.calllog.domain.analytics import floor_to
from services.calllog.domain.masking import masked
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.envelopes import Envelopes

SERVICE = "calllog"
# The agent service may be away for an hour: an envelope waits for it rather than becoming a call without an agent.
INGEST = JobKind(
    "call.ingest", service=SERVICE, queue="ingest", max_attempts=20, timeout_seconds=60,
    backoff=(1, 2, 5, 10, 30, 60, 300),
)  # fmt: skip
AUDIO = JobKind(
    "audio.process", service=SERVICE, queue="audio", max_attempts=6, timeout_seconds=900,
    backoff=(5, 30, 120, 600), unique_by=("recordingId",),
)  # fmt: skip
# The key is free again as soon as the recomputation starts: a call that is written meanwhile needs the next one.
AGGREGATE = JobKind(
    "analytics.aggregate", service=SERVICE, max_attempts=10, timeout_seconds=60,
    unique_by=("hour",), unique_states=WAITING,
)  # fmt: skip
RECONCILE = JobKind(
    "call.reconcile", service=SERVICE, queue="reconcile", max_attempts=5, timeout_seconds=900,
    backoff=(5, 30, 120, 600), unique_by=("provider",),
)  # fmt: skip
SWEEP = JobKind("retention.sweep", service=SERVICE, queue="maintenance")
# Calls arrive in bursts: one recomputation covers all calls of an hour that arrive within this time.
SETTLE_SECONDS = 2.0


async def keep_delivery(
    conn: Connection, stored: Envelopes, org_id: str, envelope: Envelope, body: bytes, source: str, now: datetime
) -> bool:
    """Store the envelope and enqueue its call; True when the same delivery was stored before. A recording's body is
    stored as it came: its job drops it."""
    body = body if envelope.makes is Makes.RECORDING else masked(body)
    kept = await stored.keep(conn, org_id, envelope, body, source, now)
    if kept.id and envelope.makes is not Makes.NOTHING:
        await INGEST.enqueue(conn, org_id, {"envelopeId": kept.id})
    return kept.duplicate


async def count_again(conn: Connection, analytics: Analytics, org_id: str, moments: set[datetime]) -> None:
    """Enqueue the recomputation of the hours of these moments. Call it after the calls were written, in their
    transaction."""
    for hour in sorted({floor_to(moment, "hour") for moment in moments}):
        await analytics.announce_change(conn, org_id, hour)
        await AGGREGATE.enqueue(conn, org_id, {"hour": hour.isoformat()}, delay=SETTLE_SECONDS)
