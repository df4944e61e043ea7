"""What a kind of cached value is declared to be. The services and the gateway declare them: libs name no
business noun."""

from dataclasses import dataclass

L1_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CacheClass:
    """`bound_seconds` is B: a reader sees no value that was changed longer ago (and 0.1 s more from the process's own
    memory). `topics` are the events that invalidate; their services' heartbeats gate the values. `place` is "edge"
    or the service that keeps it; `key` says in words what distinguishes two values."""

    name: str
    place: str
    key: str
    ttl_seconds: float
    bound_seconds: float
    topics: tuple[str, ...]
    services: tuple[str, ...]
    negative_seconds: float = 5.0
    soft_seconds: float = 0.25
    hard_seconds: float = 2.0
    refresh_share: float = 0.8
    max_entries: int = 10_000
    max_bytes: int = 32 * 1024 * 1024

    def tag(self, org_id: str, entity: str = "") -> str:
        """What an event of this class's topics replaces: the organization's tag for lists and sums, or the tag of one
        entity (the event's key) for what shows that entity alone."""
        return f"{self.name}:{org_id}:{entity}" if entity else f"{self.name}:{org_id}"


def tags_of(classes: tuple[CacheClass, ...], topic: str, org_id: str, key: str) -> tuple[str, ...]:
    """The tags that an event replaces."""
    return tuple(tag for kind in classes if topic in kind.topics for tag in (kind.tag(org_id), kind.tag(org_id, key)))
