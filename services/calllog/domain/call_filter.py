"""The filters of a list of calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from providers.interface.reports import CallStatus, Direction


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Absent filters are empty or None; all that are given must hold. `agent_ids`: calls of these agents alone."""

    agent_id: str = ""
    agent_version: int = 0
    status: CallStatus | None = None
    direction: Direction | None = None
    phone_number: str = ""
    successful: bool | None = None
    duration_ge: float | None = None
    duration_lt: float | None = None
    started_at_ge: datetime | None = None
    started_at_lt: datetime | None = None
    tags: tuple[str, ...] = ()
    search: str = ""
    provider: str = ""
    external_call_id: str = ""
    agent_ids: list[str] | None = None
