"""Realtime's jobs: webhook.deliver, email.send and retention.sweep. Handlers must not publish outside a transaction."""

from __future__ import annotations

from libs.crypto import Envelope
from libs.http import OutboundClient
from libs.jobs import Handlers, JobPolicy
from services.realtime import operations
from services.realtime.config import RealtimeSettings
from services.realtime.domain.delivery import MAX_ATTEMPTS, Patience

from .deliver import TIMEOUT_SECONDS, Deliver
from .mail import SendEmail
from .sweep import Sweep

# The first retry is for a server that stumbled, the later ones for greylisting and for an outage.
_MAIL_BACKOFF = (5.0, 300.0, 1800.0, 7200.0)


def job_handlers(settings: RealtimeSettings, envelope: Envelope, http: OutboundClient) -> Handlers:
    handlers = Handlers()
    patience = Patience.of(settings.webhook_disable_days, settings.webhook_disable_exhausted)
    # The receiver's schedule, not the queue's backoff, says when to try again: each failed attempt raises RetryAfter.
    webhooks = JobPolicy(
        queue=operations.DELIVER_QUEUE, max_attempts=MAX_ATTEMPTS, timeout_seconds=TIMEOUT_SECONDS + 15
    )
    handlers.add(operations.DELIVER, Deliver(envelope, http, patience), webhooks)
    mails = JobPolicy(
        queue=operations.MAIL_QUEUE,
        max_attempts=operations.MAIL_ATTEMPTS,
        timeout_seconds=60,
        backoff=_MAIL_BACKOFF,
    )
    handlers.add(operations.MAIL, SendEmail(settings), mails)
    handlers.add("retention.sweep", Sweep(settings), JobPolicy(queue="maintenance", timeout_seconds=600))
    handlers.cron("retention-sweep", cron="17 3 * * *", kind="retention.sweep", args={})
    return handlers
