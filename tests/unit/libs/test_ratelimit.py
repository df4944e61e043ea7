import pytest

from libs.ratelimit import Limit, LocalLog, RateLimiter


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_never_more_than_the_limit_in_any_window() -> None:
    time = Time()
    log = LocalLog(time)
    allowed: list[float] = []
    for step in range(400):
        time.now = step * 0.05
        if log.take([Limit("k", 5, 2.0)], "here|1").allowed:
            allowed.append(time.now)
    for start in allowed:
        assert sum(start <= moment < start + 2.0 for moment in allowed) <= 5
    assert len(allowed) >= 45


def test_a_refusal_says_how_long_to_wait() -> None:
    time = Time()
    log = LocalLog(time)
    assert log.take([Limit("k", 2, 10)], "here|1").remaining == 1
    time.now = 4
    assert log.take([Limit("k", 2, 10)], "here|1").remaining == 0
    decision = log.take([Limit("k", 2, 10)], "here|1")
    assert (decision.allowed, decision.reset_seconds) == (False, 6)
    time.now = 10
    assert log.take([Limit("k", 2, 10)], "here|1").allowed


def test_tries_can_be_given_back_and_forgotten() -> None:
    log = LocalLog(Time())
    assert log.take([Limit("k", 1, 10)], "here|1").allowed
    log.give_back("k", "here|1")
    log.give_back("k", "here|1")
    assert log.take([Limit("k", 1, 10)], "here|1").allowed
    assert not log.take([Limit("k", 1, 10)], "here|1").allowed
    log.forget("k", "here|")
    assert log.take([Limit("k", 1, 10)], "here|1").allowed


async def test_without_redis_the_limit_holds_in_this_process(caplog: pytest.LogCaptureFixture) -> None:
    limiter = await RateLimiter.open("redis://127.0.0.1:1/0")
    decisions = [await limiter.take([Limit("k", 3, 60)]) for _ in range(6)]
    assert [decision.allowed for decision in decisions] == [True] * 3 + [False] * 3
    await limiter.forget("k", "")
    assert (await limiter.take([Limit("k", 3, 60)])).allowed
    await limiter.close()


def test_slices_in_memory_never_pass_the_limit_in_any_window() -> None:
    time = Time()
    log, limit = LocalLog(time), Limit("k", 1_200, 60.0)
    allowed: list[float] = []
    for step in range(9_000):
        time.now = step * 0.02
        if log.take([limit], "here|1").allowed:
            allowed.append(time.now)
    for start in allowed[::97]:
        assert sum(start <= moment < start + 60.0 for moment in allowed) <= 1_200
    assert len(allowed) >= 3 * 1_150


def test_an_undone_try_counts_no_more() -> None:
    log, few, many = LocalLog(Time()), Limit("few", 1, 60), Limit("many", 1_001, 60)
    assert log.take([few, many], "here|1").allowed
    log.undo([few, many], "here|1")
    decision = log.take([few, many], "here|2")
    assert [one.remaining for one in decision.left] == [0, 1_000]
