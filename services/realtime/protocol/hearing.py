"""The events that a caller may read, as a list of topics. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Sequence, Set

from libs.errors import PermissionDenied, invalid_parameter
from libs.events.topics import LOGGED, TOPICS
from services.realtime.domain.channels import may_hear, scope_of_event
from services.realtime.domain.delivery import names

# Topics whose events name an agent: all that is heard by who is limited to some agents.
OF_AGENTS = frozenset(topic for topic in LOGGED if "agent_id" in TOPICS[topic].message.DESCRIPTOR.fields_by_name)


def is_about(envelope: bytes, agents: Set[str]) -> bool:
    """Whether the event names one of these agents."""
    return _agent_of(envelope) in agents


@functools.lru_cache(maxsize=64)
def _agent_of(envelope: bytes) -> str | None:
    """Read once for all who ask at about the same time."""
    agent: str | None = json.loads(envelope)["data"].get("agentId")
    return agent


def heard_topics(scopes: Set[str], wanted: Sequence[str] = (), *, limited: bool = False) -> list[str]:
    """The topics that these scopes hear, of those that `wanted` names: a type, `call.*`, `*`. A caller that is
    `limited` to some agents hears of agents and their calls alone.

    Raises InvalidArgument("invalid_query") for a name that no event has."""
    if unknown := unknown_types(wanted):
        named = repr(wanted[unknown[0]])
        raise invalid_parameter("types", f"No event has the type {named}; see the events' documentation.")
    topics = _named(wanted) if wanted else list(LOGGED)
    return [topic for topic in topics if may_hear(topic, scopes) and not (limited and topic not in OF_AGENTS)]


def unknown_types(wanted: Sequence[str]) -> list[int]:
    """The places of names that no event has."""
    return [index for index, name in enumerate(wanted) if not _named((name,))]


def check_hearing(event_types: Collection[str], scopes: Set[str]) -> None:
    """Raises PermissionDenied("missing_scope") unless the scopes hear all events that the types name."""
    missing = sorted({scope_of_event(topic) for topic in _named(event_types) if not may_hear(topic, scopes)})
    if missing:
        raise PermissionDenied("missing_scope", f"These event types need the scopes {', '.join(missing)}.")


def _named(event_types: Collection[str]) -> list[str]:
    return [topic for topic in LOGGED if any(names(wanted, topic) for wanted in event_types)]
