"""The bench of overload judges by promise L1: goodput, how fast it refuses, and success of who keep to their share."""

from __future__ import annotations

import pytest

from bench.overload.__main__ import ORGANIZATIONS, judge
from bench.overload.generator import Answer

FLOOD = ORGANIZATIONS - 1


def answers(served: int, refused: int, seconds: float = 0.001) -> list[Answer]:
    """Of nine callers who keep to their share, beside a flood that is refused."""
    of_others = [Answer(number % FLOOD, 200, 0.0, 0.5, 0.01) for number in range(served)]
    of_others += [Answer(number % FLOOD, 503, 0.0, 0.5, seconds) for number in range(refused)]
    return [*of_others, *(Answer(FLOOD, 503, 0.0, 0.5, seconds) for _ in range(1_000))]


@pytest.mark.parametrize(
    ("served", "refused", "seconds", "problems"),
    [
        (990, 10, 0.001, []),
        (989, 11, 0.001, ["reads at 10×: success 98.9%"]),
        (990, 10, 0.02, ["reads at 10×: refused p99 20.0 ms"]),
        (890, 0, 0.001, ["reads at 10×: goodput 89%"]),
    ],
)
def test_each_figure_of_the_promise_decides(served: int, refused: int, seconds: float, problems: list[str]) -> None:
    outcome = judge("reads", 10, answers(served, refused, seconds), 1.0, [0.0], 0.0)
    assert outcome.problems(peak=1_000.0) == problems


def test_what_gets_no_answer_is_no_success() -> None:
    lost = [Answer(0, 0, 0.0, 0.5, 1.0)] * 20
    outcome = judge("reads", 10, [*answers(990, 0), *lost], 1.0, [0.0], 0.0)
    assert outcome.problems(peak=1_000.0) == ["reads at 10×: success 98.0%", "reads at 10×: other answers {0: 20}"]
