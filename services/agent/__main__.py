"""The agent service's processes: serve (gRPC), work (jobs and the outbox relay), migrate. Only wiring."""

from __future__ import annotations

from pathlib import Path

from echosenseix.agent.v1.agent_pb2_grpc import (
    add_AgentServiceServicer_to_server,
    add_IntegrationServiceServicer_to_server,
)
from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceStub
from libs.clock import SystemClock
from libs.http import OutboundClient
from libs.rpc.delegation import Delegations
from libs.runtime import Runtime, service_main
from libs.runtime.service import Service
from suite.services import AGENT as SERVICE
from suite.services import CALLLOG
from suite.tables import QUOTAS

from .config import AgentSettings
from .jobs import job_handlers
from .servicer import AgentServicer, IntegrationServicer
from .storage.agents import Agents
from .storage.dependents import Dependents
from .storage.integrations import SEALED, Integrations
from .storage.versions import Versions

MIGRATIONS = Path(__file__).parent / "storage" / "migrations"


async def serve(runtime: Runtime[AgentSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors, clock = service.settings, service.database, service.cursors, SystemClock()
    integrations = Integrations(database, cursors, service.envelope)
    # A worker of call-log acts for an organization without its user: agent asks call-log whether that job runs.
    calllog = JobsServiceStub(service.channel(settings.calllog_grpc, CALLLOG.name))
    delegations = Delegations({CALLLOG.name: calllog.ConfirmJob})
    stored = Agents(database, cursors)
    agents = AgentServicer(
        database, stored, Versions(database, cursors), Dependents(database, cursors), clock, delegations
    )
    accounts = IntegrationServicer(database, integrations, clock, settings.outbound_allow, delegations, stored)
    await service.serve(
        (add_AgentServiceServicer_to_server, agents),
        (add_IntegrationServiceServicer_to_server, accounts),
    )


async def work(runtime: Runtime[AgentSettings]) -> None:
    service = await Service.open(runtime)
    settings, database, cursors = service.settings, service.database, service.cursors
    # Only the worker calls providers, so that a slow one never holds up a request.
    client = OutboundClient(settings.outbound_allow)
    runtime.on_close("http", client.close)
    integrations = Integrations(database, cursors, service.envelope)
    handlers = job_handlers(database, Agents(database, cursors), integrations, client, SystemClock())
    service.reencrypt(handlers, SEALED)
    service.work(handlers)


if __name__ == "__main__":
    service_main(
        SERVICE.name, AgentSettings, area=SERVICE.area, serve=serve, work=work, migrations=MIGRATIONS,
        quotas=QUOTAS,
    )  # fmt: skip
