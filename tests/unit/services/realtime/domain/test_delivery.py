"""The Standard Webhooks schedule and the verdict on answers."""

import pytest

from services.realtime.domain.delivery import MAX_ATTEMPTS, SCHEDULE_SECONDS, Verdict, judge, matches, wait_before


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (301, Verdict.RETRY),
        (400, Verdict.RETRY),
        (410, Verdict.GONE),
        (429, Verdict.RETRY),
        (500, Verdict.RETRY),
    ],
)
def test_judge(status: int, verdict: Verdict) -> None:
    assert judge(status) is verdict


def test_the_schedule_is_the_specifications_over_three_days() -> None:
    assert MAX_ATTEMPTS == 10
    assert [wait_before(n, 0.0) for n in (1, 2, 3, 10)] == [0.0, 5.0, 300.0, 86_400.0]
    assert wait_before(3, 1.0) == pytest.approx(330.0)


def test_retry_after_lengthens_but_never_shortens_and_has_a_bound() -> None:
    assert wait_before(2, 0.0, 60.0) == 60.0
    assert wait_before(3, 0.0, 1.0) == 300.0
    assert wait_before(2, 0.0, 10**9) == pytest.approx(SCHEDULE_SECONDS[-1] * 1.1)


@pytest.mark.parametrize(
    ("types", "topic", "wanted"),
    [
        (("*",), "call.ended", True),
        (("call.*",), "call.ended", True),
        (("call.ended",), "call.ended", True),
        (("call.ended",), "call.started", False),
        (("agent.*", "call.started"), "call.ended", False),
        ((), "call.ended", False),
    ],
)
def test_matches(types: tuple[str, ...], topic: str, wanted: bool) -> None:
    assert matches(types, topic) is wanted
