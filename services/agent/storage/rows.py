"""Between rows and domain values: the columns of an agent, once, and the JSON of a frozen configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from libs.postgres import Record
from services.agent.domain.agent import Agent, AgentStatus, AgentVersion
from services.agent.domain.content import AgentConfiguration, AgentContent, LanguageModel


@dataclass(frozen=True, slots=True)
class _Column:
    """A column, with the attribute of an agent that it keeps. `in_list` is what a list selects in its place."""

    name: str
    attribute: str
    in_list: str = ""
    select: str = ""
    to_row: Callable[[Any], Any] | None = None
    from_row: Callable[[Any], Any] | None = None


def _draft(name: str, attribute: str = "", **more: Any) -> _Column:
    return _Column(name, f"content.configuration.{attribute or name}", **more)


# One line a column. The statements, both mappings and the list's columns follow from it.
_COLUMNS = (
    _Column("org_id", "org_id"),
    _Column("id", "id"),
    _Column("name", "content.name"),
    _Column("description", "content.description"),
    _Column("tags", "content.tags", to_row=list, from_row=tuple),
    _Column("status", "status", to_row=attrgetter("value"), from_row=AgentStatus),
    _Column("provider", "content.provider"),
    _Column("external_agent_id", "content.external_agent_id"),
    # Lists never read the prompt or the variables: they are most of a row's bytes.
    _draft("system_prompt", in_list="''"),
    _draft("first_message"),
    _draft("language"),
    _draft("voice_id"),
    _draft("llm_model", "llm.model"),
    _draft("llm_temperature", "llm.temperature"),
    _draft("llm_max_tokens", "llm.max_tokens"),
    _draft(
        "dynamic_variables", in_list="'{}'", select="a.dynamic_variables::text", to_row=json.dumps, from_row=json.loads
    ),
    _draft("max_duration_seconds"),
    _draft("knowledge_entry_ids", to_row=list, from_row=tuple),
    _Column("draft_digest", "draft_digest"),
    _Column("published_digest", "published_digest"),
    _Column("published_version", "published_version"),
    _Column("latest_version", "latest_version"),
    _Column("version", "version"),
    _Column("created_at", "created_at"),
    _Column("updated_at", "updated_at"),
)
AGENT = ", ".join(f"{column.select or 'a.' + column.name} as {column.name}" for column in _COLUMNS)
AGENT_IN_LIST = ", ".join(
    f"{column.in_list or column.select or 'a.' + column.name} as {column.name}" for column in _COLUMNS
)
# Statements name the organization and the id as $1 and $2.
WRITTEN = tuple(column.name for column in _COLUMNS)
_attributes = attrgetter(*(column.attribute for column in _COLUMNS))


def agent_values(agent: Agent) -> tuple[Any, ...]:
    """The values of WRITTEN, in its order."""
    return tuple(
        value if column.to_row is None else column.to_row(value)
        for column, value in zip(_COLUMNS, _attributes(agent), strict=True)
    )


def changed_values(before: Agent, after: Agent) -> str:
    """The columns in which two states of an agent differ, as the JSON that save_agent takes."""
    pairs = zip(_COLUMNS, agent_values(before), agent_values(after), strict=True)
    changed = {
        column.name: json.loads(new) if column.to_row is json.dumps else new for column, old, new in pairs if old != new
    }
    return json.dumps(changed, ensure_ascii=False, default=datetime.isoformat)


def _grouped(prefix: str) -> tuple[_Column, ...]:
    """The columns of the attributes that stand directly under `prefix`."""
    return tuple(column for column in _COLUMNS if column.attribute.rpartition(".")[0] == prefix)


_AGENT, _CONTENT, _CONFIGURATION, _LLM = map(
    _grouped, ("", "content", "content.configuration", "content.configuration.llm")
)


def agent_from_row(row: Record) -> Agent:
    llm = LanguageModel(**_values(row, _LLM))
    configuration = AgentConfiguration(**_values(row, _CONFIGURATION), llm=llm)
    content = AgentContent(**_values(row, _CONTENT), configuration=configuration)
    return Agent(**_values(row, _AGENT), content=content)


def _values(row: Record, columns: tuple[_Column, ...]) -> dict[str, Any]:
    return {
        column.attribute.rpartition(".")[2]: row[column.name]
        if column.from_row is None
        else column.from_row(row[column.name])
        for column in columns
    }


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
    # Readable in psql, and shorter for scripts other than Latin.
    return json.dumps(asdict(configuration), ensure_ascii=False)


def configuration_from_json(text: str) -> AgentConfiguration:
    """A frozen configuration. Fields that a version does not have were frozen before they existed; fields that this
    release does not know were frozen by a later one, which may run beside it during an upgrade."""
    frozen = json.loads(text)
    llm = LanguageModel(**_known(LanguageModel, frozen["llm"]))
    known = _known(AgentConfiguration, frozen)
    entries = tuple(known.get("knowledge_entry_ids", ()))
    return AgentConfiguration(**known | {"llm": llm, "knowledge_entry_ids": entries})


def _known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {part.name: values[part.name] for part in fields(kind) if part.name in values}
