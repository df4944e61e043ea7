"""webhook.deliver: one attempt of one delivery, by the webhook schedule. It disables an endpoint that is gone or has
failed for too long.
"""

from __future__ import annotations

import random

from libs.clock import utcnow
from libs.crypto import Envelope
from libs.errors import AppError
from libs.http import OutboundClient
from libs.http.retry_after import retry_after_seconds
from libs.jobs import Discard, JobContext, RetryAfter
from libs.telemetry import metrics
from services.realtime import operations
from services.realtime.domain.delivery import Patience, Verdict, judge, wait_before
from services.realtime.outbound.webhooks import signed_headers
from services.realtime.storage import deliveries
from services.realtime.storage.deliveries import Outgoing


class Deliver:
    """The receiver may see a delivery twice, always under the same webhook-id."""

    def __init__(self, envelope: Envelope, http: OutboundClient, patience: Patience) -> None:
        self._envelope = envelope
        self._http = http
        self._patience = patience

    async def __call__(self, ctx: JobContext) -> None:
        org_id = ctx.job.org_id
        out = await deliveries.outgoing(ctx.db, org_id, ctx.job.args["deliveryId"])
        if out is None or out.status == "delivered":
            return
        if out.endpoint_status != "enabled":
            async with ctx.db.transaction(org_id) as connection:
                await deliveries.abandon(connection, org_id, out.delivery_id, "the endpoint is disabled")
            raise Discard("endpoint_disabled", "The endpoint is disabled; enable it and replay the delivery.")
        await self._attempt(ctx, out)

    async def _attempt(self, ctx: JobContext, out: Outgoing) -> None:
        secrets = [self._open(ctx.job.org_id, out.endpoint_id, sealed) for sealed in out.secrets]
        headers = signed_headers(out.delivery_id, out.body, secrets, utcnow(), out.content_type)
        try:
            response = await self._http.post(
                out.url, content=out.body, headers=headers, timeout=operations.WEBHOOK_TIMEOUT_SECONDS
            )
        except AppError as error:
            metrics.WEBHOOK_ATTEMPTS.labels(Verdict.RETRY.value).inc()
            await self._failed(ctx, out, None, error.detail, None)
            return
        verdict = judge(response.status_code)
        metrics.WEBHOOK_ATTEMPTS.labels(verdict.value).inc()
        if verdict is Verdict.DELIVERED:
            await self._delivered(ctx, out, response.status_code)
        elif verdict is Verdict.GONE:
            await self._gone(ctx, out)
        else:
            wait = retry_after_seconds(response.headers, utcnow())
            await self._failed(ctx, out, response.status_code, f"HTTP {response.status_code}", wait)

    async def _delivered(self, ctx: JobContext, out: Outgoing, status_code: int) -> None:
        async with ctx.finish({"statusCode": status_code}) as connection:
            await deliveries.record_success(connection, ctx.job.org_id, out.delivery_id, status_code)

    async def _gone(self, ctx: JobContext, out: Outgoing) -> None:
        org_id, error = ctx.job.org_id, "HTTP 410: the receiver is gone; the endpoint was disabled"
        async with ctx.db.transaction(org_id) as connection:
            await deliveries.record_failure(connection, org_id, out.delivery_id, 410, error, None)
            await operations.disable_endpoint(connection, org_id, out.endpoint_id, "gone")
        raise Discard("endpoint_gone", "The receiver answered 410; the endpoint was disabled.")

    async def _failed(
        self, ctx: JobContext, out: Outgoing, code: int | None, error: str, retry_after: float | None
    ) -> None:
        last = ctx.job.attempt >= ctx.job.max_attempts
        jitter = random.random()  # noqa: S311 - no secret
        wait = None if last else wait_before(ctx.job.attempt + 1, jitter, retry_after)
        await self._record(ctx, out, code, error, wait)
        if wait is None:
            raise Discard("webhook_undelivered", f"Every attempt failed; the last one with: {error}.")
        raise RetryAfter(wait, "webhook_attempt_failed", error)

    async def _record(self, ctx: JobContext, out: Outgoing, code: int | None, error: str, wait: float | None) -> None:
        org_id = ctx.job.org_id
        async with ctx.db.transaction(org_id) as connection:
            failures = await deliveries.record_failure(connection, org_id, out.delivery_id, code, error, wait)
            if failures is not None and self._patience.is_over(failures):
                await operations.disable_endpoint(connection, org_id, out.endpoint_id, "failing")

    def _open(self, org_id: str, endpoint_id: str, sealed: bytes) -> str:
        return self._envelope.decrypt(sealed, operations.secret_place(org_id, endpoint_id)).decode()
