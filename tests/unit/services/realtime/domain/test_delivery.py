"""The Standard Webhooks schedule and the verdict on answers."""

import pytest

from services.realtime.domain.delivery import (
    MAX_ATTEMPTS,
    MAX_REST_SECONDS,
    SCHEDULE_SECONDS,
    Verdict,
    judge,
    look_again,
    masked,
    matches,
    recorded_body,
    rest_seconds,
    wait_before,
)


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
        (("*", "call.*"), "call.turn", False),
        (("agent.*", "call.turn"), "call.turn", True),
    ],
)
def test_matches(types: tuple[str, ...], topic: str, wanted: bool) -> None:
    assert matches(types, topic) is wanted


def test_an_endpoint_rests_from_its_third_failure_on_and_never_longer_than_five_minutes() -> None:
    assert [rest_seconds(failed) for failed in (1, 2, 3, 4, 5, 20, 10_000)] == [0, 0, 5, 10, 20, 300, MAX_REST_SECONDS]
    assert rest_seconds(1, retry_after=60.0) == 60.0
    assert rest_seconds(1, retry_after=10**9) == MAX_REST_SECONDS


def test_a_delivery_far_behind_others_looks_seldom_and_the_next_one_soon() -> None:
    assert look_again(0.0, 0, failing=False, jitter=0.0) == 0.2
    assert look_again(0.0, 20, failing=False, jitter=0.0) == pytest.approx(1.2)
    assert look_again(0.0, 21, failing=False, jitter=1.0) == pytest.approx(330.0)
    assert look_again(300.0, 0, failing=True, jitter=0.0) == 300.0
    assert look_again(5.0, 21, failing=True, jitter=1.0) == pytest.approx(3_960.0)


@pytest.mark.parametrize(
    "name", ["Authorization", "set-cookie", "WWW-Authenticate-Token", "X-Api-Key", "webhook-signature", "x-session-id"]
)
def test_a_field_that_authenticates_is_masked(name: str) -> None:
    assert masked({name: "private", "date": "today"}) == {name: "***", "date": "today"}


def test_what_is_recorded_has_a_bound_and_can_be_stored() -> None:
    many = masked({f"x-{number}": "v" * 1_000 for number in range(100)})
    assert len(many) == 40
    assert {len(value) for value in many.values()} == {200}
    assert recorded_body(b"a\0b\xff" + b"x" * 2_000).startswith("a\ufffdb\ufffdxx")
    assert len(recorded_body(b"x" * 2_000)) == 1_024
