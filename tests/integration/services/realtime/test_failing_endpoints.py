"""Endpoints that fail for long: a delivery's whole schedule, and when its endpoint is disabled. Time is moved in the
database: what is due in hours is made due now.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from echosenseix.jobs.v1 import jobs_pb2
from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.clock import parse_rfc3339
from libs.keys import MacKeys
from libs.paging import CursorCodec
from libs.runtime.service import JobsServicer
from services.realtime.domain.delivery import MAX_ATTEMPTS, SCHEDULE_SECONDS
from tests.integration.services.realtime.driving import Environment, Realtime, make_due, waiting
from tests.integration.services.realtime.hooks import Endpoints, caller
from tests.integration.services.realtime.receiver import Receiver


async def run_out(realtime: Realtime, endpoints: Endpoints, org_id: str, endpoint_id: str) -> pb.WebhookDelivery:
    """One more delivery that fails at its first and at its last attempt."""
    before = {delivery.id for delivery in await endpoints.deliveries(org_id, endpoint_id)}
    await realtime.emit(org_id)
    tried = await endpoints.settled(org_id, endpoint_id, lambda row: row.id not in before and row.attempts == 1)
    await waiting(realtime, tried.job_id, 1)
    await make_due(realtime, tried.job_id, MAX_ATTEMPTS - 1)
    return await endpoints.settled(org_id, endpoint_id, lambda row: row.status == "failed")


async def age(realtime: Realtime, org_id: str, days: float, exhausted: int) -> None:
    """As if the organization's endpoint had failed for so long, and let so many deliveries run out."""
    async with realtime.database.transaction(org_id) as connection:
        await connection.execute(
            "update webhook_endpoint set failing_since = now() - $2::interval, exhausted = $3 where org_id = $1",
            org_id,
            timedelta(days=days),
            exhausted,
        )


async def failures(endpoints: Endpoints, org_id: str, endpoint_id: str) -> tuple[bool, int]:
    """What is shown of them: whether it fails, and how many deliveries ran out of attempts."""
    endpoint = await endpoints.get(org_id, endpoint_id)
    return endpoint.HasField("failing_since_time"), endpoint.exhausted_deliveries


async def told(realtime: Realtime, org_id: str) -> list[tuple[str, str]]:
    """Topic and reason of the events that realtime appended, and the reasons in the letters it had written."""
    events = await realtime.database.system_fetch("select topic, payload from outbox where org_id = $1", org_id)
    letters = await realtime.database.system_fetch(
        "select kind, args from job where org_id = $1 and kind = 'email.send' and not args ? 'userId'", org_id
    )
    reasons = [(row["topic"], json.loads(row["payload"])["data"]["reason"]) for row in events]
    return reasons + [(row["kind"], json.loads(row["args"])["values"]["reason"]) for row in letters]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jobs(realtime: Realtime, service_environment: Environment) -> JobsServicer:
    cursors = CursorCodec(MacKeys.from_settings([service_environment("realtime", "unused")["CURSOR_KEY"]]))
    return JobsServicer("realtime", "realtime", realtime.database, cursors)


def was_tried(times: int, row: Any) -> bool:
    return bool(row.attempts == times)


async def test_the_tenth_failure_ends_as_a_dead_letter_with_its_attempts(
    realtime: Realtime, endpoints: Endpoints, jobs: JobsServicer
) -> None:
    async with Receiver(answers=["500 Oops"] * MAX_ATTEMPTS) as receiver:
        created = await endpoints.create("org_f1", receiver.url)
        await realtime.emit("org_f1")
        for attempt in range(1, MAX_ATTEMPTS):
            tried = await endpoints.settled("org_f1", created.endpoint.id, partial(was_tried, attempt))
            assert (tried.status, tried.last_error) == ("pending", "HTTP 500")
            job = await waiting(realtime, tried.job_id, attempt)
            assert (job["state"] in ("scheduled", "queued"), job["error_code"]) == (True, "webhook_attempt_failed")
            planned, wait = SCHEDULE_SECONDS[attempt], await seconds_to_wait(realtime, tried.id)
            assert planned - 5 <= wait <= planned * 1.1
            await make_due(realtime, tried.job_id)
        ended = await endpoints.settled("org_f1", created.endpoint.id, lambda row: row.attempts == MAX_ATTEMPTS)
        assert ended.status == "failed"
        assert not ended.HasField("next_attempt_time")
        await waiting(realtime, ended.job_id, MAX_ATTEMPTS)
    assert len({got.headers["webhook-id"] for got in receiver.requests}) == 1
    assert len(receiver.requests) == MAX_ATTEMPTS
    with caller("org_f1"):
        [dead] = (await jobs.ListDeadLetters(jobs_pb2.ListDeadLettersRequest(queue="webhooks"), None)).jobs
        shown = (await jobs.GetJob(jobs_pb2.GetJobRequest(id=dead.id), None)).job
    assert (shown.id, shown.error.code) == (ended.job_id, "webhook_undelivered")
    assert [one.outcome for one in shown.attempts] == ["retried"] * (MAX_ATTEMPTS - 1) + ["failed"]
    assert {one.error.message for one in shown.attempts[:-1]} == {"HTTP 500"}
    assert (await endpoints.get("org_f1", created.endpoint.id)).status == "enabled"
    assert await failures(endpoints, "org_f1", created.endpoint.id) == (True, 1)


async def seconds_to_wait(realtime: Realtime, delivery_id: str) -> float:
    sql = "select extract(epoch from next_attempt_at - now())::float8 as wait from webhook_delivery where id = $1"
    row = await realtime.database.system_fetchrow(sql, delivery_id)
    assert row is not None
    return float(row["wait"])


async def test_an_endpoint_that_fails_for_days_is_disabled_and_its_owners_told(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver(answers=["503 Down"] * 5) as receiver:
        created = await endpoints.create("org_f2", receiver.url)
        endpoint_id = created.endpoint.id
        await realtime.emit("org_f2", call_id="call_pending")
        pending = await endpoints.settled("org_f2", endpoint_id, lambda row: row.attempts == 1)
        await waiting(realtime, pending.job_id, 1)
        await make_due(realtime, pending.job_id, hours=1)
        await age(realtime, "org_f2", days=5, exhausted=2)
        await run_out(realtime, endpoints, "org_f2", endpoint_id)
        endpoint = await endpoints.get("org_f2", endpoint_id)
        assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "failing")
        assert sorted(await told(realtime, "org_f2")) == [
            ("email.send", "failing"),
            ("email.send", "failing"),
            ("webhook_endpoint.disabled", "failing"),
            ("webhook_endpoint.failing", "failing"),
        ]
        asked = len(receiver.requests)

        await realtime.emit("org_f2", call_id="call_unheard")
        await make_due(realtime, pending.job_id)
        job = await waiting(realtime, pending.job_id, 2)
        assert (job["state"], job["error_code"]) == ("failed", "endpoint_disabled")
        rows = await endpoints.deliveries("org_f2", endpoint_id)
        assert len(rows) == 2
        assert [(row.status, row.attempts) for row in rows if row.id == pending.id] == [("failed", 1)]
        assert len(receiver.requests) == asked

        enabled = await endpoints.change("org_f2", endpoint_id, status="enabled")
        assert (enabled.status, enabled.disabled_reason) == ("enabled", "")
        assert await failures(endpoints, "org_f2", endpoint_id) == (False, 0)
        await run_out(realtime, endpoints, "org_f2", endpoint_id)
        assert (await endpoints.get("org_f2", endpoint_id)).status == "enabled"
        assert await failures(endpoints, "org_f2", endpoint_id) == (True, 1)


@pytest.mark.parametrize(
    ("org_id", "days", "exhausted"), [("org_f3", 4.9, 50), ("org_f4", 60, 1)], ids=["not long enough", "too few"]
)
async def test_below_either_bound_nothing_happens(
    realtime: Realtime, endpoints: Endpoints, org_id: str, days: float, exhausted: int
) -> None:
    async with Receiver(answers=["500 Oops"] * 2) as receiver:
        created = await endpoints.create(org_id, receiver.url)
        await age(realtime, org_id, days, exhausted)
        await run_out(realtime, endpoints, org_id, created.endpoint.id)
    assert (await endpoints.get(org_id, created.endpoint.id)).status == "enabled"
    assert await failures(endpoints, org_id, created.endpoint.id) == (True, exhausted + 1)
    assert sorted(await told(realtime, org_id)) == [("email.send", "failing"), ("webhook_endpoint.failing", "failing")]


async def test_owners_are_alerted_once_in_a_row_of_failures_and_again_in_the_next(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver(answers=["500 Oops", "500 Oops", "204 No Content", "500 Oops", "500 Oops"]) as receiver:
        created = await endpoints.create("org_f7", receiver.url)
        endpoint_id = created.endpoint.id
        await age(realtime, "org_f7", days=0.9, exhausted=0)
        await tried_once(realtime, endpoints, "org_f7", endpoint_id)
        assert await told(realtime, "org_f7") == []
        await age(realtime, "org_f7", days=1.1, exhausted=0)
        await tried_once(realtime, endpoints, "org_f7", endpoint_id)
        alert = ("webhook_endpoint.failing", "failing")
        assert [row for row in await told(realtime, "org_f7") if row[0] != "email.send"] == [alert]
        await realtime.emit("org_f7")
        await endpoints.settled("org_f7", endpoint_id, lambda row: row.status == "delivered")
        await tried_once(realtime, endpoints, "org_f7", endpoint_id)
        await age(realtime, "org_f7", days=1.1, exhausted=0)
        await tried_once(realtime, endpoints, "org_f7", endpoint_id)
        assert [row for row in await told(realtime, "org_f7") if row[0] != "email.send"] == [alert, alert]
        [payload] = await realtime.database.system_fetch(
            "select payload from outbox where org_id = 'org_f7' order by id limit 1"
        )
        data = json.loads(payload["payload"])["data"]
        assert data["webhookEndpointId"] == endpoint_id
        since, until = (parse_rfc3339(data[name]) for name in ("failingSince", "disabledAfter"))
        assert until - since == timedelta(days=5)


async def tried_once(realtime: Realtime, endpoints: Endpoints, org_id: str, endpoint_id: str) -> None:
    """One more delivery whose first attempt fails and whose second is far away."""
    before = {delivery.id for delivery in await endpoints.deliveries(org_id, endpoint_id)}
    await realtime.emit(org_id)
    tried = await endpoints.settled(org_id, endpoint_id, lambda row: row.id not in before and row.attempts == 1)
    await waiting(realtime, tried.job_id, 1)
    await make_due(realtime, tried.job_id, hours=5)


async def test_a_success_between_forgets_the_failures(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver(answers=["204 No Content", "500 Oops", "500 Oops"]) as receiver:
        created = await endpoints.create("org_f5", receiver.url)
        await age(realtime, "org_f5", days=30, exhausted=50)
        await realtime.emit("org_f5")
        await endpoints.settled("org_f5", created.endpoint.id, lambda row: row.status == "delivered")
        assert await failures(endpoints, "org_f5", created.endpoint.id) == (False, 0)
        await run_out(realtime, endpoints, "org_f5", created.endpoint.id)
    assert (await endpoints.get("org_f5", created.endpoint.id)).status == "enabled"
    assert await failures(endpoints, "org_f5", created.endpoint.id) == (True, 1)


async def test_a_new_address_begins_anew_and_a_new_description_does_not(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    created = await endpoints.create("org_f6", "https://example.com/old")
    await age(realtime, "org_f6", days=3, exhausted=2)
    await endpoints.change("org_f6", created.endpoint.id, description="another word")
    assert await failures(endpoints, "org_f6", created.endpoint.id) == (True, 2)
    await endpoints.change("org_f6", created.endpoint.id, url="https://example.com/new")
    assert await failures(endpoints, "org_f6", created.endpoint.id) == (False, 0)
