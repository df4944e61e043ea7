"""Deliveries to one webhook that arrive together go to call-log in one call; each gets the answer it had got alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx

from echosenseix.calllog.v1 import calllog_pb2 as pb
from echosenseix.calllog.v1.calllog_pb2_grpc import CallLogServiceServicer, add_CallLogServiceServicer_to_server
from gateway.app import build_app
from gateway.clients import SuiteStatus, open_clients
from gateway.config import GatewaySettings
from gateway.http.idempotency import Fingerprints
from gateway.http.signed_links import SignedLinks
from gateway.middleware.telemetry import RecentRequests
from gateway.principals import Credential, Principals
from gateway.state import Gateway
from libs.config import ServiceSettings
from libs.errors import AppError, FailedPrecondition, Unauthenticated
from libs.paging import CursorCodec
from libs.rpc.errors import status_details
from libs.rpc.principal import Principal, PrincipalMinter
from libs.rpc.server import RpcServer
from libs.telemetry import current_traceparent, new_traceparent
from suite.services import SERVICES

SIGNING_KEY = "gateway=" + "A" * 43 + "="
PATH = "/api/webhooks/elevenlabs/token/post-call"
REFUSALS: dict[bytes, AppError] = {
    b"forged": Unauthenticated("webhook_signature_invalid", "The signature is missing, wrong or too far from now."),
    b"too much": FailedPrecondition("quota_reached", "At most 1 byte.", metadata={"quota": "bytes", "limit": "1"}),
}


async def no_principal(credential: Credential) -> tuple[Principal, float]:
    raise AssertionError("a delivery has no credential")


class Calls(CallLogServiceServicer):
    """Notes what each call brings. The first one waits, so that the next ones gather."""

    def __init__(self, *, old: bool) -> None:
        self.calls: list[list[bytes]] = []
        self.traces: dict[bytes, str] = {}
        self.open = asyncio.Event()
        self._old = old

    async def ReceiveProviderWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802 (the RPC's name)
        self.calls.append([request.body])
        self.traces[request.body] = current_traceparent()
        await self.open.wait()
        if refusal := REFUSALS.get(request.body):
            raise refusal
        return pb.ReceiveProviderWebhookResponse(duplicate=request.body == b"again")

    async def ReceiveProviderWebhooks(self, request: Any, context: Any) -> Any:  # noqa: N802 (the RPC's name)
        if self._old:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        self.calls.append([sent.delivery.body for sent in request.deliveries])
        self.traces |= {sent.delivery.body: sent.traceparent for sent in request.deliveries}
        return pb.ReceiveProviderWebhooksResponse(outcomes=[self._outcome(sent) for sent in request.deliveries])

    @staticmethod
    def _outcome(sent: pb.ProviderDelivery) -> pb.ProviderDeliveryOutcome:
        if refusal := REFUSALS.get(sent.delivery.body):
            return pb.ProviderDeliveryOutcome(refusal=status_details(refusal))
        return pb.ProviderDeliveryOutcome(duplicate=sent.delivery.body == b"again")


@asynccontextmanager
async def gateway_before(calls: Calls) -> AsyncIterator[httpx.AsyncClient]:
    trusted = ServiceSettings(principal_trusted_keys=(PrincipalMinter(SIGNING_KEY).public_key(),))
    server = RpcServer(trusted, "calllog", [(add_CallLogServiceServicer_to_server, calls)])
    settings = GatewaySettings(
        principal_signing_key=SIGNING_KEY,
        peers=dict.fromkeys(SERVICES, "127.0.0.1:9") | {"calllog": await server.start()},
    )
    clients = open_clients(settings, PrincipalMinter(SIGNING_KEY))
    gateway = Gateway(
        settings=settings,
        clients=clients,
        principals=Principals(no_principal),
        recent=RecentRequests(),
        status=SuiteStatus(clients.status),
        cursors=CursorCodec(b"k" * 32),
        fingerprints=Fingerprints(b"f" * 32),
        links=SignedLinks(b"l" * 32, settings.public_url),
    )
    try:
        transport = httpx.ASGITransport(build_app(gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            yield http
    finally:
        await clients.close()
        await server.stop(0)


BODIES = [b"new", b"again", b"forged", b"too much"]
ANSWERS = [
    (200, {"received": True, "duplicate": False}),
    (200, {"received": True, "duplicate": True}),
    (401, "webhook_signature_invalid"),
    (409, "quota_reached"),
]


async def _deliver(calls: Calls, traces: dict[bytes, str]) -> list[tuple[int, Any]]:
    """The answers to BODIES, which arrive while another delivery is at call-log."""

    async def post(http: httpx.AsyncClient, body: bytes, path: str = PATH) -> tuple[int, Any]:
        answer = await http.post(path, content=body, headers={"traceparent": traces.get(body, "")})
        return answer.status_code, answer.json() if answer.is_success else answer.json()["code"]

    async with gateway_before(calls) as http:
        first = asyncio.create_task(post(http, b"first"))
        while not calls.calls:
            await asyncio.sleep(0.01)
        gathered = [asyncio.create_task(post(http, body)) for body in BODIES]
        other = asyncio.create_task(post(http, b"other", PATH.replace("token", "another")))
        large = asyncio.create_task(post(http, b"x" * 200_000))
        while len(calls.calls) < 3:  # those of another webhook, and those that fill a message, wait for no one
            await asyncio.sleep(0.01)
        calls.open.set()
        answers = await asyncio.gather(*gathered)
        assert [await one for one in (first, other, large)] == [ANSWERS[0]] * 3
        return answers


async def test_deliveries_that_arrive_together_share_a_call_and_each_has_its_own_answer_and_trace() -> None:
    calls = Calls(old=False)  # type: ignore[abstract]  # only what the gateway calls
    traces = {body: new_traceparent() for body in BODIES}
    assert await _deliver(calls, traces) == ANSWERS
    assert len(calls.calls) == 4
    assert sorted(calls.calls[-1]) == sorted(BODIES)
    assert {body: calls.traces[body].split("-")[1] for body in BODIES} == {
        body: trace.split("-")[1] for body, trace in traces.items()
    }


async def test_a_release_without_the_method_gets_each_alone() -> None:
    calls = Calls(old=True)  # type: ignore[abstract]  # only what the gateway calls
    assert await _deliver(calls, {}) == ANSWERS
    assert sorted(calls.calls[3:]) == sorted([body] for body in BODIES)
