"""The log of a delivery: each attempt with its request and response, bounded and without what authenticates."""

from __future__ import annotations

import json

import pytest

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from services.realtime.domain.channels import scope_of_event
from services.realtime.domain.delivery import RECORDED_BODY
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.hooks import Endpoints, caller
from tests.integration.services.realtime.receiver import Receiver


async def test_each_attempt_is_recorded_with_what_was_sent_and_what_came_back(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    answers = ["500 Oops\r\nX-Reason: tired\r\nSet-Cookie: session=private\r\nX-Auth-Token: private"]
    async with Receiver(answers=answers, body=b"caf\xc3\xa9\0" + b"x" * 5_000) as receiver:
        created = await endpoints.create("org_l1", receiver.url)
        event_id = await realtime.emit("org_l1")
        done = await endpoints.settled("org_l1", created.endpoint.id, lambda row: row.status == "delivered")
        log = await endpoints.log("org_l1", created.endpoint.id, done.id)
    assert json.loads(log.request_body)["id"] == event_id
    assert log.request_body.encode() == receiver.requests[0].body
    first, second = log.attempts
    assert (first.number, first.status_code, first.error) == (1, 500, "HTTP 500")
    assert (second.number, second.status_code, second.error) == (2, 204, "")
    assert first.response_headers["x-reason"] == "tired"
    assert first.request_headers["webhook-id"] == done.id
    assert 0 <= first.duration_ms < 15_000
    assert first.start_time.ToDatetime() < second.start_time.ToDatetime()
    assert first.response_body.startswith("café\ufffdxxx")
    assert len(first.response_body) <= RECORDED_BODY
    masked = {first.response_headers["set-cookie"], first.response_headers["x-auth-token"]}
    assert masked | {first.request_headers["webhook-signature"]} == {"***"}
    stored = await realtime.database.system_fetchrow(
        "select string_agg(a::text, '') as text from webhook_attempt a where org_id = 'org_l1'"
    )
    assert stored is not None
    assert "private" not in stored["text"]
    assert receiver.requests[0].headers["webhook-signature"] not in stored["text"]


async def test_an_attempt_without_a_response_says_why(realtime: Realtime, endpoints: Endpoints) -> None:
    created = await endpoints.create("org_l2", "http://127.0.0.1:9/nothing-listens")
    await realtime.emit("org_l2")
    tried = await endpoints.settled("org_l2", created.endpoint.id, lambda row: row.attempts == 1)
    [attempt] = (await endpoints.log("org_l2", created.endpoint.id, tried.id)).attempts
    assert (attempt.status_code, attempt.response_body, dict(attempt.response_headers)) == (0, "", {})
    assert "connect error" in attempt.error


async def test_the_list_is_narrowed_to_a_type_of_event_and_to_an_event(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver:
        endpoint = (await endpoints.create("org_l5", receiver.url, ("call.*",))).endpoint.id
        sent = [await realtime.emit("org_l5", topic=topic) for topic in ("call.started", "call.ended", "call.ended")]
        await endpoints.test("org_l5", endpoint)
        await until(lambda: len(receiver.requests) == 4)

    async def found(event_type: str = "", event_id: str = "") -> set[str]:
        request = pb.ListWebhookDeliveriesRequest(endpoint_id=endpoint, event_type=event_type, event_id=event_id)
        with caller("org_l5"):
            answer = await endpoints.servicer.ListWebhookDeliveries(request, None)
        return {row.event_id if row.event_id in sent else row.event_type for row in answer.deliveries}

    assert await found() == {*sent, "webhook.test"}
    assert await found(event_type="call.ended") == set(sent[1:])
    assert await found(event_type="webhook.test") == {"webhook.test"}
    assert await found(event_id=sent[0]) == {sent[0]}
    assert await found(event_id=sent[0], event_type="call.ended") == set()
    with pytest.raises(InvalidArgument) as refused:
        await found(event_type="call.endd")
    assert [one.pointer for one in refused.value.violations] == ["#/eventType"]


async def test_deliveries_of_one_status_or_type_of_event_lie_in_their_order_in_an_index(realtime: Realtime) -> None:
    plans = {
        "webhook_delivery_newest": "",
        "webhook_delivery_status": "and d.status = 'failed'",
        "webhook_delivery_type": "and d.event_type = 'call.ended'",
    }
    async with realtime.database.transaction("org_l6") as conn:
        for costly in ("seqscan", "sort", "bitmapscan"):
            await conn.execute(f"set local enable_{costly} = off")
        for index, kept in plans.items():
            sql = (
                f"select d.id from webhook_delivery d where d.org_id = $1 and d.endpoint_id = 'whe_1' {kept}"
                " order by d.created_at desc, d.id desc limit 51"
            )
            plan = "\n".join(row[0] for row in await conn.fetch(f"explain {sql}", "org_l6"))
            assert f"using {index} " in plan.lower(), plan


async def test_only_the_newest_attempts_are_kept_and_they_go_with_their_delivery(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_l3", receiver.url)
        await realtime.emit("org_l3")
        done = await endpoints.settled("org_l3", created.endpoint.id, lambda row: row.status == "delivered")
        for round_ in range(2, 24):
            with caller("org_l3"):
                again = pb.ReplayWebhookDeliveryRequest(endpoint_id=created.endpoint.id, delivery_id=done.id)
                await endpoints.servicer.ReplayWebhookDelivery(again, None)
            await until(lambda expected=round_: len(receiver.requests) == expected)  # type: ignore[misc]
            await endpoints.settled("org_l3", created.endpoint.id, lambda row: row.status == "delivered")
        log = await endpoints.log("org_l3", created.endpoint.id, done.id)
        assert [attempt.number for attempt in log.attempts] == list(range(4, 24))
        with caller("org_l3"):
            await endpoints.servicer.DeleteWebhookEndpoint(
                pb.DeleteWebhookEndpointRequest(id=created.endpoint.id), None
            )
        assert not await realtime.database.system_fetchval(
            "select count(*) from webhook_attempt where org_id = 'org_l3'"
        )


async def test_only_who_may_hear_an_event_reads_its_delivery(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_l6", receiver.url)
        event_id = await realtime.emit("org_l6")
        done = await endpoints.settled("org_l6", created.endpoint.id, lambda row: row.status == "delivered")
    request = pb.GetWebhookDeliveryRequest(endpoint_id=created.endpoint.id, delivery_id=done.id)
    with caller("org_l6", scopes=("webhooks:read", "agents:read")), pytest.raises(PermissionDenied) as refused:
        await endpoints.servicer.GetWebhookDelivery(request, None)
    assert refused.value.reason == "missing_scope"
    with caller("org_l6", scopes=("webhooks:read", scope_of_event("call.ended"))):
        log = await endpoints.servicer.GetWebhookDelivery(request, None)
    assert json.loads(log.request_body)["id"] == event_id


async def test_no_other_organization_reads_the_log(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_l4", receiver.url)
        await realtime.emit("org_l4")
        done = await endpoints.settled("org_l4", created.endpoint.id, lambda row: row.status == "delivered")
        theirs = await endpoints.create("org_l5", receiver.url)
    for endpoint_id in (created.endpoint.id, theirs.endpoint.id):
        with pytest.raises(NotFound):
            await endpoints.log("org_l5", endpoint_id, done.id)
