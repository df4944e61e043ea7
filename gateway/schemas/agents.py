"""Agents and their versions as the API shows and takes them."""

from typing import Annotated, Literal

from msgspec import Meta

from echosenseix.agent.v1 import agent_pb2 as pb
from gateway.http.derived import answer_of, patch_of, reader
from gateway.http.schema import SORT, Answer, Body, ListQuery, limits
from gateway.schemas.shapes import Language, Name, ProviderName, SearchText, TagFilter, Tags, Text

StatusName = Literal["draft", "active", "archived"]

Prompt = Annotated[str, limits(maxLength=100_000)]
FirstMessage = Annotated[str, limits(maxLength=10_000)]
ShortText = Annotated[str, limits(maxLength=200)]
Temperature = Annotated[float, limits(minimum=0, maximum=2)]
MaxTokens = Annotated[int, Meta(ge=-(2**31), lt=2**31), limits(minimum=1, maximum=1_000_000)]
Variables = dict[str, str | int | float | bool | None]
MaxDuration = Annotated[
    int,
    Meta(ge=-(2**31), lt=2**31, description="Calls end after so many seconds; null: the provider's limit."),
    limits(minimum=10, maximum=43_200),
]


KnowledgeEntryIds = Annotated[
    list[ShortText],
    Meta(description="Ids of the knowledge entries that the agent speaks from."),
    limits(maxItems=100),
]


class LanguageModelBody(Body):
    model: ShortText | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None


class ConfigurationBody(Body):
    """What an agent says and how: the part that a version freezes. Answers and patches are made from this."""

    system_prompt: Prompt | None = None
    first_message: FirstMessage | None = None
    language: Language | None = None
    voice_id: ShortText | None = None
    llm: LanguageModelBody | None = None
    dynamic_variables: Variables | None = None
    max_duration_seconds: MaxDuration | None = None
    knowledge_entry_ids: KnowledgeEntryIds | None = None


class AgentBody(ConfigurationBody, kw_only=True):
    name: Name
    description: Text | None = None
    tags: Tags | None = None
    provider: ProviderName | None = None
    external_agent_id: ShortText | None = None


class _AgentFacts(Answer):
    """What the service says about an agent beyond what its owner edits."""

    id: str
    status: StatusName | None
    published_version: int | None
    has_unpublished_changes: bool
    organization_id: str
    version: int
    created_at: str | None
    updated_at: str | None


AgentPatch = patch_of(
    "AgentPatch", AgentBody, "RFC 7396: what is present is set, null clears; variables are merged by name."
)
Agent = answer_of("Agent", _AgentFacts, AgentBody)
AgentRow = answer_of(
    "AgentRow",
    _AgentFacts,
    AgentBody,
    without=("system_prompt", "dynamic_variables"),
    doc="An agent in a list: without its prompt and variables.",
)
AgentConfiguration = answer_of("AgentConfiguration", ConfigurationBody, doc="What a version froze.")


class AgentVersion(Answer):
    id: str
    agent_id: str
    version: int
    description: str | None
    created_by: str | None
    created_at: str | None
    # Null in lists.
    configuration: AgentConfiguration | None  # type: ignore[valid-type]


class Dependent(Answer):
    """An agent that speaks from a knowledge entry."""

    agent_id: str
    name: str
    status: StatusName | None
    # Whether its draft names the entry.
    in_draft: bool
    # Its published version where that names the entry.
    published_version: int | None


class DependentQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "name"], SORT] | None = None


class DuplicateBody(Body):
    name: Annotated[Name, Meta(min_length=1)] | None = None


class PublishBody(Body):
    description: Text | None = None
    require_tests: bool = False


class VersionQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "version"], SORT] | None = None


class AgentQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "updatedAt", "name"], SORT] | None = None
    search: SearchText | None = None
    tags: TagFilter | None = None
    status: StatusName | None = None
    provider: ProviderName | None = None
    platform: Annotated[ProviderName, Meta(description="The same as provider.")] | None = None


# Attribute of a body -> field of the message.
PATCHED = {
    **{name: f"draft.{name}" for name in ConfigurationBody.__struct_fields__},
    "name": "display_name",
    "description": "description",
    "tags": "tags",
    "provider": "provider",
    "external_agent_id": "external_agent_id",
}

agent_from_proto = reader(Agent, pb.Agent, PATCHED)
agent_row_from_proto = reader(AgentRow, pb.Agent, PATCHED)
configuration_from_proto = reader(AgentConfiguration, pb.AgentConfiguration)


def _frozen(version: pb.AgentVersion) -> Answer | None:
    return configuration_from_proto(version.configuration) if version.HasField("configuration") else None


version_from_proto = reader(AgentVersion, pb.AgentVersion, configuration=_frozen)
dependent_from_proto = reader(Dependent, pb.Dependent, {"name": "display_name"})
