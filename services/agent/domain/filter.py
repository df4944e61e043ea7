"""The filters of a list of agents."""

from __future__ import annotations

from dataclasses import dataclass

from libs.errors import InvalidArgument, invalid_parameter

from .agent import AgentStatus
from .validation import TAGS_MAX

# Characters of a search.
SEARCH_MAX = 200


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """`search` finds the beginnings of words of name and description; of `tags` all must be present. `ids`: these
    agents alone."""

    search: str = ""
    tags: tuple[str, ...] = ()
    status: AgentStatus | None = None
    provider: str = ""
    ids: list[str] | None = None


def check_filter(wanted: AgentFilter) -> AgentFilter:
    if len(wanted.search) > SEARCH_MAX:
        raise invalid_parameter("search", f"Search for at most {SEARCH_MAX} characters.")
    if len(wanted.tags) > TAGS_MAX:
        raise invalid_parameter("tags", f"Filter by at most {TAGS_MAX} tags.")
    # PostgreSQL cannot hold it in text and would refuse the statement with a server error.
    if any("\x00" in text for text in (wanted.search, wanted.provider, *wanted.tags)):
        raise InvalidArgument("invalid_value", "A filter must not contain the NUL character.")
    return wanted
