"""The call-log's processes: serve (gRPC), work (jobs, subscriptions, outbox relay), migrate. Wiring, nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from echosenseix.agent.v1.agent_pb2_grpc import AgentServiceStub, IntegrationServiceStub
from echosenseix.calllog.v1.calllog_pb2_grpc import (
    add_CallLogServiceServicer_to_server,
    add_LiveCallServiceServicer_to_server,
)
from libs.blobs import BlobStore
from libs.bus.subjects import cache_invalidated
from libs.clock import SystemClock
from libs.http import OutboundClient
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from providers.interface.recordings import AudioLimits
from suite.services import CALLLOG as SERVICE
from suite.tables import QUOTAS

from .config import CallLogSettings
from .jobs import job_handlers
from .jobs.aggregate import Aggregation
from .jobs.audio import AudioProcessing
from .jobs.ingest import CallIngest
from .jobs.live import LiveCallJobs
from .jobs.reconcile import Reconciliation
from .jobs.retention import Retention
from .mapping import own_agents, serving_agents
from .operations import DeliveredRecordings
from .operations.live_calls import LiveCalls
from .operations.reported_calls import ReportedCalls
from .servicer import CallLogServicer, Deliveries, LiveCallServicer, Senders
from .storage.analytics import Analytics
from .storage.call_list import CallList
from .storage.calls import Calls
from .storage.commands import Commands
from .storage.envelopes import Envelopes
from .storage.links import ProviderLinks
from .storage.live_calls import LiveRows
from .storage.recordings import Recordings
from .subscribers import Subscribers
from .transcriber import Transcriber

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[CallLogSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors = service.settings, service.database, service.cursors
    clock, recordings, blobs = SystemClock(), Recordings(database), BlobStore.from_url(settings.blobs_url)
    agent = service.channel(settings.agent_grpc, "agent")
    senders = Senders(IntegrationServiceStub(agent), clock)
    await service.bus.subscribe_core(cache_invalidated("agent"), senders.on_message)
    stored = Calls(database)
    delivered = DeliveredRecordings(database, stored, recordings, blobs)
    resolve_agent = AgentServiceStub(agent).ResolveExternalAgent
    commands = Commands(database, cursors)
    reported = ReportedCalls(stored, recordings, LiveRows(), commands, serving_agents(resolve_agent), clock)
    live = LiveCallServicer(
        database, stored, LiveCalls(database, LiveRows(), reported, clock), commands, own_agents(resolve_agent), clock,
    )  # fmt: skip
    calls = CallLogServicer(
        database, stored, CallList(database, cursors), recordings, Analytics(database), blobs, clock,
        Deliveries(database, Envelopes(), delivered, reported, senders, clock),
    )  # fmt: skip
    await service.serve((add_CallLogServiceServicer_to_server, calls), (add_LiveCallServiceServicer_to_server, live))


async def work(runtime: Runtime[CallLogSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, clock = service.settings, service.database, SystemClock()
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    channel, blobs = service.channel(settings.agent_grpc, "agent"), BlobStore.from_url(settings.blobs_url)
    resolve = serving_agents(AgentServiceStub(channel).ResolveExternalAgent)
    get_credentials = IntegrationServiceStub(channel).GetProviderCredentials
    calls, recordings = Calls(database), Recordings(database)
    aggregation = Aggregation(database, Analytics(database), clock)
    envelopes, links = Envelopes(), ProviderLinks(database)
    delivered = DeliveredRecordings(database, calls, recordings, blobs)
    commands, look_back = Commands(database, service.cursors), timedelta(days=settings.reconcile_days)
    reported = ReportedCalls(calls, recordings, LiveRows(), commands, resolve, clock)
    limits = AudioLimits(settings.recording_max_bytes, settings.recording_seconds)
    transcriber = Transcriber(settings.transcription_model)
    handlers = job_handlers(
        CallIngest(database, envelopes, reported, delivered, clock),
        AudioProcessing(database, calls, recordings, get_credentials, client, blobs, clock, limits, transcriber),
        aggregation,
        Reconciliation(database, envelopes, calls, links, get_credentials, client, clock, look_back),
        Retention(database, envelopes, commands, clock),
        LiveCallJobs(LiveCalls(database, LiveRows(), reported, clock), commands),
        settings.reconcile_cron,
    )
    service.work(handlers, Subscribers(calls, links, clock).handlers(), aggregation.fold_regularly)


if __name__ == "__main__":
    service_main(
        SERVICE.name, CallLogSettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS,
    )  # fmt: skip
