"""What listing an account's agents answers, whichever provider it is: the one shape that provider.sync reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteAgent:
    """An agent as the provider's list tells it; what a provider does not list is empty."""

    id: str
    name: str
    voice_id: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemotePage:
    """`next_cursor` is empty on the last page."""

    agents: tuple[RemoteAgent, ...]
    next_cursor: str
