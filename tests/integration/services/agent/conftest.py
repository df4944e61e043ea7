"""The agent service's methods on a real database, called as a principal would call them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from echosenseix.agent.v1 import agent_pb2
from libs.clock import ManualClock
from libs.crypto import Envelope
from libs.ids import new_id
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.rpc.context import CallContext, serving
from libs.rpc.delegation import Delegations
from libs.rpc.principal import Principal, service_principal
from services.agent.servicer import AgentServicer, IntegrationServicer
from services.agent.storage.agents import Agents
from services.agent.storage.dependents import Dependents
from services.agent.storage.integrations import Integrations
from services.agent.storage.versions import Versions

ALLOWED = ("127.0.0.1:1-65535",)


@dataclass(frozen=True)
class Service:
    database: Database
    stored: Agents
    accounts: Integrations
    agents: AgentServicer
    integrations: IntegrationServicer
    clock: ManualClock

    async def create(self, org: str, name: str = "Support", **fields: Any) -> agent_pb2.Agent:
        with as_org(org):
            request = agent_pb2.CreateAgentRequest(agent=agent_pb2.Agent(display_name=name, **fields))
            return (await self.agents.CreateAgent(request, None)).agent

    async def events(self, org: str) -> list[str]:
        """Topics in the outbox of the organization, oldest first."""
        rows = await self.database.system_fetch("select x.topic from outbox x where x.org_id = $1 order by x.id", org)
        return [row["topic"] for row in rows]


@contextmanager
def as_org(
    org: str, *, key: str = "", fingerprint: str = "", scopes: tuple[str, ...] = ("*",)
) -> Iterator[CallContext]:
    principal = Principal(
        org_id=org, user_id="usr_1", session_id="ses_1", role="owner", scopes=frozenset(scopes), issuer="gateway"
    )
    with serving(CallContext(idempotency_key=key, idempotency_fingerprint=fingerprint), principal) as call:
        yield call


@contextmanager
def as_service(org: str = "") -> Iterator[CallContext]:
    """call-log's process; with an organization it serves a request of it."""
    with serving(CallContext(), replace(service_principal("calllog"), org_id=org)) as call:
        yield call


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(service_database: Callable[..., Awaitable[Database]]) -> Service:
    database = await service_database("agent")
    cursors = CursorCodec(b"c" * 32)
    stored = Agents(database, cursors)
    accounts = Integrations(database, cursors, Envelope(database.settings.encryption_keys))
    clock = ManualClock(datetime.now(UTC))
    return Service(
        database,
        stored,
        accounts,
        AgentServicer(
            database, stored, Versions(database, cursors), Dependents(database, cursors), clock, Delegations()
        ),
        IntegrationServicer(database, accounts, clock, ALLOWED, Delegations(), stored),
        clock,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def org() -> str:
    return new_id("org")
