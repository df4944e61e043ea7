"""The limit falls while requests wait for each other, and only then; it rises while it is used, up to its bound."""

from collections.abc import Iterator

import pytest

from libs.resilience import AdaptiveLimit
from libs.resilience.adaptive_limit import WINDOW_SAMPLES

MOST, START, LEAST = 128, 64, 8


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Answers `per_second` requests one after the other, each in at least `ordinary` seconds, and keeps as many running
    as the limit allows (Little's law)."""

    def __init__(self, per_second: float, ordinary: float = 0.02) -> None:
        self.clock = Clock()
        self.limit = AdaptiveLimit(MOST, start=START, least=LEAST, now=self.clock)
        self.per_second, self.ordinary = per_second, ordinary

    def seconds(self, running: int) -> float:
        return max(self.ordinary, running / self.per_second)

    def serve(self, requests: int, running: int | None = None, kind: str = "/a") -> Iterator[int]:
        """The limit after each of so many answers."""
        for _ in range(requests):
            at_once = self.limit.limit if running is None else running
            self.clock.now += 1 / self.per_second
            self.limit.add(kind, self.clock.now - self.seconds(at_once), at_once)
            yield self.limit.limit

    def settled(self, requests: int, running: int | None = None, kind: str = "/a") -> int:
        return list(self.serve(requests, running, kind))[-1]


def test_the_limit_begins_at_its_start_within_its_bounds() -> None:
    assert AdaptiveLimit(MOST, start=START, least=LEAST).limit == START
    assert AdaptiveLimit(5, start=START, least=LEAST).limit == 5
    assert AdaptiveLimit(1, start=START, least=LEAST).limit == 1


@pytest.mark.parametrize("per_second", [100.0, 250.0, 400.0])
def test_under_more_than_it_can_answer_a_request_waits_a_little_and_no_capacity_is_left_unused(
    per_second: float,
) -> None:
    server = Server(per_second)
    list(server.serve(50, running=1))
    limits = list(server.serve(2_000))[500:]
    waits = [server.seconds(limit) for limit in limits]
    assert max(waits) < 0.15
    assert min(limits) >= per_second * server.ordinary, "fewer would leave the server idle"


def test_what_a_slow_route_takes_is_not_taken_for_waiting() -> None:
    server = Server(10_000.0, ordinary=1.5)
    list(server.serve(50, running=1, kind="/slow"))
    assert server.settled(2_000, running=START, kind="/slow") >= START


def test_a_limit_that_is_not_used_does_not_grow_and_one_that_is_does_up_to_the_most() -> None:
    server = Server(3_000.0)
    assert server.settled(6_000, running=3) == START
    assert server.settled(6_000) == MOST


def test_a_limit_returns_to_its_start_when_the_load_is_gone() -> None:
    server = Server(100.0)
    list(server.serve(50, running=1))
    assert server.settled(1_000) < START / 2
    server.per_second = 3_000.0
    assert server.settled(6_000, running=2) == START


def test_refusals_of_a_service_lower_the_limit_to_the_least_and_no_further() -> None:
    server = Server(1_000.0)
    for _ in range(2_000):
        server.clock.now += 0.005
        server.limit.refused(server.clock.now, server.limit.limit)
    assert server.limit.limit == LEAST


def test_requests_that_began_under_a_limit_that_fell_since_are_no_samples() -> None:
    server = Server(1_000.0)
    begun = server.clock.now
    server.clock.now += 1.0
    for _ in range(WINDOW_SAMPLES):
        server.limit.refused(begun, 64)
    fallen = server.limit.limit
    assert fallen < START
    server.clock.now += 1.0
    for _ in range(5 * WINDOW_SAMPLES):
        server.limit.refused(begun, 64)
    assert server.limit.limit == fallen


def test_a_few_slow_requests_are_no_overload() -> None:
    server = Server(1_000.0)
    list(server.serve(100, running=1))
    for number in range(1_000):
        server.clock.now += 0.005
        server.limit.add("/a", server.clock.now - (2.0 if number % 5 == 0 else 0.02), 40)
    assert server.limit.limit >= START


def test_a_route_that_became_slower_for_good_gets_its_limit_back_under_lasting_load() -> None:
    server = Server(3_000.0, ordinary=0.01)
    list(server.serve(50, running=1))
    server.per_second, server.ordinary = 200.0, 0.2
    assert LEAST in list(server.serve(2_000))
    assert server.settled(8_000) > 2 * LEAST
