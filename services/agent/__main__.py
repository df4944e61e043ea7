"""The agent service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from echosenseix.agent.v1.agent_pb2_grpc import (
    add_AgentServiceServicer_to_server,
    add_IntegrationServiceServicer_to_server,
)
from echosenseix.common.v1.common_pb2_grpc import add_StatusServiceServicer_to_server
from echosenseix.jobs.v1.jobs_pb2_grpc import add_JobsServiceServicer_to_server
from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.clock import SystemClock
from libs.crypto import Envelope
from libs.events import OutboxRelay
from libs.http import OutboundClient
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobsServicer
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.status import StatusServicer
from libs.runtime import Runtime, service_main

from .config import AgentSettings
from .jobs import job_handlers
from .servicer import AgentServicer, IntegrationServicer
from .storage.agents import Agents
from .storage.integrations import Integrations
from .storage.versions import Versions

SERVICE = "agent"
MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[AgentSettings]) -> None:
    settings, clock = runtime.settings, SystemClock()
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    cursors = CursorCodec.from_base64(settings.cursor_key)
    integrations = Integrations(database, cursors, Envelope(settings.encryption_keys))
    agents = AgentServicer(database, Agents(database, cursors), Versions(database, cursors), clock)
    accounts = IntegrationServicer(database, integrations, clock, settings.outbound_allow)
    ping = partial(redis_ping, settings.redis_url)
    status = StatusServicer(settings, SERVICE, database=database, redis_ping=ping, bus=bus)
    await runtime.serve_rpc(
        [
            (add_AgentServiceServicer_to_server, agents),
            (add_IntegrationServiceServicer_to_server, accounts),
            (add_JobsServiceServicer_to_server, JobsServicer(SERVICE, database, cursors)),
            (add_StatusServiceServicer_to_server, status),
        ]
    )


async def work(runtime: Runtime[AgentSettings]) -> None:
    settings = runtime.settings
    bus = await runtime.open(Bus.connect(settings.nats_url, runtime.name))
    database = await runtime.open(Database.open(settings, application_name=runtime.name))
    database.announce_through(bus.announce)
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    cursors = CursorCodec.from_base64(settings.cursor_key)
    integrations = Integrations(database, cursors, Envelope(settings.encryption_keys))
    handlers = job_handlers(database, Agents(database, cursors), integrations, client, SystemClock())
    runtime.background("relay", OutboxRelay(settings, SERVICE, bus).run)
    runtime.background("jobs", Worker(settings, SERVICE, database, bus, handlers).run)


if __name__ == "__main__":
    service_main(SERVICE, AgentSettings, serve=serve, work=work, migrations=MIGRATIONS)
