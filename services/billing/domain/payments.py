"""Payments: a top-up is credited when its provider says that it was paid, and taken back by refunds and disputes.

What a provider tells is kept as facts, and the credit follows from all facts known so far. So notices may arrive
twice and in any order.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.billing.domain.amounts import MICRO

# Top-ups are whole cents of currencies with two decimals (domain.credit.check_top_up).
_MINOR = MICRO // 100


class TopUpStatus(enum.StrEnum):
    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"
    EXPIRED = "expired"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class TopUp:
    """`reversed_micros` were taken back so far; a top-up of which nothing remains is reversed."""

    org_id: str
    id: str
    amount_micros: int
    currency: str
    provider: str
    status: TopUpStatus
    created_at: datetime
    checkout_id: str = ""
    payment_url: str = ""
    payment_ref: str = ""
    reversed_micros: int = 0

    @property
    def amount_minor(self) -> int:
        """The amount in cents, as payment providers count."""
        return self.amount_micros // _MINOR

    @property
    def ledger_key(self) -> str:
        return f"top_up:{self.id}"

    @property
    def was_paid(self) -> bool:
        return self.status in (TopUpStatus.SETTLED, TopUpStatus.REVERSED)


class CheckoutOutcome(enum.StrEnum):
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CheckoutChange:
    """What became of a checkout. `payment_ref` names the payment in later notices."""

    checkout_id: str
    top_up_id: str
    outcome: CheckoutOutcome
    amount_minor: int
    currency: str
    payment_ref: str = ""

    def is_of(self, top_up: TopUp) -> bool:
        """Whether exactly this top-up was paid: its id, its amount and its currency."""
        told = (self.top_up_id, self.amount_minor, self.currency)
        return told == (top_up.id, top_up.amount_minor, top_up.currency)


class ReversalKind(enum.StrEnum):
    REFUND = "refund"
    # All refunds of a payment in one sum; counts only while no single refund is known.
    REFUND_TOTAL = "refund_total"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class ReversalChange:
    """A refund or dispute as it stands at `told_at` (seconds since 1970, the provider's clock). A failed refund and a
    dispute that was won no longer stand."""

    id: str
    kind: ReversalKind
    payment_ref: str
    amount_minor: int
    currency: str
    stands: bool
    told_at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified notice of a provider; without a change it concerns nothing that this service keeps."""

    id: str
    type: str
    change: CheckoutChange | ReversalChange | None = None


class NoticeOutcome(enum.StrEnum):
    APPLIED = "applied"
    # Verified, but of a payment that is not known here (yet).
    UNKNOWN_PAYMENT = "unknown_payment"
    # Of a known checkout, but not of its amount, currency or top-up: nothing is credited.
    MISMATCH = "mismatch"


def reversed_micros(top_up: TopUp, reversals: Sequence[ReversalChange]) -> int:
    """How much of a paid top-up is taken back, at most all of it. A reversal in a currency that cannot be compared
    takes everything back."""
    singles = [item for item in reversals if item.kind is ReversalKind.REFUND]
    totals = [item for item in reversals if item.kind is ReversalKind.REFUND_TOTAL]
    disputes = [item for item in reversals if item.kind is ReversalKind.DISPUTE]
    # Single refunds are exact; the total is told by an older kind of notice, so both together would count twice.
    standing = [item for item in (singles or totals) + disputes if item.stands]
    # The worst case, because giving back too much is corrected by a person, and a gift is not.
    if any(item.currency != top_up.currency for item in standing):
        return top_up.amount_micros
    return min(top_up.amount_micros, sum(item.amount_minor for item in standing) * _MINOR)
