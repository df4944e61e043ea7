"""Backoff, pacing and limits as arithmetic."""

import datetime
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.jobs.job import LIVE, WAITING, Job, Lane
from libs.jobs.kind import Backoff, JobKind
from libs.jobs.queues import QueuePolicy, Rate
from libs.jobs.store.claims import Allowance, allow, next_start, pace


@given(st.integers(1, 100), st.floats(0, 1))
def test_full_jitter_stays_between_nothing_and_the_exponential(attempt: int, draw: float) -> None:
    delay = Backoff(base=1, cap=300).delay(attempt, draw)
    assert 0 <= delay <= min(300, 2 ** (attempt - 1))
    assert Backoff().delay(attempt, 1.0) == min(300, 2 ** (attempt - 1))


def test_a_schedule_is_kept_with_little_jitter_and_its_last_entry_repeats() -> None:
    policy = JobKind("a.b", service="x", backoff=(0, 5, 300))
    assert policy.retry_delay(1) == 0
    assert 5 <= policy.retry_delay(2) <= 5.5
    assert 300 <= policy.retry_delay(9) <= 330


def test_the_paper_s_defaults() -> None:
    policy = JobKind("a.b", service="x")
    assert policy.max_attempts == 3
    assert isinstance(policy.backoff, Backoff)
    assert policy.backoff.base == 1.0
    assert (QueuePolicy("q").keep_completed, QueuePolicy("q").keep_failed) == (100, 500)


def test_a_job_carries_the_policy_of_its_kind() -> None:
    kind = JobKind("a.b", service="x", queue="slow", lane=Lane.HIGH, max_attempts=9)
    job = kind.new("org_a", {"n": 1})
    assert (job.service, job.kind, job.org_id, job.args) == ("x", "a.b", "org_a", {"n": 1})
    assert (job.queue, job.lane, job.max_attempts, job.unique_key) == ("slow", Lane.HIGH, 9, None)
    assert kind.new("org_a", lane=Lane.LOW).lane is Lane.LOW


@pytest.mark.parametrize(
    ("args", "key"),
    [({"a": "x", "b": "y", "c": "z"}, "x:y"), ({"b": "y"}, "y"), ({"c": "z"}, None), ({}, None), (None, None)],
)
def test_a_unique_key_is_made_of_the_arguments_that_the_kind_names(
    args: dict[str, str] | None, key: str | None
) -> None:
    assert JobKind("a.b", service="x", unique_by=("a", "b")).new("org_a", args).unique_key == key


@pytest.mark.parametrize(
    ("states", "until_start", "ends"),
    [(LIVE, False, None), (WAITING, True, None), (LIVE | {"completed", "failed"}, False, "completed failed")],
)
def test_a_kind_says_how_long_its_unique_key_is_held(
    states: frozenset[str], until_start: bool, ends: str | None
) -> None:
    job = JobKind("a.b", service="x", unique_states=states).new("org_a")
    assert (job.unique_until_start, job.unique_ends) == (until_start, ends)


@given(st.integers(1, 1000), st.floats(0.01, 3600), st.integers(1, 50), st.lists(st.floats(0, 5), max_size=60))
def test_pacing_never_lets_more_start_than_its_rate(
    count: int, seconds: float, burst: int, pauses: list[float]
) -> None:
    rate, now, next_at, starts = Rate(count, seconds, burst), 0.0, 0.0, []
    for pause in pauses:
        now += pause
        allowed = rate.allowed(next_at - now)
        starts += [now] * allowed
        next_at = max(now, next_at) + allowed * rate.interval
    for first, moment in enumerate(starts):
        within = sum(1 for other in starts[first:] if other < moment + seconds)
        assert within <= count + burst + 1e-6 * len(starts)


def test_waiting_as_long_as_told_is_enough() -> None:
    rate = Rate(10, 1.0, burst=3)
    assert rate.allowed(0) == 3
    assert rate.allowed(0.3) == 0
    assert rate.wait(0.3) == pytest.approx(0.1)
    assert rate.allowed(0.3 - rate.wait(0.3)) == 1


def test_an_allowance_is_the_tightest_limit() -> None:
    policy = QueuePolicy("q", max_running=10, max_running_per_org=3, rate=Rate(100, 1.0, burst=5))
    allowance = allow(policy, 32, {"a": 2, "b": 3}, {})
    assert (allowance.total, allowance.orgs, allowance.other) == (5, {"a": 1, "b": 0}, 3)
    assert allow(policy, 2, {}, {}).total == 2
    assert allow(policy, 32, {"a": 9}, {}).total == 1
    assert allow(policy, 32, {}, {"": 1.0}).total == 0


def test_what_was_taken_is_spent() -> None:
    allowance = Allowance(8, {"a": 2}, other=4)
    allowance.spend([made("a"), made("b"), made("b")])
    assert (allowance.total, allowance.orgs) == (5, {"a": 1, "b": 2})


def test_starts_move_the_pace_on() -> None:
    policy = QueuePolicy("q", rate=Rate(10, 1.0), rate_per_org=Rate(1, 1.0))
    later = pace(policy, {"a": 0.5}, [made("a"), made("b")])
    assert later == {"a": 1.5, "b": 1.0, "": pytest.approx(0.2)}
    assert next_start(policy, later) == pytest.approx(0.2)
    assert next_start(policy, {}) is None


def made(org_id: str) -> Job:
    now = datetime.datetime.now(datetime.UTC)
    return Job("job_x_1", "q", "k", org_id, {}, 1, 1, 3, 0, now, 0.0, None, "w", uuid.uuid4())
