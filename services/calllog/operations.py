"""Acts that two doors share: keeping what a provider delivered, and having an hour's analytics made anew."""

from datetime import datetime

from libs.jobs import WAITING, JobPolicy, enqueue
from libs.postgres import Connection
from providers.interface.envelopes import Envelope, Makes
from services.calllog.domain.analytics import floor_to
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.envelopes import Envelopes

SERVICE = "calllog"
INGEST = "call.ingest"
AUDIO = "audio.process"
AGGREGATE = "analytics.aggregate"
RECONCILE = "call.reconcile"
# Beside their kinds, because whoever makes a job passes its policy on: its row, not its handler, is obeyed.
# The agent service may be away for an hour: an envelope waits for it rather than becoming a call of nobody.
INGEST_POLICY = JobPolicy(queue="ingest", max_attempts=20, timeout_seconds=60, backoff=(1, 2, 5, 10, 30, 60, 300))
AUDIO_POLICY = JobPolicy(queue="audio", max_attempts=6, timeout_seconds=900, backoff=(5, 30, 120, 600))
AGGREGATE_POLICY = JobPolicy(max_attempts=10, timeout_seconds=60)
RECONCILE_POLICY = JobPolicy(queue="reconcile", max_attempts=5, timeout_seconds=900, backoff=(5, 30, 120, 600))
# Calls come in bursts; one recomputation serves all of an hour's that arrive within this time.
SETTLE_SECONDS = 2.0


async def keep_delivery(
    conn: Connection, stored: Envelopes, org_id: str, envelope: Envelope, body: bytes, source: str, now: datetime
) -> bool:
    """Keep the envelope and have its call made; True when the same thing had been delivered before."""
    kept = await stored.keep(conn, org_id, envelope, body, source, now)
    if kept.id and envelope.makes is not Makes.NOTHING:
        await enqueue(
            conn, service=SERVICE, kind=INGEST, queue=INGEST_POLICY.queue, max_attempts=INGEST_POLICY.max_attempts,
            org_id=org_id, args={"envelopeId": kept.id},
        )  # fmt: skip
    return kept.duplicate


async def count_again(conn: Connection, analytics: Analytics, org_id: str, moments: set[datetime]) -> None:
    """Have the hours of these moments recomputed soon; call it after the calls were written, in their transaction."""
    for hour in sorted({floor_to(moment, "hour") for moment in moments}):
        await analytics.announce_change(conn, org_id, hour)
        await enqueue(
            conn, service=SERVICE, kind=AGGREGATE, org_id=org_id, args={"hour": hour.isoformat()},
            unique_key=hour.isoformat(), unique_states=WAITING, delay=SETTLE_SECONDS,
            max_attempts=AGGREGATE_POLICY.max_attempts,
        )  # fmt: skip
