"""How several reports of one call become one call, and what the suite is told about it.

Reports come in any order and more than once: the fullest wins, the others fill what it leaves open, and what has been
billed stays as it was billed.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from providers.interface.reports import Direction, ReportedCall
from services.calllog.domain.calls import Call

_OPEN = (None, "", (), Direction.UNKNOWN)
# Without the parties, the ending and the measured values.
_FILLED = (
    "external_agent_id", "direction", "from_number", "to_number", "successful", "title", "summary", "language",
    "termination_reason", "provider_cost_units", "turns",
)  # fmt: skip
_MEASURED = ("duration_seconds", "started_at", "ended_at")


def supersede(stored: Call, report: ReportedCall) -> ReportedCall | None:
    """The facts that the stored call takes from a report; None when the report says nothing new. `stored.turns` are
    needed unless the report is fuller and has turns of its own."""
    known = as_report(stored)
    if stored.status.ended and not report.status.ended:
        # A late report of a call that runs: it does not open the call again, and the told turns are complete.
        merged = _filled(known, replace(report, turns=()))
        return merged if merged != known else None
    if not report.status.ended and len(report.turns) < stored.turn_count:
        # While a call runs, its transcript only grows: a live party may have told more than the provider yet did.
        report = replace(report, turns=())
    if report.completeness > stored.completeness:
        merged = _filled(report, known)
        if stored.billable:
            merged = replace(
                merged,
                status=known.status,
                duration_seconds=known.duration_seconds,
                started_at=known.started_at,
                ended_at=known.ended_at,
            )
        return merged
    merged = _filled(known, report)
    return replace(merged, has_audio=report.has_audio) if merged != known else None


def _filled(first: ReportedCall, second: ReportedCall) -> ReportedCall:
    """The first report, with what it leaves open taken from the second. A measure is taken only of a call that ended in
    the same way: a failed start has no duration, whatever another report measured."""
    names = (*_FILLED, *_MEASURED) if first.status is second.status else _FILLED
    found: dict[str, Any] = {name: getattr(second, name) for name in names if getattr(first, name) in _OPEN}
    return replace(first, **{name: value for name, value in found.items() if value not in _OPEN})


def as_report(stored: Call) -> ReportedCall:
    """What is stored of a call, in the form of a report; without turns unless `stored.turns` has them."""
    names = (part.name for part in fields(ReportedCall) if part.name != "has_audio")
    values: dict[str, Any] = {name: getattr(stored, name) for name in names}
    return ReportedCall(**{**values, "turns": tuple(stored.turns)})


def change_topic(stored: Call | None, report: ReportedCall) -> str:
    """The event that announces a change of this call. call.ended is sent once, when the call first has an end."""
    had_ended = stored is not None and stored.status.ended
    if report.status.ended and not had_ended:
        return "call.ended"
    return "call.started" if stored is None else "call.updated"
