"""An account's agents as a provider's API lists them: the one shape that provider.sync reads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteAgent:
    """An agent in a provider's list. A field that the list does not contain is empty."""

    id: str
    name: str
    voice_id: str = ""
    tags: tuple[str, ...] = ()
    max_duration_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class RemotePage:
    """`next_cursor` is empty on the last page."""

    agents: tuple[RemoteAgent, ...]
    next_cursor: str
