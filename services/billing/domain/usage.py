"""Usage events: what was used, when, of which meter. An event is told by its id, and its body never changes.

A call's event is made by this service from the call's own id: however often the call is told, it is metered once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from libs.errors import InvalidArgument, Violation
from services.billing.domain.amounts import format_micros

# The meter of calls. Only this service makes its events, so clients can neither bill nor hide a call.
CALL_SECONDS = "call_seconds"
METER_RESERVED = "meter_reserved"
# Usage events of one request. More would hold the account's lock for longer.
MAX_BATCH = 100
# How far ahead a client's clock may be.
_MAX_FUTURE = timedelta(hours=1)
# Characters of ids and names.
_MAX_TEXT = 200
# Bytes of an event's properties as JSON.
_MAX_PROPERTIES_BYTES = 8_192
# The form of ids that call_usage_id makes: a client's event under such an id would keep a call from being metered.
_OWN_ID = re.compile(r"ue_[0-7][0-9a-hjkmnp-tv-z]{25}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """`quantity_micros` are millionths of the meter's unit; `call_id` is set when a call of the suite made it."""

    id: str
    meter: str
    event_time: datetime
    quantity_micros: int
    subject: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    call_id: str = ""
    created_at: datetime | None = None

    @property
    def agent_id(self) -> str:
        return _property(self.properties, "agentId")

    @property
    def provider(self) -> str:
        return _property(self.properties, "provider")

    @property
    def digest(self) -> bytes:
        """Tells two bodies apart; equal for equal meaning ("1.0" is "1")."""
        body = [
            self.meter,
            self.event_time.isoformat(),
            format_micros(self.quantity_micros),
            self.subject,
            self.properties,
            self.call_id,
        ]
        return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


@dataclass(frozen=True, slots=True)
class Meter:
    """What usage is counted in."""

    name: str
    unit: str
    description: str

    @property
    def is_reserved(self) -> bool:
        """Whether this service alone makes its events."""
        return self.name == CALL_SECONDS


def call_usage(*, call_id: str, quantity_micros: int, ended_at: datetime, agent_id: str, provider: str) -> UsageEvent:
    """The one usage event of a call."""
    return UsageEvent(
        id=call_usage_id(call_id),
        meter=CALL_SECONDS,
        event_time=ended_at,
        quantity_micros=quantity_micros,
        subject=call_id,
        properties={"agentId": agent_id, "provider": provider},
        call_id=call_id,
    )


def call_usage_id(call_id: str) -> str:
    return "ue_" + call_id.rpartition("_")[2]


def check_sent(event: UsageEvent, meters: Collection[Meter], now: datetime, pointer: str) -> list[Violation]:
    """The violations of an event that a client sends."""
    found = []
    if not 0 < len(event.id) <= _MAX_TEXT:
        found.append(Violation(f"{pointer}/id", "required", f"Give an id of 1 to {_MAX_TEXT} characters."))
    if _OWN_ID.fullmatch(event.id):
        found.append(Violation(f"{pointer}/id", "reserved", "Ids of this form are the suite's own; choose another."))
    # The answer names what may be used; the reserved meter is not among them.
    open_meters = sorted(meter.name for meter in meters if not meter.is_reserved)
    if event.meter == CALL_SECONDS:
        found.append(Violation(f"{pointer}/meter", METER_RESERVED, "The suite meters calls itself; use another meter."))
    elif event.meter not in open_meters:
        found.append(Violation(f"{pointer}/meter", "unknown_meter", f"Use one of: {', '.join(open_meters)}."))
    if event.event_time > now + _MAX_FUTURE:
        found.append(Violation(f"{pointer}/timestamp", "in_the_future", "Give the time of use, not a later one."))
    if len(event.subject) > _MAX_TEXT:
        found.append(Violation(f"{pointer}/subject", "too_long", f"Give at most {_MAX_TEXT} characters."))
    # Of the text as it is stored, because depth and escapes count too.
    if len(json.dumps(event.properties)) > _MAX_PROPERTIES_BYTES:
        found.append(Violation(f"{pointer}/properties", "too_large", "Give at most 8 KB of properties."))
    return found


def check_batch_size(size: int) -> None:
    if not 1 <= size <= MAX_BATCH:
        raise InvalidArgument(
            "validation_failed",
            "Some fields break a rule.",
            violations=[Violation("#/events", "invalid_size", f"Send 1 to {MAX_BATCH} events.")],
        )


def _property(properties: Mapping[str, Any], name: str) -> str:
    value = properties.get(name)
    return value[:_MAX_TEXT] if isinstance(value, str) else ""
