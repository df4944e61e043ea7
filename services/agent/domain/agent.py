"""What an agent is and how it may change: create, edit, publish, duplicate, archive.

Every function takes values and returns new ones; none knows a table, a message or a clock. The owner edits `content`;
the service sets the rest.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from datetime import datetime

from libs.errors import FailedPrecondition

from .content import AgentConfiguration, AgentContent, digest
from .validation import NAME_MAX, check_content, check_note


class AgentStatus(enum.StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Agent:
    id: str
    org_id: str
    content: AgentContent
    status: AgentStatus
    draft_digest: str
    created_at: datetime
    updated_at: datetime
    published_digest: str = ""
    published_version: int = 0
    latest_version: int = 0
    version: int = 1

    @property
    def has_unpublished_changes(self) -> bool:
        return self.draft_digest != self.published_digest


@dataclass(frozen=True, slots=True)
class AgentVersion:
    id: str
    org_id: str
    agent_id: str
    number: int
    description: str
    # None in lists: a page of versions would carry as many prompts.
    configuration: AgentConfiguration | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Dependent:
    """An agent that speaks from a knowledge entry: by its draft, by its published version (0 if not), or by both."""

    agent_id: str
    name: str
    status: AgentStatus
    in_draft: bool
    published_version: int


def create(agent_id: str, org_id: str, content: AgentContent, now: datetime) -> Agent:
    content = check_content(content)
    return Agent(agent_id, org_id, content, AgentStatus.DRAFT, digest(content.configuration), now, now)


def edit(agent: Agent, content: AgentContent, now: datetime) -> Agent:
    """The agent with new content; the same object when nothing differs, so that callers write nothing."""
    content = check_content(content)
    draft_digest = digest(content.configuration)  # equality would take a variable's 1 for true
    if content == agent.content and draft_digest == agent.draft_digest:
        return agent
    return _grown(replace(agent, content=content, draft_digest=draft_digest), now)


def publish(agent: Agent, version_id: str, note: str, author: str, now: datetime) -> tuple[Agent, AgentVersion]:
    """Freeze the draft as the next number. Callers hold the agent's row lock, so numbers have no gaps."""
    number = agent.latest_version + 1
    frozen = agent.content.configuration
    version = AgentVersion(version_id, agent.org_id, agent.id, number, check_note(note), frozen, author, now)
    published = replace(
        agent,
        # Publishing is the only way in which an agent becomes active.
        status=AgentStatus.ACTIVE,
        published_version=number,
        latest_version=number,
        published_digest=agent.draft_digest,
    )
    return _grown(published, now), version


def duplicate(agent: Agent, agent_id: str, name: str, now: datetime) -> Agent:
    """A fresh draft with the same content; a provider's agent id stays with the original."""
    copied = name or f"{agent.content.name[: NAME_MAX - len(' (copy)')]} (copy)"
    # The provider's id is unique in an organization, so a copy begins without one.
    return create(agent_id, agent.org_id, replace(agent.content, name=copied, external_agent_id=""), now)


def archive(agent: Agent, now: datetime) -> Agent:
    return _grown(replace(agent, status=AgentStatus.ARCHIVED), now)


def check_version(agent: Agent, expected: int | None) -> None:
    if expected is not None and expected != agent.version:
        raise FailedPrecondition("stale_version", "The agent changed since you read it. Read it again and retry.")


def _grown(agent: Agent, now: datetime) -> Agent:
    return replace(agent, version=agent.version + 1, updated_at=now)
