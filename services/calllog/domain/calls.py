"""A call as this service keeps it. Plain data without behavior.

What a provider measured (duration, times) is frozen once the call has ended, because it has been billed by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from providers.interface.reports import CallStatus, Direction, Turn

# In these a conversation took place; the other calls were not answered.
_CONVERSED = (CallStatus.COMPLETED, CallStatus.VOICEMAIL, CallStatus.FAILED)


def is_billable(status: CallStatus, duration_seconds: float | None) -> bool:
    """Whether the call is metered: a conversation took place and the provider said how long it was."""
    return status in _CONVERSED and duration_seconds is not None


@dataclass(frozen=True, slots=True)
class Segment:
    """Words of a recording and when they were said, in its seconds."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcription:
    """What the local model heard. `status`: done, failed, not_needed (the provider gave the words), not_installed, or
    empty before the first try. Everything else is there when it is done."""

    status: str = ""
    text: str = ""
    model: str = ""
    language: str = ""
    duration_seconds: float | None = None
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A call's recording; `blob_key` is empty until it is stored. Status: pending, available, unavailable, failed.
    `transcription_status` is that of its Transcription."""

    id: str
    org_id: str
    provider: str
    external_call_id: str
    status: str
    media_type: str = ""
    byte_size: int = 0
    blob_key: str = ""
    transcription_status: str = ""

    @property
    def key(self) -> str:
        """Where its bytes are put: the same for every attempt."""
        return f"{self.org_id}/recordings/{self.id}"


@dataclass(frozen=True, slots=True)
class ServedBy:
    """The agent that answered and its published version; None and 0 when the agent is unknown."""

    agent_id: str | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What billing charged, in millionths of the currency's unit."""

    micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class Call:
    """A stored call. Rows of lists have neither turns nor recording."""

    id: str
    org_id: str
    provider: str
    external_call_id: str
    external_agent_id: str
    agent_id: str | None
    agent_version: int
    status: CallStatus
    completeness: int
    direction: Direction
    from_number: str
    to_number: str
    successful: bool | None
    duration_seconds: float | None
    started_at: datetime | None
    ended_at: datetime | None
    title: str
    summary: str
    language: str
    termination_reason: str
    provider_cost_units: int | None
    turn_count: int
    cost: Cost | None
    tags: tuple[str, ...]
    version: int
    created_at: datetime
    updated_at: datetime
    turns: Sequence[Turn] = ()
    recording: Recording | None = None

    @property
    def billable(self) -> bool:
        return is_billable(self.status, self.duration_seconds)


@dataclass(frozen=True, slots=True)
class BillableCall:
    """What billing compares its usage with."""

    call_id: str
    duration_seconds: float
    ended_at: datetime
