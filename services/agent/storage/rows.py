"""Between rows and domain values: the columns of an agent and the JSON of a frozen configuration."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from libs.postgres import Record
from services.agent.domain.agent import Agent, AgentStatus, AgentVersion
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel

_SHARED = (
    "org_id, id, name, description, tags, status, provider, external_agent_id, first_message, language, voice_id, "
    "llm_model, llm_temperature, llm_max_tokens, draft_digest, published_digest, published_version, latest_version, "
    "version, created_at, updated_at"
)
AGENT = (
    ", ".join(f"a.{name}" for name in _SHARED.split(", ")) + ", a.system_prompt, a.dynamic_variables::text as variables"
)
# Lists never read the prompt or the variables: they are most of a row's bytes.
AGENT_IN_LIST = ", ".join(f"a.{name}" for name in _SHARED.split(", ")) + ", '' as system_prompt, '{}' as variables"

WRITTEN = (
    "name", "description", "tags", "status", "provider", "external_agent_id", "system_prompt", "first_message",
    "language", "voice_id", "llm_model", "llm_temperature", "llm_max_tokens", "dynamic_variables", "draft_digest",
    "published_digest", "published_version", "latest_version", "version", "created_at", "updated_at",
)  # fmt: skip


def agent_values(agent: Agent) -> tuple[Any, ...]:
    """The values of WRITTEN, in its order."""
    content, draft = agent.content, agent.content.configuration
    described = (content.name, content.description, list(content.tags), agent.status.value)
    tied = (content.provider, content.external_agent_id)
    spoken = (draft.system_prompt, draft.first_message, draft.language, draft.voice_id)
    model = (draft.llm.model, draft.llm.temperature, draft.llm.max_tokens, json.dumps(dict(draft.dynamic_variables)))
    published = (agent.draft_digest, agent.published_digest, agent.published_version, agent.latest_version)
    return (*described, *tied, *spoken, *model, *published, agent.version, agent.created_at, agent.updated_at)


def agent_from_row(row: Record) -> Agent:
    configuration = AgentConfiguration(
        system_prompt=row["system_prompt"],
        first_message=row["first_message"],
        language=row["language"],
        voice_id=row["voice_id"],
        llm=LanguageModel(row["llm_model"], row["llm_temperature"], row["llm_max_tokens"]),
        dynamic_variables=json.loads(row["variables"]),
    )
    content = AgentContent(
        name=row["name"],
        description=row["description"],
        tags=tuple(row["tags"]),
        provider=row["provider"],
        external_agent_id=row["external_agent_id"],
        configuration=configuration,
    )
    return Agent(
        id=row["id"],
        org_id=row["org_id"],
        content=content,
        status=AgentStatus(row["status"]),
        draft_digest=row["draft_digest"],
        published_digest=row["published_digest"],
        published_version=row["published_version"],
        latest_version=row["latest_version"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def version_from_row(row: Record) -> AgentVersion:
    frozen = row["configuration"]
    return AgentVersion(
        id=row["id"],
        org_id=row["org_id"],
        agent_id=row["agent_id"],
        number=row["number"],
        description=row["description"],
        configuration=None if frozen is None else configuration_from_json(frozen),
        created_by=row["created_by"],
        created_at=row["created_at"],
    )


def configuration_to_json(configuration: AgentConfiguration) -> str:
    return json.dumps(asdict(configuration), ensure_ascii=False)


def configuration_from_json(text: str) -> AgentConfiguration:
    fields = json.loads(text)
    return AgentConfiguration(**{**fields, "llm": LanguageModel(**fields["llm"])})
