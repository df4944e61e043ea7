"""The suite's metrics for Prometheus: nine figures of the whole suite and the metrics of this process.

Request rate, response time p50/p95/p99, 4xx and 5xx rates, database pool use, cache hit ratio, job processing time,
sockets, memory and CPU. A service that does not answer is left out.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from libs.errors import AppError
from libs.rpc.context import acting_as
from libs.rpc.principal import service_principal
from libs.telemetry import metrics as figures
from libs.telemetry.ops import Page, metrics_page

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub
    from gateway.state import Gateway

_OPERATOR = service_principal("gateway")


async def metrics(gateway: "Gateway") -> Page:
    """`/metrics` of the operations port."""
    _show_traffic(gateway)
    statuses, queues = await asyncio.gather(gateway.status.read(), _queues(gateway))
    answering = {name: status for name, status in statuses.items() if status is not None}
    _forget_instances()
    for name, status in answering.items():
        _show_service(name, status)
    _show_totals(gateway, answering.values())
    _show_queues(queues)
    return await metrics_page()


def _show_traffic(gateway: "Gateway") -> None:
    traffic = gateway.recent.traffic(time.perf_counter())
    figures.HTTP_REQUEST_RATE.set(traffic.requests_per_second)
    figures.HTTP_ERROR_RATE.labels("4xx").set(traffic.client_errors_per_second)
    figures.HTTP_ERROR_RATE.labels("5xx").set(traffic.server_errors_per_second)
    for quantile, seconds in (("0.5", traffic.p50), ("0.95", traffic.p95), ("0.99", traffic.p99)):
        figures.HTTP_RESPONSE_SECONDS.labels(quantile).set(seconds)


def _show_service(name: str, status: common_pb2.GetStatusResponse) -> None:
    for state in ("total", "idle", "active"):
        figures.SUITE_POOL_CONNECTIONS.labels(name, state).set(getattr(status, f"pool_{state}"))
    figures.SUITE_MEMORY_BYTES.labels(name, status.instance).set(status.gauges.get("memory_bytes", 0.0))
    figures.SUITE_CPU_SECONDS.labels(name, status.instance).set(status.gauges.get("cpu_seconds", 0.0))


def _forget_instances() -> None:
    """Remove the figures of replicas that were replaced or did not answer."""
    figures.SUITE_MEMORY_BYTES.clear()
    figures.SUITE_CPU_SECONDS.clear()


def _show_totals(gateway: "Gateway", statuses: Iterable[common_pb2.GetStatusResponse]) -> None:
    gauges = [dict(status.gauges) for status in statuses]
    hits = gateway.principals.hits + sum(gauge.get("cache_hits", 0.0) for gauge in gauges)
    misses = gateway.principals.misses + sum(gauge.get("cache_misses", 0.0) for gauge in gauges)
    figures.SUITE_CACHE_HIT_RATIO.set(hits / (hits + misses) if hits + misses else 0.0)
    figures.SUITE_SOCKETS.set(sum(gauge.get("sockets", 0.0) for gauge in gauges))


def _show_queues(queues: list[jobs_pb2.Queue]) -> None:
    for queue in queues:
        figures.SUITE_JOB_RUN_SECONDS.labels(queue.service, queue.name).set(queue.run_p95_seconds)
        figures.SUITE_JOBS_WAITING.labels(queue.service, queue.name).set(queue.waiting)


async def _queues(gateway: "Gateway") -> list[jobs_pb2.Queue]:
    with acting_as(_OPERATOR):
        answers = await asyncio.gather(*(_queues_of(stub) for stub in gateway.clients.jobs.values()))
    return [queue for answer in answers for queue in answer]


async def _queues_of(stub: "JobsServiceAsyncStub") -> list[jobs_pb2.Queue]:
    try:
        return list((await stub.ListQueues(jobs_pb2.ListQueuesRequest(), timeout=1.0)).queues)
    except AppError:
        return []
