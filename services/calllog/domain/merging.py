"""How several reports of one call become one call, and what the suite is told about it.

Reports come in any order and more than once: the fullest wins, and what has been billed stays as it was billed.
"""

from dataclasses import replace

from providers.interface.reports import ReportedCall
from services.calllog.domain.calls import Call


def supersede(stored: Call, report: ReportedCall) -> ReportedCall | None:
    """The facts that the stored call takes from a report; None when the report says nothing new."""
    if report.completeness <= stored.completeness:
        return None
    if not stored.billable:
        return report
    return replace(
        report,
        status=stored.status,
        duration_seconds=stored.duration_seconds,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
    )


def change_topic(stored: Call | None, report: ReportedCall) -> str:
    """The event that a change of this call is told by; call.ended comes once, when the call first has an end."""
    had_ended = stored is not None and stored.status.ended
    if report.status.ended and not had_ended:
        return "call.ended"
    return "call.started" if stored is None else "call.updated"
