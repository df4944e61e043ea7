"""Outbound webhooks end to end: an event, its delivery, a real receiver, and what is remembered of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from standardwebhooks import Webhook, WebhookVerificationError

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.config import load
from libs.context import CallContext
from libs.crypto import Envelope
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.http import OutboundClient, forbidden_address
from libs.jobs import Worker
from libs.paging import CursorCodec
from libs.rpc.context import serving
from libs.rpc.principal import Principal
from local.stores import Stores
from services.realtime.config import RealtimeSettings
from services.realtime.jobs import job_handlers
from services.realtime.servicer import WebhookEndpointServicer
from services.realtime.storage.endpoints import Endpoints
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.receiver import Receiver

ALLOW = ("127.0.0.1:1-65535",)


@contextlib.contextmanager
def caller(org_id: str, key: str = "", scopes: tuple[str, ...] = ("*",)) -> Iterator[None]:
    principal = Principal(org_id=org_id, user_id="usr_1", scopes=frozenset(scopes), issuer="gateway")
    with serving(CallContext(idempotency_key=key, idempotency_fingerprint=key), principal):
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def endpoints(
    realtime: Realtime, stores: Stores, service_environment: Callable[[str, str], dict[str, str]]
) -> AsyncIterator[WebhookEndpointServicer]:
    """The servicer, with a worker of the service running beside it."""
    settings = load(RealtimeSettings, service_environment("realtime", "unused"))
    envelope, client = Envelope(settings.encryption_keys), OutboundClient(ALLOW)
    database, stop = realtime.database, asyncio.Event()
    database.announce_through(realtime.bus.publish_core)
    worker = Worker(settings, "realtime", database, realtime.bus, job_handlers(settings, envelope, client))
    running = asyncio.create_task(worker.run(stop))
    cursors = CursorCodec.from_base64(settings.cursor_key)
    yield WebhookEndpointServicer(
        database, Endpoints(database, cursors), envelope, lambda url: forbidden_address(url, ALLOW)
    )
    stop.set()
    await running
    await client.close()


async def create(
    endpoints: WebhookEndpointServicer, org_id: str, url: str, types: tuple[str, ...] = ("call.ended",), key: str = ""
) -> pb.CreateWebhookEndpointResponse:
    request = pb.CreateWebhookEndpointRequest(endpoint=pb.WebhookEndpoint(url=url, event_types=types))
    with caller(org_id, key):
        return await endpoints.CreateWebhookEndpoint(request, None)


async def deliveries(endpoints: WebhookEndpointServicer, org_id: str, endpoint_id: str) -> list[pb.WebhookDelivery]:
    with caller(org_id):
        request = pb.ListWebhookDeliveriesRequest(endpoint_id=endpoint_id)
        return list((await endpoints.ListWebhookDeliveries(request, None)).deliveries)


async def settled(
    endpoints: WebhookEndpointServicer, org_id: str, endpoint_id: str, is_settled: Callable[[pb.WebhookDelivery], bool]
) -> pb.WebhookDelivery:
    async with asyncio.timeout(15):
        while True:
            found = await deliveries(endpoints, org_id, endpoint_id)
            if found and is_settled(found[0]):
                return found[0]
            await asyncio.sleep(0.02)


async def test_an_event_arrives_signed_and_only_where_it_was_asked_for(
    realtime: Realtime, endpoints: WebhookEndpointServicer
) -> None:
    async with Receiver() as receiver, Receiver() as deaf:
        created = await create(endpoints, "org_h1", receiver.url)
        await create(endpoints, "org_h1", deaf.url, ("agent.*",))
        await create(endpoints, "org_other", deaf.url)
        event_id = await realtime.emit("org_h1", call_id="call_5")
        await until(lambda: bool(receiver.requests), 10)
        got = receiver.requests[0]
        envelope = Webhook(created.secret).verify(got.body, got.headers)
        assert (envelope["id"], envelope["type"], envelope["data"]["callId"]) == (event_id, "call.ended", "call_5")
        with pytest.raises(WebhookVerificationError):
            Webhook(created.secret).verify(got.body + b" ", got.headers)
        done = await settled(endpoints, "org_h1", created.endpoint.id, lambda row: row.status == "delivered")
        assert (done.attempts, done.last_status_code, done.id) == (1, 204, got.headers["webhook-id"])
        assert deaf.requests == []


async def test_a_failure_is_retried_under_the_same_id(realtime: Realtime, endpoints: WebhookEndpointServicer) -> None:
    async with Receiver(answers=["500 Oops"]) as receiver:
        created = await create(endpoints, "org_h2", receiver.url)
        await realtime.emit("org_h2")
        failed = await settled(endpoints, "org_h2", created.endpoint.id, lambda row: row.attempts == 1)
        assert (failed.status, failed.last_status_code, failed.last_error) == ("pending", 500, "HTTP 500")
        done = await settled(endpoints, "org_h2", created.endpoint.id, lambda row: row.status == "delivered")
        assert done.attempts == 2
        first, second = receiver.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_gone_disables_the_endpoint_and_says_so(realtime: Realtime, endpoints: WebhookEndpointServicer) -> None:
    async with Receiver(answers=["410 Gone"]) as receiver:
        created = await create(endpoints, "org_h3", receiver.url)
        await realtime.emit("org_h3")
        failed = await settled(endpoints, "org_h3", created.endpoint.id, lambda row: row.status == "failed")
        assert failed.last_status_code == 410
        with caller("org_h3"):
            endpoint = (
                await endpoints.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=created.endpoint.id), None)
            ).endpoint
        assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "gone")
        row = await realtime.database.system_fetchrow("select topic from outbox where org_id = 'org_h3'")
        assert row is not None
        assert row["topic"] == "webhook_endpoint.disabled"


async def test_rotation_signs_with_both_and_replay_sends_again(
    realtime: Realtime, endpoints: WebhookEndpointServicer
) -> None:
    async with Receiver() as receiver:
        created = await create(endpoints, "org_h4", receiver.url)
        with caller("org_h4"):
            rotated = await endpoints.RotateWebhookSecret(pb.RotateWebhookSecretRequest(id=created.endpoint.id), None)
            tested = await endpoints.TestWebhookEndpoint(pb.TestWebhookEndpointRequest(id=created.endpoint.id), None)
        await until(lambda: len(receiver.requests) == 1, 10)
        got = receiver.requests[0]
        for secret in (created.secret, rotated.secret):
            assert Webhook(secret).verify(got.body, got.headers)["type"] == "webhook.test"
        await settled(endpoints, "org_h4", created.endpoint.id, lambda row: row.status == "delivered")
        with caller("org_h4"):
            replay = pb.ReplayWebhookDeliveryRequest(endpoint_id=created.endpoint.id, delivery_id=tested.delivery_id)
            await endpoints.ReplayWebhookDelivery(replay, None)
        await until(lambda: len(receiver.requests) == 2, 10)
        assert receiver.requests[1].headers["webhook-id"] == tested.delivery_id


async def test_nobody_else_sees_it_and_its_secret_is_shown_once(
    endpoints: WebhookEndpointServicer, realtime: Realtime
) -> None:
    created = await create(endpoints, "org_h5", "http://127.0.0.1:9/x", key="same")
    with pytest.raises(AlreadyExists) as again:
        await create(endpoints, "org_h5", "http://127.0.0.1:9/x", key="same")
    assert again.value.reason == "secret_already_shown"
    wanted = pb.GetWebhookEndpointRequest(id=created.endpoint.id)
    with caller("org_other"), pytest.raises(NotFound):
        await endpoints.GetWebhookEndpoint(wanted, None)
    with caller("org_other"), pytest.raises(NotFound):
        await endpoints.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=created.endpoint.id), None)
    with caller("org_h5", scopes=("webhooks:read",)), pytest.raises(PermissionDenied):
        await endpoints.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=created.endpoint.id), None)
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
async def test_bad_input_is_named(
    endpoints: WebhookEndpointServicer, url: str, types: tuple[str, ...], pointer: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await create(endpoints, "org_h6", url, types)
    assert [violation.pointer for violation in refused.value.violations] == [pointer]


async def test_a_stale_change_is_refused(endpoints: WebhookEndpointServicer) -> None:
    created = await create(endpoints, "org_h7", "https://example.com/x")
    request = pb.UpdateWebhookEndpointRequest(
        endpoint=pb.WebhookEndpoint(id=created.endpoint.id, description="new"), expected_version=1
    )
    request.update_mask.paths.append("description")
    with caller("org_h7"):
        saved = await endpoints.UpdateWebhookEndpoint(request, None)
        assert (saved.endpoint.version, saved.endpoint.description) == (2, "new")
        with pytest.raises(FailedPrecondition) as stale:
            await endpoints.UpdateWebhookEndpoint(request, None)
    assert stale.value.reason == "stale_version"
