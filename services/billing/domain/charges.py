"""The result of charging usage."""

from __future__ import annotations

from dataclasses import dataclass

from services.billing.domain.credit import Balance
from services.billing.domain.ledger import LedgerEntry
from services.billing.domain.usage import UsageEvent


@dataclass(frozen=True, slots=True)
class Charges:
    """The written entries with their events, and the balance before and after."""

    charged: list[tuple[UsageEvent, LedgerEntry]]
    before: Balance
    after: Balance
