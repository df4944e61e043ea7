"""The job of a delivery: another takes its place by a replay, its worker dies, it ends without its delivery."""

from __future__ import annotations

import pytest

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.bus.subjects import job_wakeup
from libs.jobs.enqueue import Enqueuer
from services.realtime import operations
from services.realtime.domain.delivery import MAX_ATTEMPTS
from tests.integration.services.realtime.driving import Realtime, ended, make_due, waiting
from tests.integration.services.realtime.hooks import Endpoints, caller
from tests.integration.services.realtime.receiver import Receiver


async def tried(realtime: Realtime, endpoints: Endpoints, org_id: str, endpoint_id: str) -> pb.WebhookDelivery:
    """A new delivery whose first attempt failed, and whose job waits for the second."""
    await realtime.emit(org_id)
    delivery = await endpoints.settled(org_id, endpoint_id, lambda row: row.attempts == 1)
    await waiting(realtime, delivery.job_id, 1)
    return delivery


async def exhausted(realtime: Realtime, endpoints: Endpoints, org_id: str, endpoint_id: str, job_id: str) -> None:
    """The job's next attempt was the last of its delivery."""
    await make_due(realtime, job_id, MAX_ATTEMPTS - 1)
    await endpoints.settled(org_id, endpoint_id, lambda row: row.status == "failed")
    await ended(realtime, job_id)


async def test_a_job_whose_delivery_was_replayed_ends_without_an_attempt(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver(answers=["500 Oops"] * 3) as receiver:
        endpoint_id = (await endpoints.create("org_j1", receiver.url)).endpoint.id
        first = await tried(realtime, endpoints, "org_j1", endpoint_id)
        request = pb.ReplayWebhookDeliveryRequest(endpoint_id=endpoint_id, delivery_id=first.id)
        with caller("org_j1"):
            again = (await endpoints.servicer.ReplayWebhookDelivery(request, None)).delivery
        await waiting(realtime, again.job_id, 1)
        await exhausted(realtime, endpoints, "org_j1", endpoint_id, again.job_id)
        await make_due(realtime, first.job_id)
        job = await ended(realtime, first.job_id)
        assert (job["state"], job["result"]) == ("completed", f'{{"supersededBy": "{again.job_id}"}}')
        [row] = await endpoints.deliveries("org_j1", endpoint_id)
        assert (row.status, row.job_id) == ("failed", again.job_id)
        assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    ("org_id", "attempt", "stalls"), [("org_j2", 0, 1), ("org_j3", 1, 0)], ids=["the worker died", "the database left"]
)
async def test_a_job_that_runs_again_after_its_last_attempt_begins_no_new_round(
    realtime: Realtime, endpoints: Endpoints, org_id: str, attempt: int, stalls: int
) -> None:
    async with Receiver(answers=["500 Oops"] * 2) as receiver:
        endpoint_id = (await endpoints.create(org_id, receiver.url)).endpoint.id
        delivery = await tried(realtime, endpoints, org_id, endpoint_id)
        await exhausted(realtime, endpoints, org_id, endpoint_id, delivery.job_id)
        await run_again(realtime, delivery.job_id, attempt, stalls)
        job = await ended(realtime, delivery.job_id)
        assert (job["state"], job["error_code"]) == ("failed", "webhook_undelivered")
        assert [row.status for row in await endpoints.deliveries(org_id, endpoint_id)] == ["failed"]
        assert len(receiver.requests) == 2


async def test_a_job_that_an_operator_queues_again_begins_a_new_round(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver(answers=["500 Oops"] * 2) as receiver:
        endpoint_id = (await endpoints.create("org_j4", receiver.url)).endpoint.id
        delivery = await tried(realtime, endpoints, "org_j4", endpoint_id)
        await exhausted(realtime, endpoints, "org_j4", endpoint_id, delivery.job_id)
        await run_again(realtime, delivery.job_id, attempt=0, stalls=0)
        await endpoints.settled("org_j4", endpoint_id, lambda row: row.status == "delivered")
        assert len(receiver.requests) == 3


async def run_again(realtime: Realtime, job_id: str, attempt: int, stalls: int) -> None:
    async with realtime.database.system_transaction() as connection:
        await connection.execute("update webhook_endpoint set hold_until = null")
        await connection.execute(
            "update job set state = 'queued', finished_at = null, run_at = now(), attempt = $2, stalls = $3"
            " where id = $1",
            job_id,
            attempt,
            stalls,
        )
    await realtime.bus.publish_core(job_wakeup("realtime", "webhooks"))


async def test_a_delivery_whose_job_ended_without_it_ends_by_the_sweep(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver(answers=["500 Oops"] * 2) as receiver:
        waits_id = (await endpoints.create("org_j5", receiver.url)).endpoint.id
        waits = await tried(realtime, endpoints, "org_j5", waits_id)
        await make_due(realtime, waits.job_id, hours=1)
        left_id = (await endpoints.create("org_j6", receiver.url)).endpoint.id
        left = await tried(realtime, endpoints, "org_j6", left_id)
        async with realtime.database.system_transaction() as connection:
            await connection.execute(
                "update job set state = 'failed', finished_at = now(), error_code = 'job_stalled' where id = $1",
                left.job_id,
            )
        swept = await Enqueuer(realtime.database, realtime.bus).enqueue(operations.SWEEP.new("", {}))
        assert (await ended(realtime, swept))["state"] == "completed"
        [row] = await endpoints.deliveries("org_j6", left_id)
        assert (row.status, row.last_error, row.HasField("next_attempt_time")) == ("failed", "Its job ended.", False)
        assert [row.status for row in await endpoints.deliveries("org_j5", waits_id)] == ["pending"]
