"""The one table of what is cached: what, where, for how long, and which changes replace it.

docs/caching.md shows the same table; tests/contract compares both, and the topics of libs/events/topics.py with the
entities here. A value is cached in one place only: a fill never reads another cache.
"""

from typing import Final

from libs.cache.spec import CacheClass

# Seconds.
_MINUTE = 60.0
# The bound of sums, pages and single views.
_BOUND = 5.0
# That of who may do what: a revoked credential must stop working within 1 s.
_BOUND_OF_RIGHTS = 0.8
_EDGE = "edge"

SESSION: Final = CacheClass(
    "session", _EDGE, "session token or API key", 60 * _MINUTE, _BOUND_OF_RIGHTS, ("credential",), ("identity",),
    single=True, memory_seconds=_BOUND_OF_RIGHTS,
    refresh_seconds=_MINUTE,  # identity notes the use of a session, which lengthens it, once a minute
)  # fmt: skip
AGENT_LIST: Final = CacheClass(
    "agent_list", _EDGE, "organization, permissions, query", 15 * _MINUTE, _BOUND, ("agent",), ("agent",)
)
AGENT: Final = CacheClass(
    "agent", _EDGE, "organization, permissions, agent", 15 * _MINUTE, _BOUND, ("agent",), ("agent",), single=True
)
INTEGRATION: Final = CacheClass(
    "integration", _EDGE, "organization, permissions, query", 10 * _MINUTE, _BOUND, ("integration",), ("agent",)
)
ENTRY_LIST: Final = CacheClass(
    "entry_list", _EDGE, "organization, permissions, query", 5 * _MINUTE, _BOUND, ("entry", "document"), ("knowledge",)
)
ENTRY: Final = CacheClass(
    "entry", _EDGE, "organization, permissions, entry", 5 * _MINUTE, _BOUND, ("entry", "document"), ("knowledge",),
    single=True,
)  # fmt: skip
KNOWLEDGE_QUERY: Final = CacheClass(
    "knowledge_query", _EDGE, "organization, permissions, searched words and filters", 5 * _MINUTE, _BOUND,
    ("entry", "document"), ("knowledge",), hard_seconds=5.0,
)  # fmt: skip
CALL_LIST: Final = CacheClass(
    "call_list", _EDGE, "organization, permissions, query", 5 * _MINUTE, _BOUND, ("call",), ("calllog",)
)
CALL: Final = CacheClass(
    "call", _EDGE, "organization, permissions, call, minute", 5 * _MINUTE, _BOUND, ("call",), ("calllog",), single=True,
    period_seconds=60,  # its recording's link is renewed by the minute
)  # fmt: skip
ORGANIZATION: Final = CacheClass(
    "organization", _EDGE, "organization, permissions", 30 * _MINUTE, _BOUND, ("org",), ("identity",)
)
ANALYTICS: Final = CacheClass(
    "analytics", _EDGE, "organization, permissions, query, hour", 60 * _MINUTE, _BOUND, ("call", "analytics"),
    ("calllog",), period_seconds=3_600,
)  # fmt: skip

CLASSES: Final = (
    SESSION, AGENT_LIST, AGENT, INTEGRATION, ENTRY_LIST, ENTRY, KNOWLEDGE_QUERY, CALL_LIST, CALL, ORGANIZATION,
    ANALYTICS,
)  # fmt: skip

# Changes that no event tells, because no one outside asks for them; they replace cached values all the same.
SILENT_TOPICS: Final = (
    "credential.changed", "call.rated", "call.recording_settled", "analytics.computed",
)  # fmt: skip

CACHED_ENTITIES: Final = frozenset(entity for kind in CLASSES for entity in kind.entities)
