"""Agents and their versions as the API shows and takes them."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http.schema import Answer, Body, ListQuery, limits
from gateway.http.wire import struct_to_json, time_to_json
from gateway.schemas.shapes import Name, SearchText, TagFilter, Tags, Text
from providers.registry import PROVIDERS

StatusName = Literal["draft", "active", "archived"]
if TYPE_CHECKING:
    ProviderName = str
else:  # a type checker reads only literals that are written out
    ProviderName = Literal[tuple(PROVIDERS)]
STATUS_NAMES: dict[int, StatusName] = {
    pb.AGENT_STATUS_DRAFT: "draft",
    pb.AGENT_STATUS_ACTIVE: "active",
    pb.AGENT_STATUS_ARCHIVED: "archived",
}
STATUSES: dict[str, pb.AgentStatus.ValueType] = {
    "draft": pb.AGENT_STATUS_DRAFT,
    "active": pb.AGENT_STATUS_ACTIVE,
    "archived": pb.AGENT_STATUS_ARCHIVED,
}

Prompt = Annotated[str, limits(maxLength=100_000)]
FirstMessage = Annotated[str, limits(maxLength=10_000)]
Language = Annotated[str, limits(maxLength=200), Meta(description="BCP 47, such as en or pt-BR.")]
ShortText = Annotated[str, limits(maxLength=200)]
Temperature = Annotated[float, limits(minimum=0, maximum=2)]
MaxTokens = Annotated[int, Meta(ge=-(2**31), lt=2**31), limits(minimum=1, maximum=1_000_000)]
Variables = dict[str, str | int | float | bool | None]


class LanguageModel(Answer):
    model: str | None
    temperature: float | None
    max_tokens: int | None


class AgentRow(Answer):
    """An agent in a list: without its prompt and variables."""

    id: str
    name: str
    description: str | None
    first_message: str | None
    language: str | None
    voice_id: str | None
    llm: LanguageModel
    tags: list[str]
    status: StatusName | None
    published_version: int | None
    has_unpublished_changes: bool
    provider: str | None
    external_agent_id: str | None
    organization_id: str
    version: int
    created_at: str | None
    updated_at: str | None


class Agent(AgentRow):
    system_prompt: str | None
    dynamic_variables: dict[str, Any]


class AgentConfiguration(Answer):
    """What a version froze."""

    system_prompt: str | None
    first_message: str | None
    language: str | None
    voice_id: str | None
    llm: LanguageModel
    dynamic_variables: dict[str, Any]


class AgentVersion(Answer):
    id: str
    agent_id: str
    version: int
    description: str | None
    created_by: str | None
    created_at: str | None
    # Null in lists.
    configuration: AgentConfiguration | None


class LanguageModelBody(Body):
    model: ShortText | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None


class LanguageModelPatch(Body):
    model: ShortText | UnsetType | None = UNSET
    temperature: Temperature | UnsetType | None = UNSET
    max_tokens: MaxTokens | UnsetType | None = UNSET


class AgentBody(Body):
    name: Name
    description: Text | None = None
    system_prompt: Prompt | None = None
    first_message: FirstMessage | None = None
    language: Language | None = None
    voice_id: ShortText | None = None
    llm: LanguageModelBody | None = None
    tags: Tags | None = None
    dynamic_variables: Variables | None = None
    provider: ProviderName | None = None
    external_agent_id: ShortText | None = None


class AgentPatch(Body):
    """RFC 7396: what is present is set, null clears; variables are merged by name."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    system_prompt: Prompt | UnsetType | None = UNSET
    first_message: FirstMessage | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET
    voice_id: ShortText | UnsetType | None = UNSET
    llm: LanguageModelPatch | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    dynamic_variables: Variables | UnsetType | None = UNSET
    provider: ProviderName | UnsetType | None = UNSET
    external_agent_id: ShortText | UnsetType | None = UNSET


class DuplicateBody(Body):
    name: Name | None = None


class PublishBody(Body):
    description: Text | None = None
    require_tests: bool = False


class AgentQuery(ListQuery):
    search: SearchText | None = None
    tags: TagFilter | None = None
    status: StatusName | None = None
    provider: ProviderName | None = None
    platform: Annotated[ProviderName, Meta(description="The same as provider.")] | None = None


# Attribute of a patch -> field of the message.
PATCHED = {
    "name": "display_name",
    "description": "description",
    "system_prompt": "draft.system_prompt",
    "first_message": "draft.first_message",
    "language": "draft.language",
    "voice_id": "draft.voice_id",
    "llm": "draft.llm",
    "tags": "tags",
    "dynamic_variables": "draft.dynamic_variables",
    "provider": "provider",
    "external_agent_id": "external_agent_id",
}


def _llm(llm: pb.LanguageModel) -> LanguageModel:
    return LanguageModel(
        model=llm.model or None,
        temperature=llm.temperature if llm.HasField("temperature") else None,
        max_tokens=llm.max_tokens if llm.HasField("max_tokens") else None,
    )


def agent_row_from_proto(agent: pb.Agent) -> AgentRow:
    draft = agent.draft
    return AgentRow(
        id=agent.id,
        name=agent.display_name,
        description=agent.description or None,
        first_message=draft.first_message or None,
        language=draft.language or None,
        voice_id=draft.voice_id or None,
        llm=_llm(draft.llm),
        tags=list(agent.tags),
        status=STATUS_NAMES.get(agent.status),
        published_version=agent.published_version or None,
        has_unpublished_changes=agent.has_unpublished_changes,
        provider=agent.provider or None,
        external_agent_id=agent.external_agent_id or None,
        organization_id=agent.organization_id,
        version=agent.version,
        created_at=time_to_json(agent.create_time),
        updated_at=time_to_json(agent.update_time),
    )


def agent_from_proto(agent: pb.Agent) -> Agent:
    draft = agent.draft
    return Agent(
        id=agent.id,
        name=agent.display_name,
        description=agent.description or None,
        system_prompt=draft.system_prompt or None,
        first_message=draft.first_message or None,
        language=draft.language or None,
        voice_id=draft.voice_id or None,
        llm=_llm(draft.llm),
        tags=list(agent.tags),
        dynamic_variables=struct_to_json(draft.dynamic_variables),
        status=STATUS_NAMES.get(agent.status),
        published_version=agent.published_version or None,
        has_unpublished_changes=agent.has_unpublished_changes,
        provider=agent.provider or None,
        external_agent_id=agent.external_agent_id or None,
        organization_id=agent.organization_id,
        version=agent.version,
        created_at=time_to_json(agent.create_time),
        updated_at=time_to_json(agent.update_time),
    )


def configuration_from_proto(configuration: pb.AgentConfiguration) -> AgentConfiguration:
    return AgentConfiguration(
        system_prompt=configuration.system_prompt or None,
        first_message=configuration.first_message or None,
        language=configuration.language or None,
        voice_id=configuration.voice_id or None,
        llm=_llm(configuration.llm),
        dynamic_variables=struct_to_json(configuration.dynamic_variables),
    )


def version_from_proto(version: pb.AgentVersion) -> AgentVersion:
    frozen = version.configuration if version.HasField("configuration") else None
    return AgentVersion(
        id=version.id,
        agent_id=version.agent_id,
        version=version.version,
        description=version.description or None,
        created_by=version.created_by or None,
        created_at=time_to_json(version.create_time),
        configuration=None if frozen is None else configuration_from_proto(frozen),
    )
