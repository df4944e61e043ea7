"""The one table of events: topic, owner, and the message of events/v1 that is its data.

An event that is not here cannot be appended, and one that no service appends is not here: customers subscribe to what
the table offers (tests/contract holds both).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.message import Message

from echosenseix.events.v1 import events_pb2 as pb


@dataclass(frozen=True, slots=True)
class Topic:
    """Who appends the event (empty: every service, for its own jobs) and the type of its data."""

    service: str
    message: type[Message]


def _topics(service: str, message: type[Message], *names: str) -> Iterable[tuple[str, Topic]]:
    return ((name, Topic(service, message)) for name in names)


TOPICS: Mapping[str, Topic] = MappingProxyType(
    dict(
        [
            *_topics("identity", pb.OrganizationChanged, "org.created", "org.updated"),
            *_topics("identity", pb.UserChanged, "user.created", "user.updated", "user.removed"),
            *_topics("identity", pb.MailRequested, "mail.requested"),
            *_topics("identity", pb.ApiKeyChanged, "api_key.created", "api_key.rotated", "api_key.revoked"),
            *_topics("identity", pb.SessionRevoked, "session.revoked"),
            *_topics(
                "agent", pb.AgentChanged,
                "agent.created", "agent.updated", "agent.published", "agent.deleted",
            ),
            *_topics(
                "agent", pb.IntegrationChanged,
                "integration.updated", "integration.synced", "integration.failed",
            ),
            *_topics(
                "knowledge", pb.DocumentChanged,
                "document.uploaded", "document.processed", "document.failed",
            ),
            *_topics("knowledge", pb.EntryChanged, "entry.created", "entry.updated", "entry.deleted"),
            *_topics(
                "calllog", pb.CallChanged,
                "call.started", "call.updated", "call.ended", "call.recording_ready",
            ),
            *_topics("calllog", pb.CallTurn, "call.turn"),
            *_topics("calllog", pb.CallCommandChanged, "call.command_requested", "call.command_settled"),
            *_topics("billing", pb.UsageRecorded, "usage.recorded"),
            *_topics("billing", pb.CreditChanged, "credit.low", "credit.depleted", "credit.topped_up"),
            *_topics("realtime", pb.WebhookEndpointChanged, "webhook_endpoint.disabled", "webhook.test"),
            *_topics("", pb.JobChanged, "job.progressed", "job.finished"),
        ]
    )
)  # fmt: skip

# Between services alone: neither logged nor shown, because the data carry a secret.
UNTOLD = frozenset({"mail.requested"})
