"""The names of everything that travels over NATS; no other file writes a subject.

Events have the subject `evt.<org>.<service>.<entity>.<verb>` in the stream EVENTS. All other subjects are core NATS:
their messages may be lost, and only make a process look into PostgreSQL sooner.
"""

STREAM = "EVENTS"
STREAM_SUBJECTS = "evt.>"


def event_subject(org_id: str, service: str, topic: str) -> str:
    """Where an event is published."""
    return f"evt.{org_id}.{service}.{topic}"


def event_filter(service: str, topic: str) -> str:
    """The subjects of a topic in all organizations; an empty service stands for every service."""
    return f"evt.*.{service or '*'}.{topic}"


def outbox_wakeup(service: str) -> str:
    """Tells the relay of a service that something was committed."""
    return f"outbox.{service}"


def job_wakeup(service: str, queue: str) -> str:
    """Tells one of the workers of a queue that a job is due."""
    return f"jobs.{service}.{queue}"


def delayed_job_wakeup(service: str, queue: str) -> str:
    """Tells one of the workers of a queue that a job was written which is due later."""
    return f"jobs.{service}.{queue}.later"


def inbox_prefix(user: str) -> str:
    """Where the answers to a user's requests go; no other user may listen there."""
    return f"_INBOX.{user}" if user else "_INBOX"


def jobs_progress(org_id: str, job_id: str) -> str:
    """Tells realtime how a job goes on: JSON {jobId, kind, state, progress}, for the channel job:<id>."""
    return f"jobprog.{org_id}.{job_id}"


def realtime_publication(org_id: str, channel: str) -> str:
    """Tells the instances that serve a channel's listeners what was published in it. Channel names hold no dots."""
    return f"rt.pub.{org_id}.{channel}"


def realtime_presence(org_id: str, channel: str) -> str:
    """Tells the instances whose listeners asked for it who joined and who left a channel."""
    return f"{realtime_publication(org_id, channel)}.presence"


def realtime_emulation(node: str) -> str:
    """Brings commands of an emulated connection to the instance that has the connection."""
    return f"rt.emulation.{node}"


def cache_invalidated(service: str) -> str:
    """Tells every process that holds cached values of the service which tags were replaced, one a line."""
    return f"cache.inv.{service}"


# Tells every instance with sockets that a session or an API key ended.
REALTIME_REVOKED = "rt.revoked"
# Tells every gateway what another one served in the last minute.
GATEWAY_FIGURES = "edge.figures"
