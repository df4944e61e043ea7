"""The suite at one instant: what this gateway served in the last minute and what the services say of themselves.

A service that does not answer is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2
from gateway.middleware.telemetry import Traffic


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`asked` names all services; `statuses` by service name, of one replica each, and `queues` are of those that
    answered."""

    traffic: Traffic
    asked: Sequence[str]
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
