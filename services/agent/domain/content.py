"""The part of an agent that its owner edits, and the part of that which a version freezes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    max_duration_seconds: int | None = None
    knowledge_entry_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentContent:
    """What its owner may edit."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    provider: str = ""
    external_agent_id: str = ""
    configuration: AgentConfiguration = AgentConfiguration()


# What the first release hashed, whatever its value: digests that it stored must stay equal to those made today.
_ALWAYS_HASHED = frozenset(
    ("system_prompt", "first_message", "language", "voice_id", "llm", "model", "temperature", "max_tokens")
) | {"dynamic_variables"}


def digest(configuration: AgentConfiguration) -> str:
    """Tells whether two configurations say the same, without keeping the published one beside the draft.

    A field that was added later counts only where it differs from its default, so that adding it changes no digest.
    """
    # Sorted keys and fixed separators: the same content has one text on every machine.
    text = json.dumps(_hashed(configuration), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _hashed(value: Any) -> dict[str, Any]:
    default, found = type(value)(), {}
    for part in dataclasses.fields(value):
        item = getattr(value, part.name)
        if part.name in _ALWAYS_HASHED or item != getattr(default, part.name):
            found[part.name] = _hashed(item) if dataclasses.is_dataclass(item) else item
    return found
