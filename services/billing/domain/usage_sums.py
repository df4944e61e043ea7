"""Sums of usage: their groups and their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from libs.errors import invalid_parameter

# As the API spells them. Each is a column of the usage event, so a sum needs no other service.
GROUPS = ("agentId", "provider", "meter", "day")


@dataclass(frozen=True, slots=True)
class UsageSum:
    """`day` is None and the texts are empty where they are not grouped by."""

    meter: str
    quantity_micros: int
    amount_micros: int
    currency: str
    events: int
    agent_id: str
    provider: str
    day: date | None


def checked_groups(names: Iterable[str]) -> tuple[str, ...]:
    """The wanted groups without repetitions; rows are always of one meter, named or not."""
    groups = tuple(dict.fromkeys(names))
    if any(name not in GROUPS for name in groups):
        raise invalid_parameter("groupBy", f"Set groupBy to any of {', '.join(GROUPS)}.")
    return groups
