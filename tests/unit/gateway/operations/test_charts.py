"""The charts keep an hour at most, count CPU between two instants, and draw every figure that a point has."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from gateway.middleware.telemetry import Traffic
from gateway.operations.charts import EVERY_SECONDS, KEPT, Charts
from gateway.operations.snapshot import Snapshot
from gateway.state import Gateway

START = datetime(2026, 1, 1, tzinfo=UTC)


def snapshot(cpu: float = 0.0, instance: str = "a") -> Snapshot:
    status = common_pb2.GetStatusResponse(instance=instance, pool_total=10, pool_active=3, pool_idle=7)
    status.gauges.update({"cpu_seconds": cpu, "memory_bytes": 64 * 1_048_576, "sockets": 2})
    return Snapshot(
        traffic=Traffic(5.0, 0.5, 0.1, 0.002, 0.02, 0.05),
        statuses={"agent": status},
        queues=[jobs_pb2.Queue(service="agent", name="sync", waiting=4, run_p95_seconds=1.5)],
        cache_hits=9,
        cache_misses=1,
    )


def points(charts: Charts) -> list[dict[str, Any]]:
    body = asyncio.run(charts.data()).body
    return cast("list[dict[str, Any]]", json.loads(body)["points"])


def charts() -> Charts:
    return Charts(cast("Gateway", None))


def test_a_point_has_the_nine_metrics() -> None:
    kept = charts()
    kept.add(snapshot(), START)
    [point] = points(kept)
    assert point["requestsPerSecond"] == 5.0
    assert (point["p50Ms"], point["p95Ms"], point["p99Ms"]) == (2.0, 20.0, 50.0)
    assert (point["errors4xxPerSecond"], point["errors5xxPerSecond"]) == (0.5, 0.1)
    assert (point["poolActive"], point["poolTotal"]) == (3, 10)
    assert point["cacheHitRatio"] == 0.9
    assert (point["jobRunP95Seconds"], point["jobsWaiting"]) == (1.5, 4)
    assert point["sockets"] == 2
    assert point["memoryMib"] == {"agent": 64.0}


def test_cpu_is_the_share_of_a_core_between_two_points_and_unknown_for_a_new_replica() -> None:
    kept = charts()
    kept.add(snapshot(cpu=100.0), START)
    kept.add(snapshot(cpu=100.0 + EVERY_SECONDS / 2), START)
    kept.add(snapshot(cpu=0.1, instance="b"), START)
    assert [point["cpuCores"] for point in points(kept)] == [{}, {"agent": 0.5}, {}]


def test_no_more_than_an_hour_is_kept() -> None:
    kept = charts()
    for number in range(KEPT + 5):
        kept.add(snapshot(), START + timedelta(seconds=number))
    assert len(points(kept)) == KEPT
    assert points(kept)[0]["time"].startswith("2026-01-01T00:00:05")


def test_the_page_draws_only_fields_that_a_point_has_and_loads_nothing_from_elsewhere() -> None:
    kept = charts()
    kept.add(snapshot(), START)
    page = asyncio.run(kept.page()).body.decode()
    drawn = set(re.findall(r'"([a-z]\w+(?:Second|Seconds|Ms|Active|Total|Ratio|Waiting|sockets|Mib|Cores))"', page))
    assert drawn == points(kept)[0].keys() - {"time", "sockets"}
    assert "http://" not in page
    assert "https://" not in page
