"""Rate limits of an organization, as its plan has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from libs.errors import InvalidArgument, Violation
from libs.text import trimmed

# Of the limits in suite/limits.py, where no operator has set another plan.
USUAL_PERCENT = 100
# A hundred times the usual: 500,000 reads a minute of an organization, more than a gateway answers.
MOST_PERCENT = 10_000
# Characters of a reason.
REASON_MAX = 500


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """`percent` of the usual limits of every class (suite/limits.py), and why it is not 100."""

    org_id: str
    percent: int = USUAL_PERCENT
    reason: str = ""


def check_request_limits(asked: RequestLimits) -> RequestLimits:
    """As asked, trimmed; raises with every violation found."""
    asked = replace(asked, reason=trimmed(asked.reason))
    found = []
    if not 1 <= asked.percent <= MOST_PERCENT:
        found.append(Violation("#/percent", "out_of_range", f"Must be between 1 and {MOST_PERCENT}."))
    if asked.percent != USUAL_PERCENT and not asked.reason:
        found.append(Violation("#/reason", "required", "Say why, for later readers."))
    if len(asked.reason) > REASON_MAX:
        found.append(Violation("#/reason", "too_long", f"At most {REASON_MAX} characters."))
    if not asked.reason.isprintable():
        found.append(Violation("#/reason", "invalid_character", "Must not contain control characters."))
    if found:
        raise InvalidArgument("validation_failed", "The limits are not valid.", violations=found)
    return asked
