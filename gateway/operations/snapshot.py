"""The suite at one instant: what this gateway served in the last minute and what the services say of themselves.

A service that does not answer is left out. The figures of /metrics and of the charts are made from it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from gateway.middleware.telemetry import Traffic
from libs.errors import AppError
from libs.rpc.context import acting_as
from libs.rpc.principal import service_principal

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub
    from gateway.state import Gateway

_OPERATOR = service_principal("gateway")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`statuses` by service name, of one replica each; `queues` of all services that answered."""

    traffic: Traffic
    statuses: Mapping[str, common_pb2.GetStatusResponse]
    queues: Sequence[jobs_pb2.Queue]
    cache_hits: float
    cache_misses: float

    @property
    def cache_hit_ratio(self) -> float:
        """Since the start of the processes; 0 when nothing was read."""
        reads = self.cache_hits + self.cache_misses
        return self.cache_hits / reads if reads else 0.0

    def total(self, gauge: str) -> float:
        """A gauge summed over the services that have it."""
        return sum(status.gauges.get(gauge, 0.0) for status in self.statuses.values())


async def take(gateway: "Gateway") -> Snapshot:
    """Asks all services side by side."""
    answers, queues = await asyncio.gather(gateway.status.read(), _queues(gateway))
    statuses = {name: status for name, status in answers.items() if status is not None}
    gauges = [status.gauges for status in statuses.values()]
    return Snapshot(
        traffic=gateway.recent.traffic(time.perf_counter()),
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
