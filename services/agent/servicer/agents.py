"""AgentService: agents, their drafts and their published versions."""

from __future__ import annotations

from dataclasses import replace

from echosenseix.agent.v1 import agent_pb2, agent_pb2_grpc
from libs.clock import Clock
from libs.errors import FailedPrecondition
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_call, require_scope
from libs.rpc.delegation import Delegations
from libs.rpc.paging import json_page, page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from services.agent.domain import agent as agents
from services.agent.domain.agent import Agent
from services.agent.mapping.agents import (
    EDITABLE,
    agent_to_proto,
    content_from_proto,
    dependent_to_proto,
    filter_from_proto,
    version_to_proto,
)
from services.agent.mapping.events import agent_event
from services.agent.storage.agents import AGENT_LIST, Agents, agent_not_found
from services.agent.storage.dependents import DEPENDENT_LIST, Dependents
from services.agent.storage.versions import VERSION_LIST, Versions, version_not_found


class AgentServicer(agent_pb2_grpc.AgentServiceServicer):
    def __init__(
        self,
        database: Database,
        stored: Agents,
        versions: Versions,
        dependents: Dependents,
        clock: Clock,
        delegations: Delegations,
    ) -> None:
        self._dependents = dependents
        self._delegations = delegations
        self._database = database
        self._agents = stored
        self._versions = versions
        self._clock = clock

    async def CreateAgent(
        self, request: agent_pb2.CreateAgentRequest, context: object
    ) -> agent_pb2.CreateAgentResponse:
        # The organization comes from the principal alone, in this and every other method.
        org_id = require_scope("agents:write").org_id
        agent = agents.create(new_id("agt"), org_id, content_from_proto(request.agent), self._clock.now())

        async def act(conn: Connection) -> agent_pb2.CreateAgentResponse:
            # Archived agents count too, or creating and deleting in turn would fill the table.
            await self._database.quotas.admit(conn, org_id, "agents", "deleted_agents")
            await self._agents.add(conn, agent)
            await append(conn, agent_event("agent.created", agent))
            return agent_pb2.CreateAgentResponse(agent=agent_to_proto(agent))

        return await run_write(self._database, org_id, act, agent_pb2.CreateAgentResponse)

    async def GetAgent(self, request: agent_pb2.GetAgentRequest, context: object) -> agent_pb2.GetAgentResponse:
        principal = require_scope("agents:read")
        principal.require_readable(request.id, agent_not_found())
        agent = await self._agents.get(principal.org_id, request.id)
        return agent_pb2.GetAgentResponse(agent=agent_to_proto(agent))

    async def ListAgents(self, request: agent_pb2.ListAgentsRequest, context: object) -> agent_pb2.ListAgentsResponse:
        principal = require_scope("agents:read")
        wanted = replace(filter_from_proto(request), ids=principal.readable_ids)
        asked = page_request_from_proto(request.page, AGENT_LIST)
        if request.page.json_rows:
            shown = await self._agents.shown_page(principal.org_id, asked, wanted)
            return agent_pb2.ListAgentsResponse(page_info=json_page(shown, shown.items))
        page = await self._agents.page(principal.org_id, asked, wanted)
        return agent_pb2.ListAgentsResponse(agents=map(agent_to_proto, page.items), page_info=page_info_to_proto(page))

    async def UpdateAgent(
        self, request: agent_pb2.UpdateAgentRequest, context: object
    ) -> agent_pb2.UpdateAgentResponse:
        org_id = _changing(request.agent.id).org_id
        # The mask is read before the transaction: a wrong path costs no row lock.
        edit, given = EDITABLE.read(request.update_mask), content_from_proto(request.agent)

        def edit_of(agent: Agent) -> Agent:
            agents.check_version(agent, _expected(request))
            return agents.edit(agent, edit.merge(agent.content, given), self._clock.now())

        # Most edits meet no other one, and need no lock. An answer under a key is stored in a transaction.
        if not current_call().idempotency_key:
            agent = await self._agents.get(org_id, request.agent.id)
            edited = edit_of(agent)
            if edited is not agent and await self._agents.edit(agent, edited, agent_event("agent.updated", edited)):
                return agent_pb2.UpdateAgentResponse(agent=agent_to_proto(edited))

        async def act(conn: Connection) -> agent_pb2.UpdateAgentResponse:
            agent = await self._agents.lock(conn, org_id, request.agent.id)
            edited = edit_of(agent)
            # Nothing differs: no write, no event, the same version.
            if edited is not agent:
                await self._agents.save(conn, edited)
                await append(conn, agent_event("agent.updated", edited))
            return agent_pb2.UpdateAgentResponse(agent=agent_to_proto(edited))

        return await run_write(self._database, org_id, act, agent_pb2.UpdateAgentResponse)

    async def DeleteAgent(
        self, request: agent_pb2.DeleteAgentRequest, context: object
    ) -> agent_pb2.DeleteAgentResponse:
        org_id = _changing(request.id).org_id

        async def act(conn: Connection) -> agent_pb2.DeleteAgentResponse:
            agent = await self._agents.lock(conn, org_id, request.id)
            agents.check_version(agent, _expected(request))
            archived = agents.archive(agent, self._clock.now())
            await self._agents.save(conn, archived)
            await append(conn, agent_event("agent.deleted", archived))
            return agent_pb2.DeleteAgentResponse()

        return await run_write(self._database, org_id, act, agent_pb2.DeleteAgentResponse)

    async def DuplicateAgent(
        self, request: agent_pb2.DuplicateAgentRequest, context: object
    ) -> agent_pb2.DuplicateAgentResponse:
        org_id = require_scope("agents:write").org_id

        async def act(conn: Connection) -> agent_pb2.DuplicateAgentResponse:
            original = await self._agents.lock(conn, org_id, request.id)
            copy = agents.duplicate(original, new_id("agt"), request.display_name, self._clock.now())
            await self._database.quotas.admit(conn, org_id, "agents", "deleted_agents")
            await self._agents.add(conn, copy)
            await append(conn, agent_event("agent.created", copy))
            return agent_pb2.DuplicateAgentResponse(agent=agent_to_proto(copy))

        return await run_write(self._database, org_id, act, agent_pb2.DuplicateAgentResponse)

    async def PublishAgent(
        self, request: agent_pb2.PublishAgentRequest, context: object
    ) -> agent_pb2.PublishAgentResponse:
        principal = _changing(request.id)
        org_id, author = principal.org_id, principal.user_id or principal.api_key_id or principal.issuer

        async def act(conn: Connection) -> agent_pb2.PublishAgentResponse:
            agent = await self._agents.lock(conn, org_id, request.id)
            agents.check_version(agent, _expected(request))
            # No test can have passed yet: the suite does not run tests of agents.
            if request.require_tests:
                raise FailedPrecondition("tests_not_passed", "No test of this agent has passed for the current draft.")
            published, version = agents.publish(agent, new_id("agv"), request.description, author, self._clock.now())
            await self._database.quotas.admit(conn, org_id, "agent_versions", within=agent.id)
            await self._versions.add(conn, version)
            await self._agents.save(conn, published)
            await append(conn, agent_event("agent.published", published))
            return agent_pb2.PublishAgentResponse(
                agent_version=version_to_proto(version), agent=agent_to_proto(published)
            )

        return await run_write(self._database, org_id, act, agent_pb2.PublishAgentResponse)

    async def ListAgentVersions(
        self, request: agent_pb2.ListAgentVersionsRequest, context: object
    ) -> agent_pb2.ListAgentVersionsResponse:
        principal = require_scope("agents:read")
        principal.require_readable(request.agent_id, agent_not_found())
        wanted = page_request_from_proto(request.page, VERSION_LIST)
        # 404 for an unknown agent, where the list alone would be empty.
        agent = await self._agents.get(principal.org_id, request.agent_id)
        page = await self._versions.page(principal.org_id, agent.id, wanted)
        return agent_pb2.ListAgentVersionsResponse(
            agent_versions=map(version_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def ListDependents(
        self, request: agent_pb2.ListDependentsRequest, context: object
    ) -> agent_pb2.ListDependentsResponse:
        # Who may edit an entry has to know who speaks from it.
        principal = require_scope("knowledge:read")
        wanted = page_request_from_proto(request.page, DEPENDENT_LIST)
        page = await self._dependents.page(principal.org_id, request.knowledge_entry_id, wanted)
        return agent_pb2.ListDependentsResponse(
            dependents=map(dependent_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def GetAgentVersion(
        self, request: agent_pb2.GetAgentVersionRequest, context: object
    ) -> agent_pb2.GetAgentVersionResponse:
        principal = require_scope("agents:read")
        principal.require_readable(request.agent_id, version_not_found())
        version = await self._versions.get(principal.org_id, request.agent_id, request.version)
        return agent_pb2.GetAgentVersionResponse(agent_version=version_to_proto(version))

    async def ResolveExternalAgent(
        self, request: agent_pb2.ResolveExternalAgentRequest, context: object
    ) -> agent_pb2.ResolveExternalAgentResponse:
        # The caller is a worker without a user: the job that it names must run for this organization.
        await self._delegations.require(request.organization_id)
        org_id = request.organization_id
        if request.agent_id:
            found = await self._agents.resolve_own(org_id, request.agent_id)
        else:
            found = await self._agents.resolve(org_id, request.provider, request.external_agent_id)
        return agent_pb2.ResolveExternalAgentResponse(
            agent_id=found.id, published_version=found.published_version, display_name=found.name
        )


def _changing(agent_id: str) -> Principal:
    """The caller, who may change this agent if it exists."""
    principal = require_scope("agents:write")
    principal.require_writable(agent_id, agent_not_found())
    return principal


def _expected(
    request: agent_pb2.UpdateAgentRequest | agent_pb2.DeleteAgentRequest | agent_pb2.PublishAgentRequest,
) -> int | None:
    return request.expected_version if request.HasField("expected_version") else None
