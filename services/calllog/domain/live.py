"""Calls that are told while they run: which of the sent turns are new, and how such a call ends. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from providers.interface.reports import CallStatus, ReportedCall, Turn
from providers.registry import OWN_SYSTEM
from services.calllog.domain.calls import Call
from services.calllog.domain.merging import as_report

# Seconds without a turn or a sign of life after which the party that runs a call counts as gone. Longer: a lost call
# is shown as live for longer. Shorter: a caller who is put on hold ends the call.
LOST_SECONDS = 300
# Seconds that the report of a provider's call may take after its live party has gone. Longer: a call that no one
# reports is shown as live for longer. Shorter: calls fail that a slow provider or the reconciliation still reports.
REPORT_SECONDS = 24 * 3600
# Turns of one request.
MAX_TURNS_SENT = 100
# Turns of one call: more than a day of talk.
MAX_TURNS = 10_000
# Characters of a turn, so that its event fits the stream.
MAX_TEXT = 32_000
# Bytes of a turn's tool calls as JSON, for the same reason.
MAX_TOOL_BYTES = 64 * 1024
# How much a live party says of a call; every report of a provider says more.
LIVE_COMPLETENESS = 0
# How far back a call may have begun. Longer: a wrong clock makes a longer bill.
_OLDEST = timedelta(days=1)
# How far ahead of ours the sender's clock may be. Shorter: more senders are refused.
_AHEAD = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ending:
    """What the live party says of the end."""

    status: CallStatus
    ended_at: datetime
    termination_reason: str = ""
    summary: str = ""
    successful: bool | None = None


def new_turns(call: Call, stored: Mapping[int, Turn], sent: Sequence[Turn]) -> list[Turn]:
    """Those of the sent turns that the call lacks, in their order; `stored` are its turns at the sent places.

    Raises FailedPrecondition("turn_differs") for other words at a place that is taken, ("turn_missing") for a gap,
    ("call_ended") for a new turn of a call that has ended."""
    following, new = call.turn_count, list[Turn]()
    for turn in sent:
        if (known := stored.get(turn.index)) is not None:
            if (known.role, known.text) != (turn.role, turn.text):
                raise FailedPrecondition(
                    "turn_differs", f"Turn {turn.index} of this call is stored with other words.",
                    metadata={"nextIndex": str(call.turn_count)},
                )  # fmt: skip
        elif turn.index != following:
            raise FailedPrecondition(
                "turn_missing", f"Send turn {following} first.", metadata={"nextIndex": str(following)}
            )
        else:
            new.append(turn)
            following += 1
    if new and call.status.ended:
        raise FailedPrecondition("call_ended", "This call has ended. Its turns are complete.")
    if following > MAX_TURNS:
        raise FailedPrecondition("too_many_turns", f"A call has at most {MAX_TURNS:,} turns.")
    return new


def check_turns(sent: Sequence[Turn], tool_bytes: Sequence[int]) -> None:
    """Raises InvalidArgument("validation_failed") with every violation; `tool_bytes` are the sizes of tool calls."""
    found = []
    if len(sent) > MAX_TURNS_SENT:
        found.append(Violation("#/turns", "too_long", f"Send at most {MAX_TURNS_SENT} turns at a time."))
    for place, (turn, size) in enumerate(zip(sent, tool_bytes, strict=True)):
        if not 0 <= turn.index < MAX_TURNS:
            found.append(Violation(f"#/turns/{place}/index", "out_of_range", f"Use 0 to {MAX_TURNS - 1}."))
        if len(turn.text) > MAX_TEXT:
            found.append(Violation(f"#/turns/{place}/text", "too_long", f"Use at most {MAX_TEXT:,} characters."))
        if size > MAX_TOOL_BYTES:
            found.append(Violation(f"#/turns/{place}/toolCalls", "too_long", f"Use at most {MAX_TOOL_BYTES:,} bytes."))
    if any(after.index != before.index + 1 for before, after in itertools.pairwise(sent)):
        found.append(Violation("#/turns", "out_of_order", "Number the turns one after another."))
    if found:
        raise InvalidArgument("validation_failed", "Some turns are not valid.", violations=found)


def check_moment(moment: datetime, pointer: str, now: datetime, not_before: datetime | None = None) -> datetime:
    """The time, if it is one of the last day, not before another one and not ahead of our clock."""
    earliest = now - _OLDEST if not_before is None else not_before
    if not earliest <= moment <= now + _AHEAD:
        detail = "Send a time of the last 24 hours." if not_before is None else "Send a time after the call's start."
        raise InvalidArgument("validation_failed", detail, violations=[Violation(pointer, "out_of_range", detail)])
    return min(moment, now)


def ended_report(call: Call, ending: Ending) -> ReportedCall:
    """The end as a report. Where a provider runs the call, the provider measures it; else the suite does."""
    measured = None
    if call.provider == OWN_SYSTEM and call.started_at is not None:
        measured = max(0.0, (ending.ended_at - call.started_at).total_seconds())
    return ReportedCall(
        provider=call.provider,
        external_call_id=call.external_call_id,
        external_agent_id=call.external_agent_id,
        status=ending.status,
        completeness=call.completeness + 1,
        started_at=call.started_at,
        ended_at=ending.ended_at,
        duration_seconds=measured,
        termination_reason=ending.termination_reason,
        summary=ending.summary,
        successful=ending.successful,
    )


def never_reported(call: Call) -> ReportedCall:
    """The facts of a provider's call, given with its turns, whose end no one told. It has no duration and is as
    complete as before, so that a report that comes later takes its place."""
    return replace(
        as_report(call), status=CallStatus.FAILED, ended_at=call.updated_at, duration_seconds=None,
        termination_reason="never_reported",
    )  # fmt: skip
