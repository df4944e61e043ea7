"""The call-log's processes: serve (gRPC), work (jobs, subscriptions, outbox relay), migrate. Wiring, nothing else."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from echosenseix.agent.v1.agent_pb2_grpc import AgentServiceStub, IntegrationServiceStub
from echosenseix.calllog.v1.calllog_pb2_grpc import add_CallLogServiceServicer_to_server
from echosenseix.common.v1.common_pb2_grpc import add_StatusServiceServicer_to_server
from echosenseix.jobs.v1.jobs_pb2_grpc import add_JobsServiceServicer_to_server
from libs.blobs import BlobStore
from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.clock import SystemClock
from libs.events import OutboxRelay
from libs.http import OutboundClient
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobsServicer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.status import StatusServicer
from libs.runtime import Runtime, service_main
from providers.interface.recordings import AudioLimits

from .config import CallLogSettings
from .jobs import job_handlers
from .jobs.aggregate import Aggregation
from .jobs.audio import AudioProcessing
from .jobs.ingest import CallIngest
from .jobs.reconcile import Reconciliation
from .servicer import CallLogServicer
from .storage.analytics import Analytics
from .storage.call_list import CallList
from .storage.calls import Calls
from .storage.envelopes import Envelopes
from .storage.links import ProviderLinks
from .storage.recordings import Recordings
from .subscribers import CallLogSubscribers
from .transcriber import Transcriber

SERVICE = "calllog"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[CallLogSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    cursors = CursorCodec.from_base64(settings.cursor_key)
    calls = CallLogServicer(
        database, Calls(database), CallList(database, cursors), Recordings(database), Analytics(database),
        IntegrationServiceStub(_agent_channel(runtime)).VerifyProviderWebhook,
        BlobStore.from_url(settings.blobs_url), SystemClock(),
    )  # fmt: skip
    ping = partial(redis_ping, settings.redis_url)
    status = StatusServicer(settings, SERVICE, database=database, redis_ping=ping, bus=bus)
    await runtime.serve_rpc(
        [
            (add_CallLogServiceServicer_to_server, calls),
            (add_JobsServiceServicer_to_server, JobsServicer(SERVICE, database, cursors)),
            (add_StatusServiceServicer_to_server, status),
        ],
        # A provider has no login: the signature over the body is checked before anything is kept.
        public_methods=["/echosenseix.calllog.v1.CallLogService/ReceiveProviderWebhook"],
    )


async def work(runtime: Runtime[CallLogSettings]) -> None:
    settings, clock = runtime.settings, SystemClock()
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    channel, blobs = _agent_channel(runtime), BlobStore.from_url(settings.blobs_url)
    resolve_agent = AgentServiceStub(channel).ResolveExternalAgent
    get_credentials = IntegrationServiceStub(channel).GetProviderCredentials
    calls, recordings, analytics = Calls(database), Recordings(database), Analytics(database)
    envelopes, links = Envelopes(), ProviderLinks(database)
    limits = AudioLimits(settings.recording_max_bytes, settings.recording_seconds)
    transcriber = Transcriber(settings.transcription_model)
    look_back = timedelta(days=settings.reconcile_days)
    handlers = job_handlers(
        CallIngest(database, envelopes, calls, recordings, analytics, resolve_agent, blobs, clock),
        AudioProcessing(database, calls, recordings, get_credentials, client, blobs, clock, limits, transcriber),
        Aggregation(analytics, clock),
        Reconciliation(database, envelopes, calls, links, get_credentials, client, clock, look_back),
        settings.reconcile_cron,
    )
    subscribers = CallLogSubscribers(calls, analytics, links, clock)
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("subscribers", subscribers.consumer(bus, database).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, handlers).run)


def _agent_channel(runtime: Runtime[CallLogSettings]) -> RpcChannel:
    minter = PrincipalMinter(runtime.settings.principal_signing_key)
    channel = open_channel(runtime.settings.agent_grpc, audience="agent", minter=minter)
    runtime.on_close("agent", channel.close)
    return channel


if __name__ == "__main__":
    service_main(SERVICE, CallLogSettings, serve=serve, work=work, migrations=MIGRATIONS)
