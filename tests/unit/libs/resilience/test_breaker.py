from libs.resilience import Breaker
from libs.resilience.breaker import PROBE_SECONDS


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_probes_one_at_a_time() -> None:
    time = Time()
    breaker = Breaker(failures=3, rest_seconds=1.0, now=time)
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    time.now += 1.0
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.failed()
    assert not breaker.allows()
    time.now += 1.0
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows(), breaker.allows()] == [True, True]


def test_a_probe_that_never_answers_frees_its_place() -> None:
    time = Time()
    breaker = Breaker(failures=1, rest_seconds=1.0, now=time)
    breaker.failed()
    time.now += 1.0
    assert breaker.allows()
    time.now += PROBE_SECONDS - 1.0
    assert not breaker.allows()
    time.now += 1.0
    assert breaker.allows()
