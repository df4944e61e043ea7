"""Replay of a range: which events are delivered again, under which ids, and that nothing is delivered twice by one."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

import pytest

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.clock import utcnow
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from services.realtime import operations
from tests.integration.services.realtime.driving import Realtime, ended, until
from tests.integration.services.realtime.hooks import Endpoints, caller
from tests.integration.services.realtime.receiver import Receiver

HOUR = datetime.timedelta(hours=1)


async def replay(endpoints: Endpoints, org_id: str, endpoint_id: str, key: str = "", **wanted: Any) -> Any:
    request = pb.ReplayWebhookEndpointRequest(
        endpoint_id=endpoint_id, types=wanted.get("types", ()), only_undelivered=wanted.get("only_undelivered", False)
    )
    request.after_time.FromDatetime(wanted.get("after", utcnow() - HOUR))
    if "before" in wanted:
        request.before_time.FromDatetime(wanted["before"])
    with caller(org_id, key, wanted.get("scopes", ("*",))):
        return await endpoints.servicer.ReplayWebhookEndpoint(request, None)


def heard(receiver: Receiver) -> list[str]:
    return [json.loads(got.body)["data"]["callId"] for got in receiver.requests]


async def test_a_range_is_delivered_again_in_order_also_what_was_never_delivered(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver:
        for call_id in ("call_1", "call_2"):
            await realtime.emit("org_r1", call_id=call_id)
        created = await endpoints.create("org_r1", receiver.url)
        await realtime.emit("org_r1", call_id="call_3")
        await realtime.emit("org_r1", "call.started", call_id="call_4")
        await until(lambda: heard(receiver) == ["call_3"])
        await endpoints.settled("org_r1", created.endpoint.id, lambda row: row.status == "delivered")
        answer = await replay(endpoints, "org_r1", created.endpoint.id)
        assert answer.events == 3
        job = await ended(realtime, answer.job_id)
        assert (job["state"], json.loads(job["result"])) == ("completed", {"events": 3, "deliveries": 3})
        await until(lambda: heard(receiver) == ["call_3", "call_1", "call_2", "call_3"])
        first, again = receiver.requests[0], receiver.requests[3]
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        assert first.body == again.body


async def test_a_replay_of_what_was_missed_leaves_out_what_was_taken(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        await realtime.emit("org_r2", call_id="call_missed")
        created = await endpoints.create("org_r2", receiver.url)
        await realtime.emit("org_r2", call_id="call_taken")
        await endpoints.settled("org_r2", created.endpoint.id, lambda row: row.status == "delivered")
        answer = await replay(endpoints, "org_r2", created.endpoint.id, only_undelivered=True)
        job = await ended(realtime, answer.job_id)
        assert json.loads(job["result"]) == {"events": 2, "deliveries": 1}
        await until(lambda: heard(receiver) == ["call_taken", "call_missed"])


async def test_a_range_takes_its_bounds_and_types_seriously(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        await realtime.emit("org_r3", call_id="call_early")
        await asyncio.sleep(0.02)
        after = utcnow()
        await asyncio.sleep(0.02)
        await realtime.emit("org_r3", call_id="call_in")
        await realtime.emit("org_r3", "call.started", call_id="call_other")
        await asyncio.sleep(0.02)
        before = utcnow()
        await asyncio.sleep(0.02)
        await realtime.emit("org_r3", call_id="call_late")
        created = await endpoints.create("org_r3", receiver.url, ("call.*",))
        answer = await replay(
            endpoints, "org_r3", created.endpoint.id, after=after, before=before, types=("call.ended",)
        )
        assert answer.events == 1
        await until(lambda: heard(receiver) == ["call_in"])


async def test_a_job_that_runs_twice_and_a_request_that_is_repeated_deliver_once(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver:
        await realtime.emit("org_r4", call_id="call_once")
        created = await endpoints.create("org_r4", receiver.url)
        first = await replay(endpoints, "org_r4", created.endpoint.id, key="k1", after=utcnow() - HOUR)
        await ended(realtime, first.job_id)
        await until(lambda: len(receiver.requests) == 1)
        await endpoints.settled("org_r4", created.endpoint.id, lambda row: row.status == "delivered")
        again = await replay(endpoints, "org_r4", created.endpoint.id, key="k1")
        assert again.job_id == first.job_id
        async with realtime.database.system_transaction() as connection:
            await connection.execute(
                "update job set state = 'queued', finished_at = null, run_at = now() where id = $1", first.job_id
            )
        job = await ended(realtime, first.job_id)
        assert json.loads(job["result"]) == {"events": 1, "deliveries": 0}
        assert len(receiver.requests) == 1


async def test_a_replay_is_refused_where_it_cannot_be_done(
    realtime: Realtime, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await endpoints.create("org_r5", "https://example.com/x")
    endpoint_id = created.endpoint.id
    for _ in range(3):
        await realtime.emit("org_r5")
    monkeypatch.setattr(operations, "MAX_REPLAY", 2)
    with pytest.raises(InvalidArgument) as large:
        await replay(endpoints, "org_r5", endpoint_id)
    assert large.value.reason == "replay_too_large"
    monkeypatch.undo()
    with pytest.raises(InvalidArgument) as reversed_:
        await replay(endpoints, "org_r5", endpoint_id, after=utcnow(), before=utcnow() - HOUR)
    assert [violation.pointer for violation in reversed_.value.violations] == ["#/before"]
    with pytest.raises(PermissionDenied):
        await replay(endpoints, "org_r5", endpoint_id, scopes=("webhooks:write",))
    with pytest.raises(NotFound):
        await replay(endpoints, "org_other", endpoint_id)
    await endpoints.change("org_r5", endpoint_id, status="disabled")
    with pytest.raises(FailedPrecondition) as disabled:
        await replay(endpoints, "org_r5", endpoint_id)
    assert disabled.value.reason == "webhook_endpoint_disabled"


async def test_another_range_is_refused_while_one_is_replayed_and_the_same_gets_its_job(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver:
        await realtime.emit("org_r6", call_id="call_1")
        created = await endpoints.create("org_r6", receiver.url)
        wanted: dict[str, Any] = {"after": utcnow() - HOUR, "before": utcnow() + HOUR}
        async with realtime.database.transaction("org_r6") as connection:
            await connection.execute("select 1 from webhook_endpoint where id = $1 for update", created.endpoint.id)
            first = await replay(endpoints, "org_r6", created.endpoint.id, **wanted)
            same = await replay(endpoints, "org_r6", created.endpoint.id, **wanted)
            assert same.job_id == first.job_id
            for other in ({"after": utcnow() - 2 * HOUR}, {"types": ("call.*",)}, {"only_undelivered": True}):
                with pytest.raises(FailedPrecondition) as refused:
                    await replay(endpoints, "org_r6", created.endpoint.id, **{**wanted, **other})
                assert refused.value.reason == "replay_running"
        await ended(realtime, first.job_id)
        async with realtime.database.transaction("org_r6") as connection:
            used = {use.name: use.used for use in await realtime.database.quotas.used(connection, "org_r6")}
        assert used["webhook_tests_per_day"] == 2
        await ended(realtime, (await replay(endpoints, "org_r6", created.endpoint.id, **wanted)).job_id)
        await until(lambda: heard(receiver) == ["call_1"] * 2)
