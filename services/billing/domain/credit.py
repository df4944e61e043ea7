"""An organization's credit: what it may spend, and when the suite announces that it runs out.

available = posted - reserved. A call that took place is always metered, so posted may fall below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.errors import InvalidArgument, Violation
from services.billing.domain.amounts import MICRO

# Millionths in a cent: payment providers take whole cents.
_CENT = MICRO // 100
MIN_TOP_UP = _CENT
# Millionths. Larger payments go through a contract; a slip of the keyboard stays below it.
MAX_TOP_UP = 100_000 * MICRO
# Characters of a reason.
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Balance:
    posted_micros: int
    reserved_micros: int
    currency: str

    @property
    def available_micros(self) -> int:
        return self.posted_micros - self.reserved_micros


@dataclass(frozen=True, slots=True)
class Grant:
    """Credit that an operator gave: who, to whom, how much and why."""

    org_id: str
    id: str
    amount_micros: int
    currency: str
    reason: str
    granted_by_org: str
    granted_by_user: str
    granted_by_key: str
    request_id: str
    ledger_entry_id: str
    created_at: datetime


def credit_topics(before_micros: int, after_micros: int, low_micros: int) -> list[str]:
    """The events of a fall from one available amount to another: each threshold is announced once, when it is
    crossed."""
    topics = []
    if before_micros >= low_micros > after_micros:
        topics.append("credit.low")
    # Both may be crossed by one charge; each has receivers of its own.
    if before_micros > 0 >= after_micros:
        topics.append("credit.depleted")
    return topics


def check_top_up(amount_micros: int, currency: str, expected_currency: str) -> None:
    """Refuses amounts that cannot be paid: not whole cents, too small, too large, or in another currency."""
    violations = []
    if not MIN_TOP_UP <= amount_micros <= MAX_TOP_UP:
        violations.append(Violation("#/amount", "out_of_range", "Give an amount from 0.01 to 100000.00."))
    elif amount_micros % _CENT:
        violations.append(Violation("#/amount", "invalid_decimal", "Give an amount of whole cents."))
    if currency != expected_currency:
        violations.append(Violation("#/currency", "unsupported_currency", f"This account is in {expected_currency}."))
    if violations:
        raise InvalidArgument("validation_failed", "Some fields break a rule.", violations=violations)
