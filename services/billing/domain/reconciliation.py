"""Reconciliation: calls against usage events against the ledger. Pure comparison of three readings of one window.

The invariant is that there is no difference. Each difference names what to check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.billing.domain.amounts import format_micros


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    detail: str
    call_id: str = ""
    usage_event_id: str = ""
    ledger_entry_id: str = ""


@dataclass(frozen=True, slots=True)
class MeteredCall:
    """A usage event made by a call, beside what the ledger says of it (None where nothing was posted)."""

    call_id: str
    usage_event_id: str
    quantity_micros: int


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """A usage event beside its rating and its ledger entry; None where it has none."""

    usage_event_id: str
    call_id: str
    rated_micros: int | None
    ledger_entry_id: str | None
    entry_micros: int | None


def compare_calls(calls: Mapping[str, int], metered: Iterable[MeteredCall]) -> Iterator[Difference]:
    """`calls` maps each billable call to its length in millionths of a second."""
    seen = set()
    for usage in metered:
        seen.add(usage.call_id)
        expected = calls.get(usage.call_id)
        if expected is None:
            yield Difference(
                "usage_without_call", "The call log has no such billable call.", usage.call_id, usage.usage_event_id
            )
        elif expected != usage.quantity_micros:
            yield Difference(
                "amount_mismatch",
                f"The call took {format_micros(expected)} s, {format_micros(usage.quantity_micros)} s were metered.",
                usage.call_id,
                usage.usage_event_id,
            )
    # What was billed too little is as wrong as what was billed too much.
    for call_id in calls.keys() - seen:
        yield Difference("call_without_usage", "The call was not metered.", call_id)


def compare_ratings(rated: Iterable[RatedUsage]) -> Iterator[Difference]:
    for usage in rated:
        if usage.ledger_entry_id is None or usage.rated_micros is None or usage.entry_micros is None:
            yield Difference("usage_without_ledger", "The usage was not charged.", usage.call_id, usage.usage_event_id)
        elif usage.entry_micros != -usage.rated_micros:
            yield Difference(
                "amount_mismatch",
                f"Rated at {format_micros(usage.rated_micros)}, charged {format_micros(-usage.entry_micros)}.",
                usage.call_id,
                usage.usage_event_id,
                usage.ledger_entry_id,
            )
