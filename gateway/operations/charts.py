"""The last hour of the nine metrics, kept in this process: a page of charts that needs nothing installed.

`/charts` is the page and `/charts.json` its data. Real deployments use Prometheus and the dashboards in
k8s/components/monitoring; this page is for one machine and for the first look.
"""

import asyncio
import contextlib
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.operations import snapshot
from gateway.operations.snapshot import Snapshot
from libs.clock import rfc3339_ms
from libs.telemetry.ops import Page

if TYPE_CHECKING:
    from gateway.state import Gateway

# 360 points show an hour at a width that a screen can draw; each costs the suite twelve small RPCs.
EVERY_SECONDS = 10.0
# Points.
KEPT = 360
_PAGE = Path(__file__).with_name("charts.html")


class Charts:
    """A bounded history; `run` fills it until it is cancelled."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._points: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._cpu_seconds: dict[str, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """A point every EVERY_SECONDS."""
        while not stop.is_set():
            self.add(await snapshot.take(self._gateway), datetime.now(UTC))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)

    def add(self, seen: Snapshot, now: datetime) -> None:
        """Keep one instant. CPU is the share of a core since the point before, by service."""
        traffic = seen.traffic
        self._points.append({
            "time": rfc3339_ms(now),
            "requestsPerSecond": traffic.requests_per_second,
            "p50Ms": traffic.p50 * 1000, "p95Ms": traffic.p95 * 1000, "p99Ms": traffic.p99 * 1000,
            "errors4xxPerSecond": traffic.client_errors_per_second,
            "errors5xxPerSecond": traffic.server_errors_per_second,
            "poolActive": sum(status.pool_active for status in seen.statuses.values()),
            "poolTotal": sum(status.pool_total for status in seen.statuses.values()),
            "cacheHitRatio": seen.cache_hit_ratio,
            "jobRunP95Seconds": max((queue.run_p95_seconds for queue in seen.queues), default=0.0),
            "jobsWaiting": sum(queue.waiting for queue in seen.queues),
            "sockets": seen.total("sockets"),
            "memoryMib": {name: _mib(status.gauges.get("memory_bytes", 0.0)) for name, status in seen.statuses.items()},
            "cpuCores": self._cpu(seen),
        })  # fmt: skip

    def _cpu(self, seen: Snapshot) -> dict[str, float]:
        before = self._cpu_seconds
        # A replica that was replaced counts from zero again: its first difference is unknown, not negative.
        self._cpu_seconds = {
            f"{name} {status.instance}": status.gauges.get("cpu_seconds", 0.0) for name, status in seen.statuses.items()
        }
        return {
            key.partition(" ")[0]: (used - before[key]) / EVERY_SECONDS
            for key, used in self._cpu_seconds.items()
            if key in before
        }

    async def data(self) -> Page:
        """`/charts.json`: {"points": [...]}, oldest first."""
        return Page(200, msgspec.json.encode({"points": list(self._points)}), "application/json")

    async def page(self) -> Page:
        """`/charts`."""
        return Page(200, await asyncio.to_thread(_PAGE.read_bytes), "text/html; charset=utf-8")


def _mib(amount: float) -> float:
    return round(amount / 1_048_576, 1)
