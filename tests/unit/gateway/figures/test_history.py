"""The history keeps an hour at most, counts CPU and cache reads between two instants, and forgets silent gateways."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from gateway.figures.history import EVERY_SECONDS, KEPT, History
from gateway.figures.report import (
    FRESH_SECONDS,
    LAST_BUCKET,
    MOST_CACHES,
    MOST_GATEWAYS,
    CacheFigures,
    Report,
    Reports,
    report_of,
    together,
)
from gateway.figures.snapshot import Snapshot
from gateway.middleware.telemetry import Traffic
from gateway.operations import charts
from gateway.schemas.figures import Point

if TYPE_CHECKING:
    from gateway.state import Gateway
    from libs.bus import Bus

START = datetime(2026, 1, 1, tzinfo=UTC)


def snapshot(cpu: float = 0.0, instance: str = "a", lag: float = 0.0) -> Snapshot:
    status = common_pb2.GetStatusResponse(instance=instance, pool_total=10, pool_active=3, pool_idle=7)
    status.gauges.update({"cpu_seconds": cpu, "memory_bytes": 64 * 1_048_576, "sockets": 2, "outbox_lag_seconds": lag})
    return Snapshot(
        traffic=Traffic(5.0, 0.5, 0.1, 0.002, 0.02, 0.05),
        asked=["agent", "billing"],
        statuses={"agent": status},
        queues=[jobs_pb2.Queue(service="agent", name="sync", waiting=4, run_p95_seconds=1.5)],
        cache_hits=9,
        cache_misses=1,
    )


def report(instance: str = "g1", seconds: tuple[float, ...] = (), **caches: CacheFigures) -> Report:
    made = report_of(instance, Traffic(5.0, 0.5, 0.1, 0, 0, 0, seconds))
    return msgspec.structs.replace(made, caches=caches)


def points(history: History) -> list[Point]:
    return history.figures().points


def test_a_point_has_the_figures_of_all_gateways() -> None:
    kept = History()
    kept.add(snapshot(lag=2.5), [report("g1"), report("g2")], START)
    [point] = points(kept)
    assert point.requests_per_second == 10.0
    assert (point.errors4xx_per_second, point.errors5xx_per_second) == (1.0, 0.2)
    assert (point.pool_active, point.pool_total) == (3, 10)
    assert (point.job_run_p95_seconds, point.jobs_waiting) == (1.5, 4)
    assert point.sockets == 2
    assert point.memory_mib == {"agent": 64.0}
    assert point.outbox_lag_seconds == {"agent": 2.5}
    assert kept.figures().gateways == ["g1", "g2"]


def test_quantiles_are_those_of_all_requests_and_not_of_one_gateway() -> None:
    fast, slow = report("g1", (0.010,) * 98), report("g2", (1.0,) * 2)
    both = together([fast, slow])
    assert 0.0096 < both.p50 < 0.0104
    assert 0.0096 < both.p95 < 0.0104
    assert 0.96 < both.p99 < 1.04
    assert together([report("g3")]).p99 == 0.0


def test_cache_reads_are_counted_between_two_points_by_class() -> None:
    kept = History()
    kept.add(snapshot(), [report(agent=CacheFigures(1000, 0))], START)
    assert points(kept)[-1].cache_hit_ratio == {}
    kept.add(snapshot(), [report(agent=CacheFigures(1003, 1, 0, 0.7))], START)
    assert points(kept)[-1].cache_hit_ratio == {"agent": 0.75}
    assert points(kept)[-1].cache_heartbeat_seconds == {"agent": 0.7}
    # A gateway that started again counts from zero: nothing is known of its first ten seconds.
    kept.add(snapshot(), [report(agent=CacheFigures(2, 2))], START)
    assert points(kept)[-1].cache_hit_ratio == {}
    [row] = kept.figures().caches
    assert (row.name, row.hits, row.misses) == ("agent", 2, 2)


def test_cpu_is_the_share_of_a_core_between_two_points_and_unknown_for_a_new_replica() -> None:
    kept = History()
    kept.add(snapshot(cpu=100.0), [report()], START)
    kept.add(snapshot(cpu=100.0 + EVERY_SECONDS / 2), [report()], START)
    kept.add(snapshot(cpu=0.1, instance="b"), [report()], START)
    assert [point.cpu_cores for point in points(kept)] == [{}, {"agent": 0.5}, {}]


def test_no_more_than_an_hour_is_kept_and_a_reader_gets_what_is_new_to_it() -> None:
    kept = History()
    for number in range(KEPT + 5):
        kept.add(snapshot(), [report()], START + timedelta(seconds=number))
    assert len(points(kept)) == KEPT
    assert points(kept)[0].time.startswith("2026-01-01T00:00:05")
    assert len(kept.figures(START + timedelta(seconds=KEPT)).points) == 4


def test_a_service_that_does_not_answer_stays_in_the_list_and_a_lag_outlives_the_replica_that_told_it() -> None:
    kept = History()
    kept.add(snapshot(lag=9.0), [report()], START)
    kept.add(snapshot(lag=0.0), [report()], START)
    agent, billing = kept.figures().services
    assert (agent.service, agent.outbox_lag_seconds, agent.memory_mib) == ("agent", 9.0, 64.0)
    assert (billing.service, billing.status, billing.outbox_lag_seconds) == ("billing", "unreachable", None)


def test_a_silent_gateway_is_forgotten_and_there_is_a_bound_for_all() -> None:
    reports = Reports()
    for number in range(MOST_GATEWAYS + 10):
        reports.hear(msgspec.json.encode(report(f"g{number}")), now=0.0)
    assert len(reports.with_own(report("own"), now=1.0)) == MOST_GATEWAYS + 1
    assert [known.instance for known in reports.with_own(report("own"), now=FRESH_SECONDS + 1)] == ["own"]


def test_words_of_another_release_and_a_gateways_own_echo_change_nothing() -> None:
    reports = Reports()
    reports.hear(b'{"hello": 1}', now=0.0)
    reports.hear(msgspec.json.encode(report("own")), now=0.0)
    assert [known.instance for known in reports.with_own(report("own"), now=0.0)] == ["own"]


WHOLE: dict[int, object] = {0: "g9", 1: 1.0, 2: 0.0, 3: 0.0, 4: {"10": 3}, 5: {"agent": [1.0, 0.0, 0.0, 0.0]}}


def sent(at: int = 0, value: object = "g9") -> bytes:
    """A report with one field that says something else."""
    return msgspec.json.encode(list({**WHOLE, at: value}.values()))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, ""),
        (0, "g" * 256),
        (1, -1.0),
        (1, 1e300),
        (4, {"20000": 1}),
        (4, {"-1": 1}),
        (4, {"1": -1}),
        (4, {"1": 10**30}),
        (5, {"<img src=x onerror=alert(1)>": [1.0]}),
        (5, {"c" * 65: [1.0]}),
        (5, {f"c{number}": [1.0] for number in range(MOST_CACHES + 1)}),
        (5, {"agent": [-1.0]}),
    ],
)
def test_a_report_beyond_the_bounds_is_dropped_with_one_line_in_the_log(
    at: int, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    kept = History()
    kept.reports.hear(sent(at, value), now=0.0)
    kept.reports.hear(sent(at, value), now=1.0)
    heard = kept.reports.with_own(report("own"), now=1.0)
    assert [known.instance for known in heard] == ["own"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    kept.reports.hear(sent(), now=2.0)
    heard = kept.reports.with_own(report("own"), now=2.0)
    assert [known.instance for known in heard] == ["own", "g9"]
    kept.add(snapshot(), heard, START)


def test_bytes_that_are_no_text_are_dropped() -> None:
    reports = Reports()
    reports.hear(b'["\xff", 1, 0, 0, {}, {}]', now=0.0)
    assert [known.instance for known in reports.with_own(report("own"), now=0.0)] == ["own"]


def test_the_longest_request_counts_in_the_last_bucket_and_a_report_of_it_is_heard() -> None:
    longest = report("g2", (1e9, 1e-9))
    assert set(longest.times) == {0, LAST_BUCKET}
    reports = Reports()
    reports.hear(msgspec.json.encode(longest), now=0.0)
    assert reports.with_own(report("own"), now=0.0)[1] == longest
    assert 9_000 < together([longest]).p99 < 10_000


def test_a_failure_costs_a_point_of_the_charts_and_not_the_gateway(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept, stop = History(), asyncio.Event()
    takes: list[Exception | Snapshot] = [OverflowError("Result too large"), snapshot()]

    async def take(_: object) -> Snapshot:
        taken = takes.pop(0)
        if isinstance(taken, Exception):
            raise taken
        stop.set()
        return taken

    async def publish_core(subject: str, data: bytes) -> None:
        kept.on_message(subject, data)

    monkeypatch.setattr("gateway.operations.snapshot.take", take)
    monkeypatch.setattr(charts, "EVERY_SECONDS", 0.001)
    gateway = SimpleNamespace(history=kept, settings=SimpleNamespace(instance="g1"), recent=requests(0.0))
    asyncio.run(charts.fill(cast("Gateway", gateway), cast("Bus", SimpleNamespace(publish_core=publish_core)), stop))
    assert (len(points(kept)), kept.figures().gateways) == (1, ["g1"])
    assert "a point of the charts is missing" in caplog.text


def requests(*rates: float) -> SimpleNamespace:
    """The gateway's own figures, look by look; the last rate stays."""
    left = list(rates)

    def traffic(now: float) -> SimpleNamespace:
        return SimpleNamespace(requests_per_second=left.pop(0) if len(left) > 1 else left[0])

    return SimpleNamespace(traffic=traffic)


@pytest.mark.parametrize(("rates", "taken"), [((0.0,), 1), ((0.0, 0.0, 2.0, 2.0, 0.0), 3)])
def test_an_idle_suite_is_asked_seldom_and_again_with_the_first_request(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[float, ...], taken: int
) -> None:
    kept, stop, looks = History(), asyncio.Event(), 0

    async def take(_: object) -> Snapshot:
        return snapshot()

    async def publish_core(subject: str, data: bytes) -> None:
        kept.on_message(subject, data)

    async def look(waiting: Coroutine[Any, Any, object], seconds: float) -> None:
        nonlocal looks
        waiting.close()
        looks += 1
        if looks == 5:
            stop.set()
        raise TimeoutError

    monkeypatch.setattr("gateway.operations.snapshot.take", take)
    monkeypatch.setattr("gateway.operations.charts.asyncio.wait_for", look)
    gateway = SimpleNamespace(history=kept, settings=SimpleNamespace(instance="g1"), recent=requests(*rates))
    asyncio.run(charts.fill(cast("Gateway", gateway), cast("Bus", SimpleNamespace(publish_core=publish_core)), stop))
    assert len(points(kept)) == taken


def test_cpu_is_a_share_of_the_time_between_two_points() -> None:
    kept = History()
    kept.add(snapshot(cpu=100.0), [report()], START)
    kept.add(snapshot(cpu=103.0), [report()], START + timedelta(seconds=60))
    assert set(points(kept)[-1].cpu_cores.values()) == {0.05}


def test_the_page_draws_only_fields_that_a_point_has_and_loads_nothing_from_elsewhere() -> None:
    page = asyncio.run(charts.page()).body.decode()
    fields = {msgspec.structs.fields(Point)[at].encode_name for at in range(len(msgspec.structs.fields(Point)))}
    drawn = set(re.findall(r'"([a-z]\w+(?:Second|Seconds|Ms|Active|Total|Ratio|Waiting|Mib|Cores))"', page))
    assert drawn == fields - {"time", "sockets"}
    assert '"sockets"' in page
    assert page.count("http://") == page.count("http://www.w3.org/2000/svg") == 1
    assert "https://" not in page
    assert "innerHTML" not in page
