"""webhook.deliver: deliveries to one endpoint, one after the other, until this job's own is settled or it is another's
turn. It disables an endpoint that is gone or has failed for too long, and alerts its owners long before that.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from libs.clock import monotonic, utcnow
from libs.crypto import Envelope
from libs.http import OutboundClient
from libs.jobs import Discard, JobContext, RetryAfter, Snooze
from libs.telemetry import metrics
from services.realtime import operations
from services.realtime.domain.delivery import (
    MAX_ATTEMPTS,
    RUN_SECONDS,
    Exchange,
    Patience,
    Verdict,
    look_again,
    rest_seconds,
    wait_before,
)
from services.realtime.outbound.webhooks import post, signed_headers
from services.realtime.storage import deliveries, endpoints, turns
from services.realtime.storage.turns import Outgoing


@dataclass(frozen=True, slots=True)
class _Ended:
    """How an attempt ended; `wait` are the seconds until the next one, None when there is none."""

    verdict: Verdict
    exchange: Exchange
    wait: float | None

    def raise_failure(self) -> None:
        """End the job as the attempt of its own delivery ended, unless that was delivered."""
        if self.verdict is Verdict.GONE:
            raise Discard("endpoint_gone", "The receiver answered 410; the endpoint was disabled.")
        if self.verdict is Verdict.RETRY:
            if self.wait is None:
                raise _undelivered(self.exchange.error)
            raise RetryAfter(self.wait, "webhook_attempt_failed", self.exchange.error)


@dataclass(slots=True)
class _Run:
    """What one run of a job did: how its own delivery's attempt ended, if it had one, and whether more is due."""

    own: _Ended | None = None
    goes_on: bool = False


class Deliver:
    """The receiver may see a delivery twice, always under the same webhook-id."""

    def __init__(self, envelope: Envelope, http: OutboundClient, patience: Patience) -> None:
        self._envelope = envelope
        self._http = http
        self._patience = patience

    async def __call__(self, ctx: JobContext) -> dict[str, Any] | None:
        org_id, delivery_id = ctx.job.org_id, ctx.job.args["deliveryId"]
        state = await deliveries.state(ctx.db, org_id, delivery_id)
        if state is None:
            return None
        if state.job_id != ctx.job.id:
            return {"supersededBy": state.job_id}
        if state.endpoint_status != "enabled":
            await self._give_up(ctx, state)
            return None
        if state.status == "failed":
            if ctx.job.attempt > 1 or ctx.job.stalls:  # its worker died before it could end the job
                raise _undelivered(state.last_error)
            # An operator queued the job again, which resets its attempts and stalls.
            async with ctx.db.transaction(org_id) as conn:
                await deliveries.reopen(conn, org_id, delivery_id, ctx.job.id)
        run = await self._deliver(ctx, state.endpoint_id)
        return await self._settle(ctx, run)

    async def _deliver(self, ctx: JobContext, endpoint_id: str) -> _Run:
        """While it is this job's turn: the oldest due delivery of the endpoint, then the next."""
        run, ends = _Run(), monotonic() + RUN_SECONDS
        while out := await turns.next_due(ctx.db, ctx.job.org_id, endpoint_id, ctx.job.id):
            if monotonic() > ends:
                async with ctx.db.transaction(ctx.job.org_id) as conn:
                    await turns.release(conn, ctx.job.org_id, endpoint_id, ctx.job.id)
                run.goes_on = True
                break
            ended = await self._attempt(ctx, out)
            if out.delivery_id == ctx.job.args["deliveryId"]:
                run.own = ended
        return run

    async def _attempt(self, ctx: JobContext, out: Outgoing) -> _Ended:
        secrets = [self._open(ctx.job.org_id, out.endpoint_id, sealed) for sealed in out.secrets]
        headers = signed_headers(out.delivery_id, out.body, secrets, utcnow(), out.content_type, out.position)
        verdict, exchange, retry_after = await post(self._http, out.url, out.body, headers)
        metrics.WEBHOOK_ATTEMPTS.labels(verdict.value).inc()
        wait = None
        if verdict is Verdict.RETRY and out.tries + 1 < MAX_ATTEMPTS:
            wait = wait_before(out.tries + 2, _jitter(), retry_after)
        await self._record(ctx, out, verdict, exchange, wait, retry_after)
        return _Ended(verdict, exchange, wait)

    async def _record(
        self, ctx: JobContext, out: Outgoing, verdict: Verdict, exchange: Exchange, wait: float | None,
        retry_after: float | None,
    ) -> None:  # fmt: skip
        org_id = ctx.job.org_id
        async with ctx.db.transaction(org_id) as conn:
            if verdict is Verdict.DELIVERED:
                await deliveries.record_success(conn, org_id, out.delivery_id, exchange)
                return
            rest = rest_seconds(out.failed_attempts + 1, retry_after)
            failures = await deliveries.record_failure(conn, org_id, out.delivery_id, exchange, wait, rest)
            if verdict is Verdict.GONE:
                await operations.disable_endpoint(conn, org_id, out.endpoint_id, "gone")
            elif failures is not None and self._patience.is_over(failures):
                await operations.disable_endpoint(conn, org_id, out.endpoint_id, "failing")
            elif failures is not None and self._patience.needs_alert(failures):
                await operations.alert_owners(conn, org_id, out.endpoint_id, self._patience.longest)

    async def _settle(self, ctx: JobContext, run: _Run) -> dict[str, Any] | None:
        """End the job as its own delivery ended, or let it look again later."""
        if run.own is not None:
            run.own.raise_failure()
        if run.goes_on:
            raise Snooze(0.0, "more_deliveries")
        state = await deliveries.state(ctx.db, ctx.job.org_id, ctx.job.args["deliveryId"])
        if state is None or state.status == "delivered":
            return {"statusCode": state.last_status_code} if state is not None else None
        if state.endpoint_status != "enabled":
            await self._give_up(ctx, state)
        if state.seconds_to_next > 0:
            raise Snooze(state.seconds_to_next, "webhook_waits")
        seconds = look_again(state.seconds_to_turn, state.ahead, failing=state.failing, jitter=_jitter())
        raise Snooze(seconds, "webhook_waits_its_turn")

    async def _give_up(self, ctx: JobContext, state: deliveries.State) -> None:
        if state.status == "delivered":
            return
        async with ctx.db.transaction(ctx.job.org_id) as conn:
            delivery_id = ctx.job.args["deliveryId"]
            await deliveries.abandon(conn, ctx.job.org_id, delivery_id, state.last_error or "the endpoint is disabled")
        raise Discard("endpoint_disabled", "The endpoint is disabled; enable it and replay the delivery.")

    def _open(self, org_id: str, endpoint_id: str, sealed: bytes) -> str:
        return self._envelope.decrypt(sealed, endpoints.secret_place(org_id, endpoint_id)).decode()


def _undelivered(error: str) -> Discard:
    return Discard("webhook_undelivered", f"Every attempt failed; the last one with: {error}.")


def _jitter() -> float:
    return random.random()  # noqa: S311 - no secret
