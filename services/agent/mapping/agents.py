"""Agents and versions: messages from values, content from messages, and the merge of a partial update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from google.protobuf import struct_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from echosenseix.agent.v1 import agent_pb2
from libs.errors import InvalidArgument, Violation
from libs.rpc.times import to_timestamp
from services.agent.domain.agent import Agent, AgentStatus, AgentVersion
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel, Scalar
from services.agent.domain.filter import AgentFilter, check_filter

_STATUS = {
    AgentStatus.DRAFT: agent_pb2.AGENT_STATUS_DRAFT,
    AgentStatus.ACTIVE: agent_pb2.AGENT_STATUS_ACTIVE,
    AgentStatus.ARCHIVED: agent_pb2.AGENT_STATUS_ARCHIVED,
}
_VARIABLE = "draft.dynamic_variables."
EDITABLE = frozenset(
    (
        "display_name",
        "description",
        "tags",
        "provider",
        "external_agent_id",
        "draft.system_prompt",
        "draft.first_message",
        "draft.language",
        "draft.voice_id",
        "draft.llm",
        "draft.llm.model",
        "draft.llm.temperature",
        "draft.llm.max_tokens",
        "draft.dynamic_variables",
    )
)


def agent_to_proto(agent: Agent) -> agent_pb2.Agent:
    content = agent.content
    return agent_pb2.Agent(
        id=agent.id,
        organization_id=agent.org_id,
        display_name=content.name,
        description=content.description,
        draft=configuration_to_proto(content.configuration),
        tags=content.tags,
        status=_STATUS[agent.status],
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
        configuration=None if frozen is None else configuration_to_proto(frozen),
        created_by=version.created_by,
        create_time=to_timestamp(version.created_at),
    )


def configuration_to_proto(configuration: AgentConfiguration) -> agent_pb2.AgentConfiguration:
    variables = struct_pb2.Struct()
    variables.update(cast(Mapping[str, Any], configuration.dynamic_variables))
    llm = configuration.llm
    return agent_pb2.AgentConfiguration(
        system_prompt=configuration.system_prompt,
        first_message=configuration.first_message,
        language=configuration.language,
        voice_id=configuration.voice_id,
        llm=agent_pb2.LanguageModel(model=llm.model, temperature=llm.temperature, max_tokens=llm.max_tokens),
        dynamic_variables=variables,
    )


def status_from_proto(status: agent_pb2.AgentStatus.ValueType) -> AgentStatus | None:
    """None for the unspecified and for numbers this release does not know."""
    return next((known for known, number in _STATUS.items() if number == status), None)


def filter_from_proto(request: agent_pb2.ListAgentsRequest) -> AgentFilter:
    return check_filter(
        AgentFilter(request.search, tuple(request.tags), status_from_proto(request.status), request.provider)
    )


def content_from_proto(message: agent_pb2.Agent) -> AgentContent:
    return AgentContent(
        name=message.display_name,
        description=message.description,
        tags=tuple(message.tags),
        provider=message.provider,
        external_agent_id=message.external_agent_id,
        configuration=configuration_from_proto(message.draft),
    )


def configuration_from_proto(message: agent_pb2.AgentConfiguration) -> AgentConfiguration:
    llm = message.llm
    return AgentConfiguration(
        system_prompt=message.system_prompt,
        first_message=message.first_message,
        language=message.language,
        voice_id=message.voice_id,
        llm=LanguageModel(
            model=llm.model,
            temperature=llm.temperature if llm.HasField("temperature") else None,
            max_tokens=llm.max_tokens if llm.HasField("max_tokens") else None,
        ),
        dynamic_variables={name: _scalar(value) for name, value in message.dynamic_variables.fields.items()},
    )


def merged_content(agent: Agent, patch: agent_pb2.Agent, paths: Iterable[str]) -> AgentContent:
    """The agent's content with the fields that the mask names taken from the patch; an absent one is cleared."""
    merged = agent_to_proto(agent)
    for path in paths:
        if path.startswith(_VARIABLE):
            _take_variable(path.removeprefix(_VARIABLE), patch, merged)
        elif path in EDITABLE:
            _take_field(path, patch, merged)
        else:
            found = Violation(_pointer(path), "not_editable", "This field cannot be changed.")
            raise InvalidArgument("field_not_editable", "The update names a field it may not.", violations=[found])
    return content_from_proto(merged)


def _take_variable(name: str, patch: agent_pb2.Agent, merged: agent_pb2.Agent) -> None:
    given = patch.draft.dynamic_variables.fields
    kept = merged.draft.dynamic_variables.fields
    kept.pop(name, None)
    if name in given:
        kept[name].CopyFrom(given[name])


def _take_field(path: str, patch: Message, merged: Message) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        patch, merged = getattr(patch, parent), getattr(merged, parent)
    field = merged.DESCRIPTOR.fields_by_name[leaf]
    merged.ClearField(leaf)
    if field.has_presence and not patch.HasField(leaf):
        return
    if field.is_repeated or field.message_type is not None:
        getattr(merged, leaf).MergeFrom(getattr(patch, leaf))
    else:
        setattr(merged, leaf, getattr(patch, leaf))


def _scalar(value: struct_pb2.Value) -> Scalar:
    """The JSON value; objects and lists come through as they are, for the rules to refuse."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= 2**53 else number
    if kind in (None, "null_value"):
        return None
    if kind in ("struct_value", "list_value"):
        return cast(Scalar, MessageToDict(value))
    return cast(Scalar, getattr(value, kind))


def _pointer(path: str) -> str:
    """A mask path as the JSON API would point at it."""
    words = path.removeprefix("draft.").split(".")[-1].split("_")
    name = words[0] + "".join(word.capitalize() for word in words[1:])
    return "#/" + {"displayName": "name", "createTime": "createdAt", "updateTime": "updatedAt"}.get(name, name)[:100]
