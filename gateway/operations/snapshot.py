"""Asking all services at once: the snapshot of which the figures of /metrics and of the charts are made."""

import asyncio
import time
from typing import TYPE_CHECKING

from echosenseix.jobs.v1 import jobs_pb2
from gateway.figures.snapshot import Snapshot
from libs.errors import AppError
from libs.rpc.context import acting_as
from libs.rpc.principal import service_principal

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub
    from gateway.state import Gateway

_OPERATOR = service_principal("gateway")


async def take(gateway: "Gateway") -> Snapshot:
    """Asks all services side by side."""
    answers, queues = await asyncio.gather(gateway.status.read(), _queues(gateway))
    statuses = {name: status for name, status in answers.items() if status is not None}
    gauges = [status.gauges for status in statuses.values()]
    return Snapshot(
        traffic=gateway.recent.traffic(time.perf_counter()),
        asked=list(answers),
        statuses=statuses,
        queues=queues,
        cache_hits=gateway.principals.hits + sum(gauge.get("cache_hits", 0.0) for gauge in gauges),
        cache_misses=gateway.principals.misses + sum(gauge.get("cache_misses", 0.0) for gauge in gauges),
    )


async def _queues(gateway: "Gateway") -> list[jobs_pb2.Queue]:
    with acting_as(_OPERATOR):
        answers = await asyncio.gather(*(_queues_of(stub) for stub in gateway.clients.jobs.values()))
    return [queue for answer in answers for queue in answer]


async def _queues_of(stub: "JobsServiceAsyncStub") -> list[jobs_pb2.Queue]:
    try:
        return list((await stub.ListQueues(jobs_pb2.ListQueuesRequest(), timeout=1.0)).queues)
    except AppError:
        return []
