"""Agents: their drafts, and what is published of them."""

from typing import Any

from starlette.responses import Response

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http import conditional, lists, responses
from gateway.http.derived import fill
from gateway.http.json_body import invalid_fields
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import Body, NoBody, NoQuery
from gateway.schemas.agents import (
    PATCHED,
    Agent,
    AgentBody,
    AgentConfiguration,
    AgentPatch,
    AgentQuery,
    AgentRow,
    AgentVersion,
    DuplicateBody,
    PublishBody,
    VersionQuery,
    agent_from_proto,
    agent_row_from_proto,
    configuration_from_proto,
    version_from_proto,
)
from gateway.state import ApiRequest
from libs.cache.classes import AGENT, AGENT_LIST
from libs.errors import NotFound, Violation
from libs.text import trimmed

# The first number that no version can have: the column is an int4.
_MAX_VERSION = 2**31


async def get_agent(request: ApiRequest[NoQuery, Any]) -> Response:
    answer = await request.app.clients.agents.GetAgent(pb.GetAgentRequest(id=request.id))
    return responses.resource(request, agent_from_proto(answer.agent), answer.agent.version)


async def list_agents(request: ApiRequest[AgentQuery, NoBody]) -> Response:
    message = pb.ListAgentsRequest(page=lists.page_request(request.query), provider=request.query.platform or "")
    fill(message, request.query, without=("platform",))
    answer = await request.app.clients.agents.ListAgents(message)
    return lists.page_response(request, answer.agents, answer.page_info, agent_row_from_proto)


async def create_agent(request: ApiRequest[NoQuery, AgentBody]) -> Response:
    message = pb.CreateAgentRequest()
    apply_patch(request.data, message.agent, PATCHED)
    answer = await request.app.clients.agents.CreateAgent(message)
    return responses.created(agent_from_proto(answer.agent), f"/api/agents/{answer.agent.id}", answer.agent.version)


async def update_agent(request: ApiRequest[NoQuery, Body]) -> Response:
    message = pb.UpdateAgentRequest(expected_version=conditional.expected_version(request))
    message.update_mask.CopyFrom(apply_patch(request.data, message.agent, PATCHED))
    message.agent.id = request.id
    # Nothing to change: the version is still checked, and the agent is answered as it is.
    if not message.update_mask.paths:
        conditional.require_version(request, await agent_version(request))
        return await get_agent(request)
    answer = await request.app.clients.agents.UpdateAgent(message)
    return responses.resource(request, agent_from_proto(answer.agent), answer.agent.version)


async def delete_agent(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.agents.DeleteAgent(
        pb.DeleteAgentRequest(id=request.id, expected_version=conditional.expected_version(request))
    )
    return responses.no_content()


async def duplicate_agent(request: ApiRequest[NoQuery, DuplicateBody]) -> Response:
    name = request.data.name
    if name is not None and not trimmed(name):
        raise invalid_fields(Violation("#/name", "required", "Give the copy a name, or leave the field out."))
    answer = await request.app.clients.agents.DuplicateAgent(
        pb.DuplicateAgentRequest(id=request.id, display_name=name or "")
    )
    return responses.created(agent_from_proto(answer.agent), f"/api/agents/{answer.agent.id}", answer.agent.version)


async def get_draft(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.agents.GetAgent(pb.GetAgentRequest(id=request.id))
    return responses.resource(request, configuration_from_proto(answer.agent.draft), answer.agent.version)


async def publish_agent(request: ApiRequest[NoQuery, PublishBody]) -> Response:
    answer = await request.app.clients.agents.PublishAgent(
        pb.PublishAgentRequest(
            id=request.id,
            description=request.data.description or "",
            require_tests=request.data.require_tests,
            expected_version=conditional.expected_version(request),
        )
    )
    version = answer.agent_version
    return responses.created(version_from_proto(version), f"/api/agents/{request.id}/versions/{version.version}")


async def list_versions(request: ApiRequest[VersionQuery, NoBody]) -> Response:
    answer = await request.app.clients.agents.ListAgentVersions(
        pb.ListAgentVersionsRequest(agent_id=request.id, page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.agent_versions, answer.page_info, version_from_proto)


async def get_version(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.agents.GetAgentVersion(
        pb.GetAgentVersionRequest(agent_id=request.id, version=_version_number(request.path_params["version"]))
    )
    return responses.ok(version_from_proto(answer.agent_version))


async def agent_version(request: ApiRequest[Any, Any]) -> int:
    answer = await request.app.clients.agents.GetAgent(pb.GetAgentRequest(id=request.id))
    return answer.agent.version


def _version_number(text: str) -> int:
    # isdigit alone also accepts digits of other scripts.
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < _MAX_VERSION:
        raise NotFound("agent_version_not_found", "No such version.")
    return int(text)


# The example of the document, and the body that its tests send.
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
        "GET",
        "/api/agents",
        list_agents,
        "List agents",
        scope="agents:read",
        cached=AGENT_LIST,
        query=AgentQuery,
        answer=list[AgentRow],  # type: ignore[valid-type]
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
        etag="version",
    ),
    Route(
        "GET",
        "/api/agents/{id}",
        get_agent,
        "Read an agent",
        scope="agents:read",
        cached=AGENT,
        answer=Agent,
        etag="version",
    ),
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
        etag="version",
        cached=AGENT,
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
        etag="version",
    ),
    Route(
        "GET",
        "/api/agents/{id}/draft",
        get_draft,
        "Read the configuration that would be published",
        scope="agents:read",
        cached=AGENT,
        answer=AgentConfiguration,
        etag="version",
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
    ),
    Route(
        "GET",
        "/api/agents/{id}/versions",
        list_versions,
        "List published versions",
        scope="agents:read",
        cached=AGENT,
        query=VersionQuery,
        answer=list[AgentVersion],
    ),
    Route(
        "GET",
        "/api/agents/{id}/versions/{version}",
        get_version,
        "Read a published version",
        scope="agents:read",
        cached=AGENT,
        answer=AgentVersion,
    ),
)
