"""The call-log on real stores: its servicer and worker, and the agent service answering over real gRPC."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from echosenseix.agent.v1 import agent_pb2
from echosenseix.agent.v1.agent_pb2_grpc import (
    AgentServiceStub,
    IntegrationServiceStub,
    add_AgentServiceServicer_to_server,
    add_IntegrationServiceServicer_to_server,
)
from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.jobs.v1 import jobs_pb2
from libs.blobs import BlobStore
from libs.bus import Bus
from libs.clock import SystemClock
from libs.config import ServiceSettings, load
from libs.crypto import Envelope
from libs.http import OutboundClient
from libs.ids import new_id
from libs.jobs import Worker
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.channel import open_channel
from libs.rpc.context import CallContext, serving
from libs.rpc.delegation import Delegations
from libs.rpc.principal import Principal, PrincipalMinter, service_principal
from libs.rpc.server import RpcServer
from libs.runtime.service import JobsServicer
from local.runner.keys import Keys
from local.stores import Stores
from providers.interface.recordings import AudioLimits
from services.agent.servicer import AgentServicer, IntegrationServicer
from services.agent.storage.agents import Agents
from services.agent.storage.dependents import Dependents
from services.agent.storage.integrations import Integrations
from services.agent.storage.versions import Versions
from services.calllog.jobs import job_handlers
from services.calllog.jobs.aggregate import Aggregation
from services.calllog.jobs.audio import AudioProcessing
from services.calllog.jobs.ingest import CallIngest
from services.calllog.jobs.live import LiveCallJobs
from services.calllog.jobs.reconcile import Reconciliation
from services.calllog.jobs.retention import Retention
from services.calllog.mapping import own_agents, serving_agents
from services.calllog.operations import DeliveredRecordings
from services.calllog.operations.live_calls import LiveCalls
from services.calllog.operations.reported_calls import ReportedCalls
from services.calllog.servicer import CallLogServicer, Deliveries, LiveCallServicer, Senders
from services.calllog.storage.analytics import Analytics
from services.calllog.storage.call_list import CallList
from services.calllog.storage.calls import Calls
from services.calllog.storage.commands import Commands
from services.calllog.storage.envelopes import Envelopes
from services.calllog.storage.links import ProviderLinks
from services.calllog.storage.live_calls import LiveRows
from services.calllog.storage.recordings import Recordings
from services.calllog.subscribers import Subscribers as CallLogSubscribers
from services.calllog.transcriber import Transcriber

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "elevenlabs"
ALLOWED = ("127.0.0.1:1-65535",)
SECRET = "wsec_test"
PATIENCE = 15.0
AUDIO_LIMITS = AudioLimits(max_bytes=2 * 1024 * 1024, seconds=2.0)


@contextmanager
def as_org(org: str, *, scopes: tuple[str, ...] = ("*",)) -> Iterator[CallContext]:
    principal = Principal(
        org_id=org, user_id="usr_1", session_id="ses_1", role="owner", scopes=frozenset(scopes), issuer="gateway"
    )
    with serving(CallContext(), principal) as call:
        yield call


@contextmanager
def as_service(org: str = "") -> Iterator[CallContext]:
    """billing's process; with an organization it serves a request of it."""
    with serving(CallContext(), replace(service_principal("billing"), org_id=org)) as call:
        yield call


def transcription(conversation: str, **data: Any) -> dict[str, Any]:
    """The sample conversation under another id; `data` replaces whole fields of its data."""
    envelope = copy.deepcopy(json.loads((SAMPLES / "post_call_transcription.json").read_text()))
    envelope["data"].update({"conversation_id": conversation, **data})
    return dict(envelope)


def failure(conversation: str, reason: str = "busy") -> dict[str, Any]:
    envelope = json.loads((SAMPLES / "call_initiation_failure.json").read_text())
    envelope["data"].update({"conversation_id": conversation, "failure_reason": reason})
    return dict(envelope)


def sign(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v0={digest}"


async def eventually(read: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """The first truthy answer of `read`."""
    deadline = time.monotonic() + seconds
    while not (found := await read()):
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.02)
    return found


Rows = list[Any]  # named here: CallLog.list hides the built-in inside the class
Events = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Organization:
    id: str
    token: str


@dataclass(frozen=True)
class CallLog:
    database: Database
    servicer: CallLogServicer
    live_servicer: LiveCallServicer
    live: LiveCalls
    senders: Senders
    deliveries: Deliveries
    calls: Calls
    subscribers: CallLogSubscribers
    aggregation: Aggregation
    handlers: Any
    blobs: BlobStore
    agents: AgentServicer
    integrations: IntegrationServicer
    bus: Bus
    gateway: PrincipalMinter

    def proof(self, org: str) -> str:
        """What the gateway shows the call-log of a request of this organization, for what it asks of others."""
        who = Principal(org_id=org, user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer="gateway")
        return self.gateway.mint(who, "calllog")

    async def organization(
        self, external_agent_id: str = "", base_url: str = "", provider: str = "elevenlabs"
    ) -> Organization:
        """A new organization with an account at the provider and, where named, a published agent tied to it."""
        org = new_id("org")
        credentials = agent_pb2.ProviderCredentials(api_key="sk_test", webhook_secret=SECRET, base_url=base_url)
        with as_org(org):
            put = agent_pb2.PutIntegrationRequest(provider=provider, credentials=credentials)
            token = (await self.integrations.PutIntegration(put, None)).integration.webhook_token
            if external_agent_id:
                await self.publish_agent(external_agent_id, provider)
        return Organization(org, token)

    async def publish_agent(self, external_agent_id: str, provider: str = "elevenlabs") -> str:
        agent = agent_pb2.Agent(display_name="Desk", provider=provider, external_agent_id=external_agent_id)
        made = (await self.agents.CreateAgent(agent_pb2.CreateAgentRequest(agent=agent), None)).agent
        await self.agents.PublishAgent(agent_pb2.PublishAgentRequest(id=made.id), None)
        return str(made.id)

    async def deliver(
        self, to: Organization, envelope: dict[str, Any] | bytes, signature: str | None = None,
        provider: str = "elevenlabs", header: str = "elevenlabs-signature",
    ) -> bool:  # fmt: skip
        """Send a signed webhook; whether it was a duplicate."""
        body = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
        request = calllog_pb2.ReceiveProviderWebhookRequest(
            provider=provider, webhook_token=to.token, body=body,
            proof_headers={header: sign(body) if signature is None else signature},
        )  # fmt: skip
        with as_service():
            return (await self.servicer.ReceiveProviderWebhook(request, None)).duplicate

    async def stream(
        self, to: Organization, body: bytes, signature: str | None = None, sent: int | None = None
    ) -> bool:
        """Send a signed webhook of ElevenLabs in pieces, of which the sender breaks off after `sent` bytes."""
        proof = {"elevenlabs-signature": sign(body) if signature is None else signature}
        head = calllog_pb2.ProviderWebhookHead(provider="elevenlabs", webhook_token=to.token, proof_headers=proof)

        async def requests() -> AsyncIterator[calllog_pb2.StreamProviderWebhookRequest]:
            yield calllog_pb2.StreamProviderWebhookRequest(head=head)
            for start in range(0, len(body), 64 * 1024):
                if sent is not None and start >= sent:
                    raise asyncio.CancelledError
                yield calllog_pb2.StreamProviderWebhookRequest(data=body[start : start + 64 * 1024])

        with as_service():
            return (await self.servicer.StreamProviderWebhook(requests(), None)).duplicate

    async def list(self, org: str, **filters: Any) -> calllog_pb2.ListCallsResponse:
        with as_org(org):
            return await self.servicer.ListCalls(calllog_pb2.ListCallsRequest(**filters), None)

    async def get(self, org: str, call_id: str) -> calllog_pb2.Call:
        with as_org(org):
            return (await self.servicer.GetCall(calllog_pb2.GetCallRequest(id=call_id), None)).call

    async def call_of(self, org: str, conversation: str) -> calllog_pb2.Call:
        """The call made of a conversation, as soon as its job has run."""
        found = await eventually(lambda: self._find(org, conversation))
        return await self.get(org, found.id)

    async def _find(self, org: str, conversation: str) -> Any:
        calls = (await self.list(org, external_call_id=conversation)).calls
        return calls[0] if calls else None

    async def jobs(self, org: str, kind: str = "call.ingest") -> Rows:
        sql = "select j.id, j.state, j.attempt, j.result, j.error_code from job j where j.org_id = $1 and j.kind = $2"
        return await self.database.system_fetch(sql + " order by j.id", org, kind)

    async def settled(self, org: str, kind: str = "call.ingest", seconds: float = PATIENCE) -> None:
        """Until no job of this kind is on its way for the organization."""
        live = """select count(*) from job j
            where j.org_id = $1 and j.kind = $2 and j.state in ('queued', 'scheduled', 'running')"""

        async def rest() -> bool:
            return bool(await self.database.system_fetchval(live, org, kind) == 0)

        await eventually(rest, seconds)

    async def events(self, org: str) -> Events:
        rows = await self.database.system_fetch(
            "select x.topic, x.payload::text as payload from outbox x where x.org_id = $1 order by x.id", org
        )
        return [(row["topic"], json.loads(row["payload"])["data"]) for row in rows]


# Its address, its servicers, and the call log's database, which it asks about jobs.
AgentService = tuple[str, AgentServicer, IntegrationServicer, Database]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def agent_service(
    service_database: Callable[..., Awaitable[Database]],
) -> AsyncIterator[AgentService]:
    """The real agent service in this process."""
    database = await service_database("agent")
    cursors, clock = CursorCodec(b"c" * 32), SystemClock()
    calllog = await service_database("calllog")
    queue = JobsServicer("calllog", "calls", calllog, cursors)

    async def confirm(request: jobs_pb2.ConfirmJobRequest) -> jobs_pb2.ConfirmJobResponse:
        with serving(CallContext(), service_principal("agent")):
            return await queue.ConfirmJob(request, None)

    delegations = Delegations({"calllog": confirm})
    agents = AgentServicer(
        database,
        Agents(database, cursors),
        Versions(database, cursors),
        Dependents(database, cursors),
        clock,
        delegations,
    )
    stored = Integrations(database, cursors, Envelope(database.settings.encryption_keys))
    integrations = IntegrationServicer(database, stored, clock, ALLOWED, delegations, Agents(database, cursors))
    settings = replace(database.settings, grpc_address="127.0.0.1:0")
    server = RpcServer(
        settings, "agent",
        [(add_AgentServiceServicer_to_server, agents), (add_IntegrationServiceServicer_to_server, integrations)],
    )  # fmt: skip
    yield await server.start(), agents, integrations, calllog
    await server.stop(0.5)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def calllog(
    stores: Stores,
    keys: Keys,
    service_environment: Callable[[str, str], dict[str, str]],
    agent_service: AgentService,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[CallLog]:
    """The call-log with a running worker."""
    address, agents, integrations, database = agent_service
    settings = load(ServiceSettings, service_environment("calllog", "unused"))
    channel = open_channel(address, audience="agent", minter=PrincipalMinter(settings.principal_signing_key))
    senders = Senders(IntegrationServiceStub(channel), SystemClock())
    credentials = IntegrationServiceStub(channel).GetProviderCredentials
    resolve = AgentServiceStub(channel).ResolveExternalAgent
    clock, client = SystemClock(), OutboundClient(ALLOWED)
    blobs = BlobStore.from_url(f"file://{tmp_path_factory.mktemp('blobs')}")
    calls, recordings, analytics = Calls(database), Recordings(database), Analytics(database)
    envelopes, links = Envelopes(), ProviderLinks(database)
    delivered = DeliveredRecordings(database, calls, recordings, blobs)
    commands = Commands(database, CursorCodec(b"c" * 32))
    reported = ReportedCalls(calls, recordings, LiveRows(), commands, serving_agents(resolve), clock)
    aggregation = Aggregation(database, analytics, clock)
    live = LiveCalls(database, LiveRows(), reported, clock)
    handlers = job_handlers(
        CallIngest(database, envelopes, reported, delivered, clock),
        AudioProcessing(database, calls, recordings, credentials, client, blobs, clock, AUDIO_LIMITS, Transcriber()),
        aggregation,
        Reconciliation(database, envelopes, calls, links, credentials, client, clock, timedelta(days=7)),
        Retention(database, envelopes, commands, clock),
        LiveCallJobs(live, commands),
        "*/15 * * * *",
    )
    bus = await Bus.connect(stores.nats_url, "calllog-test")
    database.announce_through(bus.publish_core)
    stop = asyncio.Event()
    worker = asyncio.create_task(Worker(database.settings, "calllog", database, bus, handlers).run(stop))
    listed = CallList(database, CursorCodec(b"c" * 32))
    deliveries = Deliveries(database, envelopes, delivered, reported, senders, clock)
    yield CallLog(
        database,
        CallLogServicer(
            database,
            calls,
            listed,
            recordings,
            analytics,
            blobs,
            clock,
            deliveries,
        ),
        LiveCallServicer(database, calls, live, commands, own_agents(resolve), clock),
        live,
        senders,
        deliveries,
        calls,
        CallLogSubscribers(calls, links, clock),
        aggregation,
        handlers,
        blobs,
        agents,
        integrations,
        bus,
        PrincipalMinter(keys.signing_key("gateway")),
    )
    stop.set()
    await worker
    await client.close()
    await channel.close()
    await bus.close()


@pytest.fixture
def conversation() -> str:
    return new_id("conv")
