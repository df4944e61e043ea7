"""The events this service writes, built from domain values. Topics are declared in libs.events.topics."""

from __future__ import annotations

from echosenseix.events.v1 import events_pb2
from libs.events import Event
from services.agent.domain.agent import Agent
from services.agent.domain.integration import Integration


def agent_event(topic: str, agent: Agent) -> Event:
    # Small on purpose: a consumer that needs the prompt asks for it, and an event log keeps no prompts.
    changed = events_pb2.AgentChanged(
        agent_id=agent.id,
        name=agent.content.name,
        status=agent.status.value,
        published_version=agent.published_version,
        version=agent.version,
        provider=agent.content.provider,
        external_agent_id=agent.content.external_agent_id,
    )
    # The key orders the events of one agent.
    return Event(topic=topic, org_id=agent.org_id, key=agent.id, data=changed)


def integration_event(topic: str, integration: Integration) -> Event:
    changed = events_pb2.IntegrationChanged(
        integration_id=integration.id,
        provider=integration.provider,
        status=integration.status.value,
        version=integration.version,
    )
    return Event(topic=topic, org_id=integration.org_id, key=integration.id, data=changed)
