"""The suite's metrics for Prometheus: nine figures of the whole suite and the metrics of this process.

Request rate, response time p50/p95/p99, 4xx and 5xx rates, database pool use, cache hit ratio, job processing time,
sockets, memory and CPU.
"""

from typing import TYPE_CHECKING

from gateway.figures.snapshot import Snapshot
from gateway.operations import snapshot
from libs.telemetry import metrics as figures
from libs.telemetry.ops import Page, metrics_page

if TYPE_CHECKING:
    from gateway.state import Gateway


async def metrics(gateway: "Gateway") -> Page:
    """`/metrics` of the operations port."""
    seen = await snapshot.take(gateway)
    _show_traffic(seen)
    _show_services(seen)
    figures.SUITE_CACHE_HIT_RATIO.set(seen.cache_hit_ratio)
    figures.SUITE_SOCKETS.set(seen.total("sockets"))
    for queue in seen.queues:
        figures.SUITE_JOB_RUN_SECONDS.labels(queue.service, queue.name).set(queue.run_p95_seconds)
        figures.SUITE_JOBS_WAITING.labels(queue.service, queue.name).set(queue.waiting)
    return await metrics_page()


def _show_traffic(seen: Snapshot) -> None:
    traffic = seen.traffic
    figures.HTTP_REQUEST_RATE.set(traffic.requests_per_second)
    figures.HTTP_ERROR_RATE.labels("4xx").set(traffic.client_errors_per_second)
    figures.HTTP_ERROR_RATE.labels("5xx").set(traffic.server_errors_per_second)
    for quantile, seconds in (("0.5", traffic.p50), ("0.95", traffic.p95), ("0.99", traffic.p99)):
        figures.HTTP_RESPONSE_SECONDS.labels(quantile).set(seconds)


def _show_services(seen: Snapshot) -> None:
    # Replicas that were replaced or did not answer must not stay among the series.
    figures.SUITE_MEMORY_BYTES.clear()
    figures.SUITE_CPU_SECONDS.clear()
    for name, status in seen.statuses.items():
        for state in ("total", "idle", "active"):
            figures.SUITE_POOL_CONNECTIONS.labels(name, state).set(getattr(status, f"pool_{state}"))
        figures.SUITE_MEMORY_BYTES.labels(name, status.instance).set(status.gauges.get("memory_bytes", 0.0))
        figures.SUITE_CPU_SECONDS.labels(name, status.instance).set(status.gauges.get("cpu_seconds", 0.0))
