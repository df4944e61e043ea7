"""The double-entry ledger: every transaction has two legs that sum to zero.

The customer's leg is what the API lists: positive for credit, negative for usage. The other leg lies on an account of
the suite. Rows are only ever added; a further transaction corrects a mistake.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


class EntryType(enum.StrEnum):
    GRANT = "grant"
    TOP_UP = "top_up"
    USAGE = "usage"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"


# The account whose legs the API lists; its sum is the balance.
CUSTOMER = "customer"
# The suite's account of the opposite leg.
CONTRA_ACCOUNTS = {
    EntryType.GRANT: "promotions",
    EntryType.TOP_UP: "payments",
    EntryType.USAGE: "revenue",
    EntryType.ADJUSTMENT: "revenue",
    EntryType.REFUND: "payments",
}
# One key for an organization's life: the trial is never granted twice.
TRIAL_GRANT_KEY = "trial_grant"
# The same for a trial that is taken back.
TRIAL_RETURN_KEY = "trial_return"


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to be written. `key` is unique in the organization: the same thing is never posted twice."""

    type: EntryType
    amount_micros: int
    currency: str
    key: str
    description: str
    call_id: str = ""
    usage_event_id: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a transaction; `balance_after_micros` stands on the customer's alone."""

    id: str
    transaction_id: str
    account: str
    amount_micros: int
    balance_after_micros: int | None
    posting: Posting


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The customer's leg as the API shows it."""

    id: str
    transaction_id: str
    type: EntryType
    amount_micros: int
    currency: str
    call_id: str
    usage_event_id: str
    balance_after_micros: int
    description: str
    created_at: datetime


def legs_of(posting: Posting, balance_after_micros: int, new_id: Callable[[str], str]) -> tuple[Leg, Leg]:
    """The customer's leg and the one against it; `new_id` makes an id with a prefix."""
    transaction_id = new_id("ltx")
    customer = Leg(new_id("led"), transaction_id, CUSTOMER, posting.amount_micros, balance_after_micros, posting)
    contra = CONTRA_ACCOUNTS[posting.type]
    return customer, Leg(new_id("led"), transaction_id, contra, -posting.amount_micros, None, posting)
