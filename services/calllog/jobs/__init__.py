"""The jobs of the call-log: key in, effect out, safe to run twice. Handlers must not publish outside a transaction."""

from __future__ import annotations

from libs.jobs import Handlers, Rate
from services.calllog import operations
from services.calllog.operations import live_calls

from .aggregate import Aggregation
from .audio import AudioProcessing
from .ingest import CallIngest
from .live import LiveCallJobs
from .reconcile import Reconciliation
from .retention import Retention

# Providers count requests by account, including those of its running calls. A recording is one or two requests: after a
# burst of ended calls they are fetched one a second, two at a time, which also bounds what transcribing takes.
AUDIO_RATE = Rate(60, 60.0, burst=10)
# A reconciliation lists page after page and fetches what is missing, one request at a time; the schedule asks for one
# every 15 minutes and provider. What operators or retries add comes to no more than four a minute.
RECONCILE_RATE = Rate(4, 60.0, burst=3)


def job_handlers(
    ingest: CallIngest,
    audio: AudioProcessing,
    aggregation: Aggregation,
    reconciliation: Reconciliation,
    retention: Retention,
    live: LiveCallJobs,
    reconcile_cron: str,
) -> Handlers:
    handlers = Handlers()
    handlers.add(operations.INGEST, ingest.run)
    handlers.add(operations.AUDIO, audio.run)
    handlers.add(operations.AGGREGATE, aggregation.run)
    handlers.add(operations.RECONCILE, reconciliation.run)
    handlers.add(operations.SWEEP, retention.run)
    handlers.add(live_calls.WATCH, live.watch)
    handlers.add(live_calls.EXPIRE, live.expire)
    handlers.queue(operations.AUDIO.queue, max_running_per_org=2, rate_per_org=AUDIO_RATE)
    handlers.queue(operations.RECONCILE.queue, max_running_per_org=2, rate_per_org=RECONCILE_RATE)
    handlers.cron("analytics-hourly", "2 * * * *", operations.AGGREGATE, args={"changedWithinHours": 2})
    handlers.cron("analytics-daily", "17 0 * * *", operations.AGGREGATE, args={"changedWithinHours": 48})
    handlers.cron("webhooks-sweep", "27 * * * *", operations.SWEEP)
    handlers.cron("calls-missed", reconcile_cron, operations.RECONCILE)
    return handlers
