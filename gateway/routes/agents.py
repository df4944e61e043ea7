"""Agents: their drafts, and what is published of them."""

from typing import Any

from starlette.responses import Response

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http.merge_patch import apply_patch
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import ListQuery, NoBody, NoQuery
from gateway.schemas.agents import (
    PATCHED,
    STATUSES,
    Agent,
    AgentBody,
    AgentConfiguration,
    AgentPatch,
    AgentQuery,
    AgentRow,
    AgentVersion,
    DuplicateBody,
    PublishBody,
    agent_from_proto,
    agent_row_from_proto,
    configuration_from_proto,
    version_from_proto,
)
from libs.errors import NotFound

_MAX_VERSION = 2**31


async def get_agent(call: Call[NoQuery, Any]) -> Response:
    answer = await call.clients.agents.GetAgent(pb.GetAgentRequest(id=call.id))
    return call.resource(agent_from_proto(answer.agent), answer.agent.version)


async def list_agents(call: Call[AgentQuery, NoBody]) -> Response:
    query = call.query
    answer = await call.clients.agents.ListAgents(
        pb.ListAgentsRequest(
            page=call.page_request(),
            search=query.search or "",
            tags=call.words(query.tags),
            status=STATUSES[query.status] if query.status else pb.AGENT_STATUS_UNSPECIFIED,
            provider=query.provider or query.platform or "",
        )
    )
    return call.page(answer.agents, answer.page_info, agent_row_from_proto)


async def create_agent(call: Call[NoQuery, AgentBody]) -> Response:
    request = pb.CreateAgentRequest()
    apply_patch(call.body, request.agent, PATCHED)
    answer = await call.clients.agents.CreateAgent(request)
    return call.created(agent_from_proto(answer.agent), f"/api/agents/{answer.agent.id}", answer.agent.version)


async def update_agent(call: Call[NoQuery, AgentPatch]) -> Response:
    request = pb.UpdateAgentRequest(expected_version=call.expected_version)
    request.update_mask.CopyFrom(apply_patch(call.body, request.agent, PATCHED))
    request.agent.id = call.id
    if not request.update_mask.paths:
        call.require_version(await agent_version(call))
        return await get_agent(call)
    answer = await call.clients.agents.UpdateAgent(request)
    return call.resource(agent_from_proto(answer.agent), answer.agent.version)


async def delete_agent(call: Call[NoQuery, NoBody]) -> Response:
    await call.clients.agents.DeleteAgent(pb.DeleteAgentRequest(id=call.id, expected_version=call.expected_version))
    return call.no_content()


async def duplicate_agent(call: Call[NoQuery, DuplicateBody]) -> Response:
    answer = await call.clients.agents.DuplicateAgent(
        pb.DuplicateAgentRequest(id=call.id, display_name=call.body.name or "")
    )
    return call.created(agent_from_proto(answer.agent), f"/api/agents/{answer.agent.id}", answer.agent.version)


async def get_draft(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.agents.GetAgent(pb.GetAgentRequest(id=call.id))
    return call.resource(configuration_from_proto(answer.agent.draft), answer.agent.version)


async def publish_agent(call: Call[NoQuery, PublishBody]) -> Response:
    answer = await call.clients.agents.PublishAgent(
        pb.PublishAgentRequest(
            id=call.id,
            description=call.body.description or "",
            require_tests=call.body.require_tests,
            expected_version=call.expected_version,
        )
    )
    version = answer.agent_version
    return call.created(version_from_proto(version), f"/api/agents/{call.id}/versions/{version.version}")


async def list_versions(call: Call[ListQuery, NoBody]) -> Response:
    answer = await call.clients.agents.ListAgentVersions(
        pb.ListAgentVersionsRequest(agent_id=call.id, page=call.page_request())
    )
    return call.page(answer.agent_versions, answer.page_info, version_from_proto)


async def get_version(call: Call[NoQuery, NoBody]) -> Response:
    answer = await call.clients.agents.GetAgentVersion(
        pb.GetAgentVersionRequest(agent_id=call.id, version=_version_number(call.params["version"]))
    )
    return call.ok(version_from_proto(answer.agent_version))


async def agent_version(call: Call[Any, Any]) -> int:
    answer = await call.clients.agents.GetAgent(pb.GetAgentRequest(id=call.id))
    return answer.agent.version


def _version_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < _MAX_VERSION:
        raise NotFound("agent_version_not_found", "No such version.")
    return int(text)


_AGENT = {
    "name": "Reception",
    "systemPrompt": "You answer the phone of a bakery.",
    "firstMessage": "Good morning, how can I help?",
    "language": "en",
    "llm": {"model": "gpt-4o", "temperature": 0.4, "maxTokens": 400},
    "tags": ["sales"],
    "dynamicVariables": {"opening": "8:00"},
}

ROUTES = tagged(
    "Agents",
    Route(
        "GET", "/api/agents", list_agents, "List agents", scope="agents:read", query=AgentQuery, answer=list[AgentRow]
    ),
    Route(
        "POST",
        "/api/agents",
        create_agent,
        "Create an agent",
        scope="agents:write",
        body=AgentBody,
        example=_AGENT,
        answer=Agent,
        status=201,
        problems=(409,),
    ),
    Route("GET", "/api/agents/{id}", get_agent, "Read an agent", scope="agents:read", answer=Agent),
    Route(
        "PATCH",
        "/api/agents/{id}",
        update_agent,
        "Edit an agent's draft",
        scope="agents:write",
        body=AgentPatch,
        body_kind="merge_patch",
        example={"firstMessage": "Hello!", "llm": {"temperature": 0.2}, "description": None},
        answer=Agent,
        subject=agent_version,
        problems=(409,),
    ),
    Route(
        "DELETE",
        "/api/agents/{id}",
        delete_agent,
        "Delete an agent",
        scope="agents:write",
        status=204,
        subject=agent_version,
    ),
    Route(
        "POST",
        "/api/agents/{id}/duplicate",
        duplicate_agent,
        "Copy an agent",
        scope="agents:write",
        body=DuplicateBody,
        example={"name": "Reception 2"},
        answer=Agent,
        status=201,
        subject=agent_version,
    ),
    Route(
        "GET",
        "/api/agents/{id}/draft",
        get_draft,
        "Read the configuration that would be published",
        scope="agents:read",
        answer=AgentConfiguration,
    ),
    Route(
        "POST",
        "/api/agents/{id}/publish",
        publish_agent,
        "Freeze the draft as the next version",
        scope="agents:write",
        body=PublishBody,
        example={"description": "Friendlier greeting"},
        answer=AgentVersion,
        status=201,
        subject=agent_version,
        problems=(409,),
    ),
    Route(
        "GET",
        "/api/agents/{id}/versions",
        list_versions,
        "List published versions",
        scope="agents:read",
        query=ListQuery,
        answer=list[AgentVersion],
    ),
    Route(
        "GET",
        "/api/agents/{id}/versions/{version}",
        get_version,
        "Read a published version",
        scope="agents:read",
        answer=AgentVersion,
    ),
)
