"""Realtime's jobs: webhook.deliver, email.send and the sweep of what is past retention."""

from __future__ import annotations

import asyncio
import datetime
import random

from libs.clock import utcnow
from libs.crypto import Envelope
from libs.errors import AppError
from libs.http import OutboundClient
from libs.jobs import Discard, Handlers, JobContext, JobPolicy, RetryAfter
from libs.postgres import Database
from libs.telemetry import metrics
from services.realtime import operations
from services.realtime.config import RealtimeSettings
from services.realtime.domain.delivery import MAX_ATTEMPTS, Verdict, judge, wait_before
from services.realtime.domain.letters import LETTERS, Letter
from services.realtime.outbound.mailer import Mailer, MailRefused
from services.realtime.outbound.webhooks import retry_after_seconds, signed_headers
from services.realtime.storage import deliveries, event_log, mailbox, owners
from services.realtime.storage.deliveries import Outgoing

TIMEOUT_SECONDS = 15.0
_SWEEP_BATCH = 1_000
_DELIVERY_DAYS = 30
# The first retry is for a server that stumbled, the later ones for greylisting and for an outage.
_MAIL_BACKOFF = (5.0, 300.0, 1800.0, 7200.0)


def job_handlers(settings: RealtimeSettings, envelope: Envelope, http: OutboundClient) -> Handlers:
    handlers = Handlers()
    deliver = Deliver(envelope, http)
    # The receiver's schedule, not the queue's backoff, says when to try again: each failed attempt raises RetryAfter.
    webhooks = JobPolicy(
        queue=operations.DELIVER_QUEUE, max_attempts=MAX_ATTEMPTS, timeout_seconds=TIMEOUT_SECONDS + 15
    )
    handlers.add(operations.DELIVER, deliver, webhooks)
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


class Deliver:
    """webhook.deliver: one attempt. The receiver may see a delivery twice, always under the same webhook-id."""

    def __init__(self, envelope: Envelope, http: OutboundClient) -> None:
        self._envelope = envelope
        self._http = http

    async def __call__(self, job: JobContext) -> None:
        org_id = job.job.org_id
        out = await deliveries.outgoing(job.db, org_id, job.job.args["deliveryId"])
        if out is None or out.status == "delivered":
            return
        if out.endpoint_status != "enabled":
            await self._give_up(job, out, None, "the endpoint is disabled")
            raise Discard("endpoint_disabled", "The endpoint is disabled; enable it and replay the delivery.")
        await self._attempt(job, out)

    async def _attempt(self, job: JobContext, out: Outgoing) -> None:
        secrets = [self._open(job.job.org_id, out.endpoint_id, sealed) for sealed in out.secrets]
        headers = signed_headers(out.delivery_id, out.body, secrets, utcnow())
        try:
            response = await self._http.post(out.url, content=out.body, headers=headers, timeout=TIMEOUT_SECONDS)
        except AppError as error:
            await self._failed(job, out, None, error.detail, None)
            return
        verdict = judge(response.status_code)
        metrics.WEBHOOK_ATTEMPTS.labels(verdict.value).inc()
        if verdict is Verdict.DELIVERED:
            await self._delivered(job, out, response.status_code)
        elif verdict is Verdict.GONE:
            await self._gone(job, out)
        else:
            wait = retry_after_seconds(response.headers, utcnow())
            await self._failed(job, out, response.status_code, f"HTTP {response.status_code}", wait)

    async def _delivered(self, job: JobContext, out: Outgoing, status_code: int) -> None:
        async with job.finish({"statusCode": status_code}) as connection:
            await deliveries.record_attempt(
                connection, job.job.org_id, out.delivery_id, status="delivered", code=status_code, error="", wait=None
            )

    async def _gone(self, job: JobContext, out: Outgoing) -> None:
        org_id = job.job.org_id
        async with job.db.transaction(org_id) as connection:
            await operations.disable_endpoint(connection, org_id, out.endpoint_id, "gone")
        await self._give_up(job, out, 410, "HTTP 410: the receiver is gone; the endpoint was disabled")
        raise Discard("endpoint_gone", "The receiver answered 410; the endpoint was disabled.")

    async def _failed(
        self, job: JobContext, out: Outgoing, code: int | None, error: str, retry_after: float | None
    ) -> None:
        if code is None:
            metrics.WEBHOOK_ATTEMPTS.labels("retry").inc()
        if job.job.attempt >= job.job.max_attempts:
            await self._give_up(job, out, code, error)
            raise Discard("webhook_undelivered", f"Every attempt failed; the last one with: {error}.")
        wait = wait_before(job.job.attempt + 1, random.random(), retry_after)  # noqa: S311 - jitter, not a secret
        await self._record(job, out, "pending", code, error, wait)
        raise RetryAfter(wait, error)

    async def _give_up(self, job: JobContext, out: Outgoing, code: int | None, error: str) -> None:
        await self._record(job, out, "failed", code, error, None)

    async def _record(
        self, job: JobContext, out: Outgoing, status: str, code: int | None, error: str, wait: float | None
    ) -> None:
        org_id = job.job.org_id
        async with job.db.transaction(org_id) as connection:
            await deliveries.record_attempt(
                connection, org_id, out.delivery_id, status=status, code=code, error=error, wait=wait
            )

    def _open(self, org_id: str, endpoint_id: str, sealed: bytes) -> str:
        return self._envelope.decrypt(sealed, operations.secret_place(org_id, endpoint_id)).decode()


class SendEmail:
    """email.send {template, values}: to the organisation's owners by SMTP, or into the mailbox without a server."""

    def __init__(self, settings: RealtimeSettings) -> None:
        self._mailer = Mailer(settings.smtp_url, settings.mail_from) if settings.smtp_url else None

    async def __call__(self, job: JobContext) -> None:
        letter = _letter(job)
        recipients = await owners.addresses(job.db, job.job.org_id)
        if not recipients:
            raise Discard("mail_no_recipient", "No address of an owner of this organisation is known.")
        if self._mailer is not None:
            await self._send(self._mailer, job.job.id, recipients, letter)
        async with job.finish({"recipients": len(recipients)}) as connection:
            if self._mailer is None:
                mail_id = "mail_" + job.job.id.rpartition("_")[2]
                await mailbox.add(connection, job.job.org_id, mail_id, recipients, letter.subject, letter.text)

    async def _send(self, mailer: Mailer, job_id: str, recipients: list[str], letter: Letter) -> None:
        try:
            await mailer.send(job_id, recipients, letter.subject, letter.text)
        except MailRefused as error:
            raise Discard("mail_refused", f"The mail server refuses the mail for good, with {error.code}.") from None


class Sweep:
    """retention.sweep: events and deliveries past their days, in batches so that no statement holds locks for long."""

    def __init__(self, settings: RealtimeSettings) -> None:
        self._days = settings.retention_days

    async def __call__(self, job: JobContext) -> dict[str, int]:
        border = utcnow() - datetime.timedelta(days=self._days)
        swept = {"events": 0, "deliveries": 0}
        while batch := await self._batch(job.db, border, swept):
            if batch < _SWEEP_BATCH:
                break
            await asyncio.sleep(0)
        return swept

    async def _batch(self, database: Database, border: datetime.datetime, swept: dict[str, int]) -> int:
        async with database.system_transaction() as connection:
            events = await event_log.sweep(connection, border, _SWEEP_BATCH)
            gone = await deliveries.sweep(connection, _DELIVERY_DAYS, _SWEEP_BATCH)
        swept["events"] += events
        swept["deliveries"] += gone
        return max(events, gone)


def _letter(job: JobContext) -> Letter:
    args = job.job.args
    write = LETTERS.get(args.get("template", ""))
    if write is None:
        raise Discard("mail_malformed", "No such template of a mail.")
    return write(args["values"])
