"""Agents and versions: messages from values, content and filters from messages, and what an update may change."""

from __future__ import annotations

from echosenseix.agent.v1 import agent_pb2
from libs.rpc.masks import Editable, nested_paths
from libs.rpc.messages import Mapper, enum_numbers
from libs.rpc.times import to_timestamp
from services.agent.domain.agent import Agent, AgentVersion, Dependent
from services.agent.domain.content import AgentConfiguration, AgentContent
from services.agent.domain.filter import AgentFilter, check_filter

CONFIGURATION = Mapper(AgentConfiguration, agent_pb2.AgentConfiguration)
_FILTER = Mapper(AgentFilter, agent_pb2.ListAgentsRequest, without=("ids",))
_STATUS = enum_numbers(agent_pb2.AgentStatus.DESCRIPTOR)
# What an edit may change, by the paths of the message.
EDITABLE: Editable[AgentContent] = Editable(
    {
        "display_name": "name",
        "description": "description",
        "tags": "tags",
        "provider": "provider",
        "external_agent_id": "external_agent_id",
        **nested_paths("draft", "configuration", AgentConfiguration()),
    },
    # A map is replaced as a whole: merging could never remove a variable.
    maps=("draft.dynamic_variables",),
    # The JSON API shows the draft's fields beside the name, so errors point there.
    inlined="draft",
)


def agent_to_proto(agent: Agent) -> agent_pb2.Agent:
    content = agent.content
    return agent_pb2.Agent(
        id=agent.id,
        organization_id=agent.org_id,
        display_name=content.name,
        description=content.description,
        draft=CONFIGURATION.write(content.configuration),
        tags=content.tags,
        status=_STATUS[agent.status],  # type: ignore[arg-type]
        published_version=agent.published_version,
        provider=content.provider,
        external_agent_id=content.external_agent_id,
        version=agent.version,
        create_time=to_timestamp(agent.created_at),
        update_time=to_timestamp(agent.updated_at),
        has_unpublished_changes=agent.has_unpublished_changes,
    )


def version_to_proto(version: AgentVersion) -> agent_pb2.AgentVersion:
    frozen = version.configuration
    return agent_pb2.AgentVersion(
        id=version.id,
        agent_id=version.agent_id,
        version=version.number,
        description=version.description,
        configuration=None if frozen is None else CONFIGURATION.write(frozen),
        created_by=version.created_by,
        create_time=to_timestamp(version.created_at),
    )


def dependent_to_proto(dependent: Dependent) -> agent_pb2.Dependent:
    return agent_pb2.Dependent(
        agent_id=dependent.agent_id,
        display_name=dependent.name,
        status=_STATUS[dependent.status],  # type: ignore[arg-type]
        in_draft=dependent.in_draft,
        published_version=dependent.published_version,
    )


def filter_from_proto(request: agent_pb2.ListAgentsRequest) -> AgentFilter:
    return check_filter(_FILTER.read(request))


def content_from_proto(message: agent_pb2.Agent) -> AgentContent:
    return AgentContent(
        name=message.display_name,
        description=message.description,
        tags=tuple(message.tags),
        provider=message.provider,
        external_agent_id=message.external_agent_id,
        configuration=CONFIGURATION.read(message.draft),
    )
