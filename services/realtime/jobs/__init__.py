"""Realtime's jobs: webhook.deliver, webhook.replay, email.send and retention.sweep. Handlers must not
publish outside a transaction.
"""

from __future__ import annotations

from libs.crypto import Envelope
from libs.http import OutboundClient
from libs.jobs import Handlers
from services.realtime import operations
from services.realtime.config import RealtimeSettings
from services.realtime.domain.delivery import Patience

from .deliver import Deliver
from .mail import SendEmail
from .replay import Replay
from .sweep import Sweep

# Deliveries of one organization that run at once, over all workers: half of the places of one worker. More: endpoints
# of one organization that answer slowly hold up other organizations. Fewer: they hold up its own other endpoints.
_DELIVERIES_PER_ORGANIZATION = 4


def job_handlers(settings: RealtimeSettings, envelope: Envelope, http: OutboundClient) -> Handlers:
    handlers = Handlers()
    patience = Patience.of(settings.webhook_disable_days, settings.webhook_disable_exhausted)
    handlers.add(operations.DELIVER, Deliver(envelope, http, patience))
    handlers.queue(operations.DELIVER.queue, max_running_per_org=_DELIVERIES_PER_ORGANIZATION)
    handlers.add(operations.REPLAY, Replay())
    handlers.add(operations.MAIL, SendEmail(settings, envelope))
    handlers.add(operations.SWEEP, Sweep(settings))
    handlers.cron("retention-sweep", "17 3 * * *", operations.SWEEP)
    return handlers
