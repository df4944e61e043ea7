"""What a kind of cached value is declared to be, and the tags by which a change finds the values that show it.

A change has a topic ("agent.updated"), an organization and the key of what changed. It replaces two tags of its
entity ("agent"): the organization's, which lists and sums carry, and the one of the key, which single views carry.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from libs.config import ConfigError

# Seconds that the process's own memory answers without Redis. Longer: fewer round trips, staler values.
L1_SECONDS = 0.1
# The longest TTL. Generations of tags live two hours after the last fill (libs.cache.scripts), and a TTL varies by a
# tenth; a value that outlives its generations is a miss.
MAX_TTL_SECONDS = 6_000


@dataclass(frozen=True, slots=True)
class CacheClass:
    """`bound_seconds` is B: a reader sees no value that was changed longer ago (and 0.1 s more from the process's own
    memory). `entities` are those whose changes replace the values; `services` commit these changes, and their
    heartbeats vouch for the values. `place` is "edge" or the service that keeps it; `key` says in words what
    distinguishes two values; a `single` shows one entity, by the key of its changes."""

    name: str
    place: str
    key: str
    ttl_seconds: float
    bound_seconds: float
    entities: tuple[str, ...]
    services: tuple[str, ...]
    single: bool = False
    # The answer depends on the current hour, minute …, which then is part of the key; 0: it does not.
    period_seconds: int = 0
    negative_seconds: float = 5.0
    # How long the process's own memory answers; never beyond the bound.
    memory_seconds: float = L1_SECONDS
    soft_seconds: float = 0.25
    hard_seconds: float = 2.0
    # A reader renews a value after this share of its TTL, or after these seconds.
    refresh_share: float = 0.8
    refresh_seconds: float = math.inf
    max_entries: int = 10_000
    max_bytes: int = 32 * 1024 * 1024

    def tags(self, org_id: str, key: str = "") -> tuple[str, ...]:
        """The tags of a value: of the organization, or of the one entity that a `single` shows."""
        return tuple(tag_of(entity, org_id, key if self.single else "") for entity in self.entities)


def tuned(classes: Iterable[CacheClass], entries: Iterable[str]) -> Mapping[str, CacheClass]:
    """The classes by name, with the TTLs of the entries "class=seconds" of CACHE_TTLS. Raises ConfigError."""
    kinds, problems = {kind.name: kind for kind in classes}, []
    for entry in entries:
        name, _, seconds = entry.partition("=")
        if name not in kinds:
            problems.append(f"CACHE_TTLS names no class {name}; the classes are {', '.join(kinds)}")
        elif not (seconds.isascii() and seconds.isdigit() and 1 <= int(seconds) <= MAX_TTL_SECONDS):
            problems.append(f"CACHE_TTLS must give {name} 1 to {MAX_TTL_SECONDS} whole seconds, not {seconds!r}")
        else:
            kinds[name] = replace(kinds[name], ttl_seconds=float(seconds))
    if problems:
        raise ConfigError(problems)
    return kinds


def tag_of(entity: str, org_id: str, key: str = "") -> str:
    """The name of a tag; without a key it is the organization's."""
    return f"{entity}:{org_id}:{key}" if key else f"{entity}:{org_id}"


def entity_of(topic: str) -> str:
    """What a topic is about: agent.updated -> agent."""
    return topic.partition(".")[0]


def replaced_by(topic: str, org_id: str, key: str) -> tuple[str, ...]:
    """The tags that a change replaces."""
    entity = entity_of(topic)
    return tag_of(entity, org_id), tag_of(entity, org_id, key)
