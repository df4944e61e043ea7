"""The one table of events: topic, owner, and the message of events/v1 that is its data.

An event that is not here cannot be appended, and one that no service appends is not here: customers subscribe to what
the table offers (tests/contract holds both).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Topic:
    """Who appends the event (empty: every service, for its own jobs) and the message of events/v1 that is its data."""

    service: str
    message: str


def _topics(service: str, message: str, *names: str) -> Iterable[tuple[str, Topic]]:
    return ((name, Topic(service, message)) for name in names)


TOPICS: Mapping[str, Topic] = MappingProxyType(
    dict(
        [
            *_topics("identity", "OrganizationChanged", "org.created", "org.updated"),
            *_topics("identity", "UserChanged", "user.created"),
            *_topics("identity", "ApiKeyChanged", "api_key.created", "api_key.rotated", "api_key.revoked"),
            *_topics("identity", "SessionRevoked", "session.revoked"),
            *_topics(
                "agent", "AgentChanged",
                "agent.created", "agent.updated", "agent.published", "agent.deleted",
            ),
            *_topics(
                "agent", "IntegrationChanged",
                "integration.updated", "integration.synced", "integration.failed",
            ),
            *_topics(
                "knowledge", "DocumentChanged",
                "document.uploaded", "document.processed", "document.failed",
            ),
            *_topics("knowledge", "EntryChanged", "entry.created", "entry.updated", "entry.deleted"),
            *_topics(
                "calllog", "CallChanged",
                "call.started", "call.updated", "call.ended", "call.recording_ready",
            ),
            *_topics("billing", "UsageRecorded", "usage.recorded"),
            *_topics("billing", "CreditChanged", "credit.low", "credit.depleted", "credit.topped_up"),
            *_topics("realtime", "WebhookEndpointChanged", "webhook_endpoint.disabled", "webhook.test"),
            *_topics("", "JobChanged", "job.progressed", "job.finished"),
        ]
    )
)  # fmt: skip
