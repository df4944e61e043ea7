"""Rating: what a quantity of a meter costs.

The rule, for every meter: the quantity is rounded UP to whole increments, and the price of that is rounded half up to a
whole micro-unit, once per usage event. So an event costs the same whenever and in whatever order it is rated, and a
bill is the exact sum of its lines. The default plan bills calls per second at a price per minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.billing.domain.amounts import MICRO


@dataclass(frozen=True, slots=True)
class Rate:
    """`price_micros` for `per` units of the meter, counted in steps of `increment_micros` (millionths of a unit)."""

    meter: str
    price_micros: int
    per: int
    increment_micros: int
    currency: str
    effective_from: datetime
    # The organization's own rate overrides its plan's.
    of_organization: bool = False


def rate_usage(rate: Rate, quantity_micros: int) -> int:
    """The amount in micro-units of money; never negative."""
    # Integers throughout: -(-a // b) rounds up without a float.
    billed = -(-quantity_micros // rate.increment_micros) * rate.increment_micros
    numerator = billed * rate.price_micros
    denominator = rate.per * MICRO
    return (2 * numerator + denominator) // (2 * denominator)


def rate_at(rates: Sequence[Rate], meter: str, moment: datetime) -> Rate | None:
    """The rate of a meter in force at the time of use, so that a late event costs what it would have cost in time."""
    # An organization's own rate wins over a plan's newer one.
    known = [rate for rate in rates if rate.meter == meter and rate.effective_from <= moment]
    return max(known, key=lambda rate: (rate.of_organization, rate.effective_from), default=None)
