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
