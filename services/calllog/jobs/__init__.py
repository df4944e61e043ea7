"""The jobs of the call-log: key in, effect out, safe to run twice. Handlers must not publish outside a transaction."""

from libs.jobs import Handlers
from services.calllog import operations

from .aggregate import Aggregation
from .audio import AudioProcessing
from .ingest import CallIngest
from .reconcile import Reconciliation


def job_handlers(
    ingest: CallIngest,
    audio: AudioProcessing,
    aggregation: Aggregation,
    reconciliation: Reconciliation,
    reconcile_cron: str,
) -> Handlers:
    handlers = Handlers()
    handlers.add(operations.INGEST, ingest.run, operations.INGEST_POLICY)
    handlers.add(operations.AUDIO, audio.run, operations.AUDIO_POLICY)
    handlers.add(operations.AGGREGATE, aggregation.run, operations.AGGREGATE_POLICY)
    handlers.add(operations.RECONCILE, reconciliation.run, operations.RECONCILE_POLICY)
    # Transcribing is heavy; polling one account is enough for one organisation.
    handlers.queue("audio", max_running_per_org=2)
    handlers.queue("reconcile", max_running_per_org=1)
    handlers.cron("analytics-hourly", "2 * * * *", operations.AGGREGATE, args={"changedWithinHours": 2})
    handlers.cron("analytics-daily", "17 0 * * *", operations.AGGREGATE, args={"changedWithinHours": 48})
    handlers.cron("calls-missed", reconcile_cron, operations.RECONCILE)
    return handlers
