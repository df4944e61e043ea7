"""Outbound webhooks end to end: an event, its delivery, a real receiver, and what is remembered of it."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.hooks import Endpoints, caller
from tests.integration.services.realtime.receiver import Receiver


async def test_an_event_arrives_signed_and_only_where_it_was_asked_for(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver, Receiver() as other:
        created = await endpoints.create("org_h1", receiver.url)
        await endpoints.create("org_h1", other.url, ("agent.*",))
        await endpoints.create("org_other", other.url)
        event_id = await realtime.emit("org_h1", call_id="call_5")
        await until(lambda: bool(receiver.requests), 10)
        got = receiver.requests[0]
        envelope = Webhook(created.secret).verify(got.body, got.headers)
        assert (envelope["id"], envelope["type"], envelope["data"]["callId"]) == (event_id, "call.ended", "call_5")
        with pytest.raises(WebhookVerificationError):
            Webhook(created.secret).verify(got.body + b" ", got.headers)
        done = await endpoints.settled("org_h1", created.endpoint.id, lambda row: row.status == "delivered")
        assert (done.attempts, done.last_status_code, done.id) == (1, 204, got.headers["webhook-id"])
        assert other.requests == []


async def test_a_failure_is_retried_under_the_same_id(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver(answers=["500 Oops"]) as receiver:
        created = await endpoints.create("org_h2", receiver.url)
        await realtime.emit("org_h2")
        failed = await endpoints.settled("org_h2", created.endpoint.id, lambda row: row.attempts == 1)
        assert (failed.status, failed.last_status_code, failed.last_error) == ("pending", 500, "HTTP 500")
        done = await endpoints.settled("org_h2", created.endpoint.id, lambda row: row.status == "delivered")
        assert done.attempts == 2
        first, second = receiver.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_gone_disables_the_endpoint_and_says_so(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver(answers=["410 Gone"]) as receiver:
        created = await endpoints.create("org_h3", receiver.url)
        await realtime.emit("org_h3")
        failed = await endpoints.settled("org_h3", created.endpoint.id, lambda row: row.status == "failed")
        assert failed.last_status_code == 410
        endpoint = await endpoints.get("org_h3", created.endpoint.id)
        assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "gone")
        row = await realtime.database.system_fetchrow("select topic from outbox where org_id = 'org_h3'")
        assert row is not None
        assert row["topic"] == "webhook_endpoint.disabled"


async def test_rotation_signs_with_both_and_replay_sends_again(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_h4", receiver.url)
        with caller("org_h4"):
            rotated = await endpoints.servicer.RotateWebhookSecret(
                pb.RotateWebhookSecretRequest(id=created.endpoint.id), None
            )
            tested = await endpoints.servicer.TestWebhookEndpoint(
                pb.TestWebhookEndpointRequest(id=created.endpoint.id), None
            )
        await until(lambda: len(receiver.requests) == 1, 10)
        got = receiver.requests[0]
        for secret in (created.secret, rotated.secret):
            event = Webhook(secret).verify(got.body, got.headers)
            assert (event["type"], event["source"]) == ("webhook.test", "/services/realtime")
        await endpoints.settled("org_h4", created.endpoint.id, lambda row: row.status == "delivered")
        with caller("org_h4"):
            replay = pb.ReplayWebhookDeliveryRequest(endpoint_id=created.endpoint.id, delivery_id=tested.delivery_id)
            await endpoints.servicer.ReplayWebhookDelivery(replay, None)
        await until(lambda: len(receiver.requests) == 2, 10)
        assert receiver.requests[1].headers["webhook-id"] == tested.delivery_id


async def test_no_one_else_sees_it_and_its_secret_is_shown_once(endpoints: Endpoints, realtime: Realtime) -> None:
    created = await endpoints.create("org_h5", "http://127.0.0.1:9/x", key="same")
    with pytest.raises(AlreadyExists) as again:
        await endpoints.create("org_h5", "http://127.0.0.1:9/x", key="same")
    assert again.value.reason == "secret_already_shown"
    wanted = pb.GetWebhookEndpointRequest(id=created.endpoint.id)
    with caller("org_other"), pytest.raises(NotFound):
        await endpoints.servicer.GetWebhookEndpoint(wanted, None)
    with caller("org_other"), pytest.raises(NotFound):
        await endpoints.servicer.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=created.endpoint.id), None)
    with caller("org_h5", scopes=("webhooks:read",)), pytest.raises(PermissionDenied):
        await endpoints.servicer.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=created.endpoint.id), None)
    row = await realtime.database.system_fetchrow(
        "select secret from webhook_endpoint where id = $1", created.endpoint.id
    )
    assert row is not None
    assert created.secret.encode() not in row["secret"]


@pytest.mark.parametrize(
    ("url", "types", "pointer"),
    [
        ("http://10.0.0.1/x", ("*",), "#/url"),
        ("http://169.254.169.254/latest", ("*",), "#/url"),
        ("ftp://example.com/x", ("*",), "#/url"),
        ("https://user:secret@example.com/x", ("*",), "#/url"),
        ("not a url", ("*",), "#/url"),
        ("https://example.com/x", (), "#/eventTypes"),
        ("https://example.com/x", ("call.ended", "call.endet"), "#/eventTypes/1"),
    ],
)
async def test_bad_input_is_named(endpoints: Endpoints, url: str, types: tuple[str, ...], pointer: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await endpoints.create("org_h6", url, types)
    assert [violation.pointer for violation in refused.value.violations] == [pointer]


async def test_a_stale_change_is_refused(endpoints: Endpoints) -> None:
    created = await endpoints.create("org_h7", "https://example.com/x")
    request = pb.UpdateWebhookEndpointRequest(
        endpoint=pb.WebhookEndpoint(id=created.endpoint.id, description="new"), expected_version=1
    )
    request.update_mask.paths.append("description")
    with caller("org_h7"):
        saved = await endpoints.servicer.UpdateWebhookEndpoint(request, None)
        assert (saved.endpoint.version, saved.endpoint.description) == (2, "new")
        with pytest.raises(FailedPrecondition) as stale:
            await endpoints.servicer.UpdateWebhookEndpoint(request, None)
    assert stale.value.reason == "stale_version"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/hook", "http://user:word@example.com/", "ftp://example.com", "x", "http://ü\u0301..de/"]
)
async def test_everything_that_is_wrong_with_an_endpoint_is_told_at_once(endpoints: Endpoints, url: str) -> None:
    with pytest.raises(InvalidArgument) as created:
        await endpoints.create("org_w9", url, ("call.nothing", "call.ended", "nothing.*"))
    assert {one.pointer for one in created.value.violations} == {"#/url", "#/eventTypes/0", "#/eventTypes/2"}
