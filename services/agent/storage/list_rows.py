"""An agent in a list as the API shows it: its columns and its JSON."""

from __future__ import annotations

from libs.json_rows import JsonRow, time_text
from libs.postgres import Record

# Without the prompt and the variables: they are most of a row's bytes.
AGENT_ROW = """a.id, a.status, a.published_version, a.draft_digest <> a.published_digest as has_unpublished_changes,
    a.org_id, a.version, a.created_at, a.updated_at, a.first_message, a.language, a.voice_id, a.llm_model,
    a.llm_temperature, a.llm_max_tokens, a.max_duration_seconds, a.knowledge_entry_ids, a.name, a.description, a.tags,
    a.provider, a.external_agent_id"""


class _LanguageModel(JsonRow):
    model: str | None
    temperature: float | None
    max_tokens: int | None


class AgentRow(JsonRow):
    id: str
    status: str
    published_version: int | None
    has_unpublished_changes: bool
    organization_id: str
    version: int
    created_at: str | None
    updated_at: str | None
    first_message: str | None
    language: str | None
    voice_id: str | None
    llm: _LanguageModel
    max_duration_seconds: int | None
    knowledge_entry_ids: list[str]
    name: str
    description: str | None
    tags: list[str]
    provider: str | None
    external_agent_id: str | None


def agent_row(row: Record) -> AgentRow:
    """From a record of AGENT_ROW. By position: a look-up by name costs as much as the column itself."""
    (
        id_, status, published, changed, org_id, version, created_at, updated_at, first_message, language, voice_id,
        model, temperature, max_tokens, max_seconds, entries, name, description, tags, provider, external_id,
        *_,
    ) = row[:]  # fmt: skip
    return AgentRow(
        id_, status, published or None, changed, org_id, version, time_text(created_at), time_text(updated_at),
        first_message or None, language or None, voice_id or None,
        _LanguageModel(model or None, temperature, max_tokens), max_seconds, entries, name, description or None, tags,
        provider or None, external_id or None,
    )  # fmt: skip
