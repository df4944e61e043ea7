"""A call as a provider reports it, in the one form that the call-log reads, whichever provider it is."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Seconds of a call: 30 days. A longer one is a mistake of the provider and must not be billed.
MAX_SECONDS = 30 * 86_400


class CallStatus(enum.StrEnum):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    VOICEMAIL = "voicemail"

    @property
    def ended(self) -> bool:
        return self is not CallStatus.IN_PROGRESS


class Direction(enum.StrEnum):
    UNKNOWN = ""
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    WEB = "web"


class Speaker(enum.StrEnum):
    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn; `index` is 0-based and contiguous, `tool_calls` are {id, name, type, arguments, result, isError}."""

    index: int
    role: Speaker
    text: str
    time_seconds: float
    tool_calls: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """What one envelope says about one call. `completeness` orders the reports of a call: a report never overwrites
    what a fuller one said. `duration_seconds` is billed, so it is None unless the provider measured a conversation."""

    provider: str
    external_call_id: str
    external_agent_id: str
    status: CallStatus
    completeness: int
    direction: Direction = Direction.UNKNOWN
    from_number: str = ""
    to_number: str = ""
    successful: bool | None = None
    duration_seconds: float | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    title: str = ""
    summary: str = ""
    language: str = ""
    termination_reason: str = ""
    provider_cost_units: int | None = None
    turns: tuple[Turn, ...] = ()
    has_audio: bool = False

    @property
    def numbers(self) -> list[str]:
        """The telephone numbers of both sides, each once."""
        return sorted({self.from_number, self.to_number} - {""})
