"""The verdict of a load run follows from its figures, and the report shows what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.load.__main__ import SCENARIOS
from bench.load.criteria import Figures, figures, judge, judge_sockets, judge_stress, memory
from bench.load.listener import Delays, summed
from bench.load.report import CHARTS, render
from bench.load.samples import Sample, Waits

FOLDER = Path(__file__).parents[3] / "bench" / "load" / "scenarios"
GOOD = Figures(requests=1000, per_second=10, p50_ms=3, p95_ms=20, p99_ms=40, refused=0, broken=0)


def samples(*memory_mib: float) -> list[Sample]:
    return [Sample(2.0 * n, mib, 0.5, 10.0, 20.0, 3.0) for n, mib in enumerate(memory_mib)]


def failing(verdict: Sequence[object]) -> set[str]:
    return {one.text for one in verdict if not one.met}  # type: ignore[attr-defined]


def test_a_quiet_run_passes_every_criterion() -> None:
    assert failing(judge(GOOD, samples(*[700] * 20), Waits(500, 0), 5.0)) == set()


@pytest.mark.parametrize(
    ("seen", "memory_mib", "waits", "recovered", "word"),
    [
        (Figures(1000, 10, 3, 201, 300, 0, 0), [700] * 20, Waits(500, 0), 5.0, "p95"),
        (Figures(1000, 10, 3, 20, 40, 6, 6), [700] * 20, Waits(500, 0), 5.0, "errors"),
        (GOOD, [700] * 10 + [900] * 10, Waits(500, 0), 5.0, "memory"),
        (GOOD, [700] * 20, Waits(500, 1), 5.0, "waits"),
        (GOOD, [700] * 20, Waits(0, 0), 5.0, "waits"),
        (GOOD, [700] * 20, Waits(500, 0), 900.0, "after the load"),
    ],
)
def test_each_criterion_of_the_paper_fails_by_itself(
    seen: Figures, memory_mib: list[float], waits: Waits, recovered: float, word: str
) -> None:
    missed = [one for one in judge(seen, samples(*memory_mib), waits, recovered) if not one.met and one.bar == "paper"]
    assert [word in one.text for one in missed] == [True]


def test_a_run_without_requests_has_failed() -> None:
    nothing = Figures(0, 0, 0, 0, 0, 0, 0)
    assert any("errors" in text for text in failing(judge(nothing, samples(*[1] * 20), Waits(1, 0), 1.0)))


def test_growth_before_the_warm_up_ends_is_no_leak() -> None:
    assert memory(samples(*[400] * 5, *[700] * 15)).met
    assert not memory(samples(700, 700)).met


def test_refusals_do_not_fail_a_stress_run_and_broken_answers_do() -> None:
    refusing = Figures(1000, 100, 3, 500, 900, 400, 0)
    assert failing(judge_stress(refusing, samples(*[700] * 5), 10.0)) == {
        "a minute's peak 10 requests/s (paper: 17/s an instance)"
    }
    breaking = Figures(1000, 100, 3, 500, 900, 0, 11)
    assert any("gracefully" in text for text in failing(judge_stress(breaking, samples(*[700] * 5), 10.0)))


def test_one_message_that_one_socket_missed_fails_the_socket_test() -> None:
    def summary(heard: int) -> dict[str, object]:
        counts = {"sockets_connected": 50, "sockets_dropped": 0, "messages_sent": 5, "messages_heard": heard}
        times = {"delivery_delay": {"values": {"p(95)": 300.0, "p(99)": 780.0}}}
        return {"metrics": {**{name: {"values": {"count": count}} for name, count in counts.items()}, **times}}

    heard, memory_mib = Delays(100, 20.0, 30.0, 1.0), samples(*[700] * 20)
    assert failing(judge_sockets(summary(250), 50, memory_mib, heard)) == set()
    assert failing(judge_sockets(summary(249), 50, memory_mib, heard)) == {"heard 249 of 250 messages"}
    late = Delays(100, 20.0, 210.0, 1.0)
    assert failing(judge_sockets(summary(250), 50, memory_mib, late)) == {
        "change to socket p95 20, p99 210 ms (p99 < 200)"
    }


def test_a_listener_that_heard_nothing_has_no_good_figure() -> None:
    assert summed([], [0.1] * 50).p99_ms == float("inf")
    assert summed([float(n) for n in range(1, 101)], [0.5] * 50) == Delays(100, 95.95, 99.99, 0.5)


def test_a_summary_of_k6_without_errors_has_none() -> None:
    took = {"values": {"count": 10, "med": 1.0, "p(95)": 2.0, "p(99)": 3.0}}
    seen = figures({"metrics": {"http_req_duration": took, "http_reqs": {"values": {"rate": 5.0}}}})
    assert (seen.requests, seen.refused, seen.broken, seen.errors) == (10, 0, 0, 0.0)


def test_the_report_shows_each_criterion_and_each_chart_and_escapes_what_it_is_given() -> None:
    verdict = judge(GOOD, samples(*[700] * 20), Waits(500, 1), 5.0)
    page = render("Load: <b>", [("machine", "2 & 2")], verdict, samples(*[700] * 20))
    assert page.count("<polyline") == len(CHARTS)
    assert "&lt;b&gt;" in page
    assert "2 &amp; 2" in page
    assert page.count("FAIL") == 1
    assert page.count('class="ok"') == len(verdict) - 1


def test_every_scenario_has_its_file() -> None:
    files = {file.stem for file in FOLDER.iterdir()} - {"common"}
    assert files == SCENARIOS.keys()
