"""The one table of what travels over NATS: topics of events with their owners, and the names of subjects.

An event that is not here cannot be appended, and one that nobody appends is not here: customers subscribe to what the
table offers (tests/contract holds both). Subjects are `evt.<org>.<service>.<entity>.<verb>` in the stream EVENTS;
everything else is core NATS, may be lost, and only makes somebody look into PostgreSQL sooner.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

STREAM = "EVENTS"
STREAM_SUBJECTS = "evt.>"


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


def event_subject(org_id: str, service: str, topic: str) -> str:
    """Where an event is published."""
    return f"evt.{org_id}.{service}.{topic}"


def event_filter(topic: str) -> str:
    """What a consumer of the topic asks for: every organisation's."""
    return f"evt.*.{TOPICS[topic].service or '*'}.{topic}"


def outbox_wakeup(service: str) -> str:
    """Tells the relay of a service that something was committed."""
    return f"outbox.{service}"


def job_wakeup(service: str, queue: str) -> str:
    """Tells one of the workers of a queue that a job is due."""
    return f"jobs.{service}.{queue}"


def delayed_job_wakeup(service: str, queue: str) -> str:
    """Tells one of the workers of a queue that a job was written which is due later."""
    return f"jobs.{service}.{queue}.later"


def jobs_progress(org_id: str, job_id: str) -> str:
    """Tells realtime how a job goes on: JSON {jobId, kind, state, progress}, for the channel job:<id>."""
    return f"jobprog.{org_id}.{job_id}"


def cache_invalidation(service: str) -> str:
    """Tells every instance which keys to drop."""
    return f"cache.inv.{service}"


def realtime_publication(org_id: str, channel: str) -> str:
    """Tells the instances that serve a channel's listeners what was published in it. Channel names hold no dots."""
    return f"rt.pub.{org_id}.{channel}"


# Tells every instance with sockets that a session or an API key ended.
REALTIME_REVOKED = "rt.revoked"
