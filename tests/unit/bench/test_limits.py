"""What the bench of the limiter makes of the gateways' histogram and of the limiter's log."""

from __future__ import annotations

import math

import pytest

from bench.limits.__main__ import ADDED_SECONDS, bound, share_within, windows
from libs.telemetry.metrics import RATE_LIMIT_WAIT_SECONDS


def test_the_goal_is_a_bound_of_the_histogram() -> None:
    """Otherwise no count says how many kept it."""
    bounds = {
        sample.labels["le"]
        for family in RATE_LIMIT_WAIT_SECONDS.collect()
        for sample in family.samples
        if "le" in sample.labels
    }
    assert str(ADDED_SECONDS) in bounds


@pytest.mark.parametrize(("within", "share", "p99"), [(99, 0.99, 0.0015), (98, 0.98, math.inf), (100, 1.0, 0.0015)])
def test_the_share_is_of_all_decisions(within: int, share: float, p99: float) -> None:
    waits = {0.001: 90, 0.0015: within, 0.002: within, math.inf: 100}
    assert share_within(waits, ADDED_SECONDS) == share
    assert bound(waits, 0.99) == p99


def test_no_decision_keeps_no_goal() -> None:
    assert share_within({0.0015: 0, math.inf: 0}, ADDED_SECONDS) == 0.0
    assert bound({}, 0.99) == math.inf


def test_a_window_counts_from_each_request_that_passed() -> None:
    passed = [0.0, 1.0, 59.9, 60.5, 119.0]
    assert windows(passed, 60.0, 119.0) == (3, 2)
