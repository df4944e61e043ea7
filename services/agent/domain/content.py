"""The part of an agent that its owner edits, and the part of that which a version freezes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class LanguageModel:
    model: str = ""
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class AgentConfiguration:
    """What an agent says and how: the part that a version freezes."""

    system_prompt: str = ""
    first_message: str = ""
    language: str = ""
    voice_id: str = ""
    llm: LanguageModel = LanguageModel()
    dynamic_variables: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgentContent:
    """What its owner may edit."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    provider: str = ""
    external_agent_id: str = ""
    configuration: AgentConfiguration = AgentConfiguration()


def digest(configuration: AgentConfiguration) -> str:
    """Tells whether two configurations say the same, without keeping the published one beside the draft."""
    text = json.dumps(dataclasses.asdict(configuration), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
