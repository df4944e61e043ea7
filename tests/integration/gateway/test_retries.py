"""Which requests the gateway asks a second replica for, when the first one dies over them: reads, writes under a key,
and webhooks, which name their delivery. Any other write was perhaps done, so its customer is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from echosenseix.agent.v1.agent_pb2_grpc import AgentServiceServicer, add_AgentServiceServicer_to_server
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
from libs.errors import NotFound
from libs.paging import CursorCodec
from libs.rpc.principal import Principal, PrincipalMinter
from libs.rpc.server import RpcServer
from suite.services import SERVICES

SIGNING_KEY = "gateway=" + "A" * 43 + "="
AWAY = "127.0.0.1:9"


async def lookup(credential: Credential) -> tuple[Principal, float]:
    return Principal(org_id="org_1", user_id="usr_1", scopes=frozenset({"*"}), issuer="gateway"), 60.0


class Deaths:
    """Which replica heard a call; the first to hear one is cut off over it."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.servers: list[RpcServer] = []

    async def hear(self, place: int) -> None:
        self.heard.append(place)
        if len(self.heard) == 1:
            stopping = asyncio.create_task(self.servers[place].stop(0))
            await asyncio.sleep(5)
            await stopping
        raise NotFound("agent_not_found", "There is no such agent.")


class Agents(AgentServiceServicer):
    def __init__(self, deaths: Deaths, place: int) -> None:
        self._deaths, self._place = deaths, place

    async def GetAgent(self, request: Any, context: Any) -> Any:  # noqa: N802 (the RPC's name)
        await self._deaths.hear(self._place)

    async def CreateAgent(self, request: Any, context: Any) -> Any:  # noqa: N802 (the RPC's name)
        await self._deaths.hear(self._place)

    async def DeleteAgent(self, request: Any, context: Any) -> Any:  # noqa: N802 (the RPC's name)
        await self._deaths.hear(self._place)


class Calls(CallLogServiceServicer):
    def __init__(self, deaths: Deaths, place: int) -> None:
        self._deaths, self._place = deaths, place

    async def ReceiveProviderWebhook(self, request: Any, context: Any) -> Any:  # noqa: N802 (the RPC's name)
        await self._deaths.hear(self._place)


@asynccontextmanager
async def gateway_before(service: str) -> AsyncIterator[tuple[Deaths, httpx.AsyncClient]]:
    """A gateway before two replicas of the service."""
    deaths = Deaths()
    trusted = ServiceSettings(principal_trusted_keys=(PrincipalMinter(SIGNING_KEY).public_key(),))
    for place in range(2):
        servicers: dict[str, Any] = {
            "agent": (add_AgentServiceServicer_to_server, Agents(deaths, place)),  # type: ignore[abstract]  # only what the tests call
            "calllog": (add_CallLogServiceServicer_to_server, Calls(deaths, place)),  # type: ignore[abstract]  # only what the tests call
        }
        deaths.servers.append(RpcServer(trusted, service, [servicers[service]]))
    peers = dict.fromkeys(SERVICES, AWAY)
    peers[service] = ",".join([await server.start() for server in deaths.servers])
    settings = GatewaySettings(principal_signing_key=SIGNING_KEY, peers=peers)
    clients = open_clients(settings, PrincipalMinter(settings.principal_signing_key))
    gateway = Gateway(
        settings=settings,
        clients=clients,
        principals=Principals(lookup),
        recent=RecentRequests(),
        status=SuiteStatus(clients.status),
        cursors=CursorCodec(b"k" * 32),
        fingerprints=Fingerprints(b"f" * 32),
        links=SignedLinks(b"l" * 32, settings.public_url),
    )
    transport = httpx.ASGITransport(build_app(gateway))
    try:
        await clients.channels[service].channel_ready()
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            yield deaths, http
    finally:
        await clients.close()
        for server in deaths.servers:
            await server.stop(0)


KEY = {"idempotency-key": "k1"}
AGENT = ("agent", "/api/agents/agt_1")
NEW_AGENT = ("agent", "/api/agents")
ELEVENLABS = ("calllog", "/api/webhooks/elevenlabs/token/post-call")
RETELL = ("calllog", "/api/webhooks/retell/token")
VAPI = ("calllog", "/api/webhooks/vapi/token")


async def _ask(place: tuple[str, str], method: str, more: dict[str, str]) -> tuple[int, int]:
    """The status, and how many replicas got it."""
    service, path = place
    headers = {"authorization": "Bearer owner", "content-type": "application/json", **more}
    content = b'{"name": "Tour guide"}' if method == "POST" else b""
    async with gateway_before(service) as (deaths, http):
        answer = await http.request(method, path, headers=headers, content=content)
        await asyncio.sleep(0.3)  # longer than the pause before a retry
        return answer.status_code, len(deaths.heard)


@pytest.mark.parametrize(
    ("place", "method", "headers"),
    [
        (AGENT, "GET", {}),
        (NEW_AGENT, "POST", KEY),
        (AGENT, "DELETE", KEY),
        (ELEVENLABS, "POST", {}),
        (RETELL, "POST", {}),
        (VAPI, "POST", {}),
    ],
)
async def test_the_other_replica_answers(place: tuple[str, str], method: str, headers: dict[str, str]) -> None:
    assert await _ask(place, method, headers) == (404, 2)


@pytest.mark.parametrize(("place", "method"), [(NEW_AGENT, "POST"), (AGENT, "DELETE")])
async def test_a_write_without_a_key_is_asked_once(place: tuple[str, str], method: str) -> None:
    assert await _ask(place, method, {}) == (503, 1)
