"""The jobs of the call-log: key in, effect out, safe to run twice. Handlers must not publish outside a transaction."""

from libs.jobs import Handlers, JobPolicy

from .aggregate import Aggregation
from .audio import AudioProcessing
from .ingest import CallIngest
from .reconcile import Reconciliation

# The agent service may be away for an hour: an envelope waits for it rather than becoming a call of nobody.
INGEST_POLICY = JobPolicy(queue="ingest", max_attempts=20, timeout_seconds=60, backoff=(1, 2, 5, 10, 30, 60, 300))
AUDIO_POLICY = JobPolicy(queue="audio", max_attempts=6, timeout_seconds=900, backoff=(5, 30, 120, 600))
AGGREGATE_POLICY = JobPolicy(max_attempts=10, timeout_seconds=60)
RECONCILE_POLICY = JobPolicy(queue="reconcile", max_attempts=5, timeout_seconds=900, backoff=(5, 30, 120, 600))


def job_handlers(
    ingest: CallIngest,
    audio: AudioProcessing,
    aggregation: Aggregation,
    reconciliation: Reconciliation,
    reconcile_cron: str,
) -> Handlers:
    handlers = Handlers()
    handlers.add("call.ingest", ingest.run, INGEST_POLICY)
    handlers.add("audio.process", audio.run, AUDIO_POLICY)
    handlers.add("analytics.aggregate", aggregation.run, AGGREGATE_POLICY)
    handlers.add("call.reconcile", reconciliation.run, RECONCILE_POLICY)
    # Transcribing is heavy; polling one account is enough for one organisation.
    handlers.queue("audio", max_running_per_org=2)
    handlers.queue("reconcile", max_running_per_org=1)
    handlers.cron("analytics-hourly", "2 * * * *", "analytics.aggregate", args={"changedWithinHours": 2})
    handlers.cron("analytics-daily", "17 0 * * *", "analytics.aggregate", args={"changedWithinHours": 48})
    handlers.cron("calls-missed", reconcile_cron, "call.reconcile")
    return handlers
