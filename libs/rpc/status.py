"""StatusService: every service answers for itself what /health and the gateway's /metrics show of it.

Asks each part at most once a second and waits one second for its answer, so that a frozen part delays no caller.
"""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from prometheus_client import Counter, Gauge

from echosenseix.common.v1 import common_pb2, common_pb2_grpc
from libs.config import ServiceSettings
from libs.telemetry.metrics import CACHE_HITS, CACHE_MISSES, EVENTS_DEAD, OUTBOX_LAG_SECONDS

# Seconds for a part to answer before it counts as down.
_PROBE_SECONDS = 1.0
# Seconds for which an answer is reused, so that probes do not load the parts.
_FRESH_SECONDS = 1.0
_started = time.monotonic()

Probe = Callable[[], Awaitable[object]]
Gauges = Callable[[], Mapping[str, float]]


class PoolStats(Protocol):
    @property
    def total(self) -> int: ...

    @property
    def idle(self) -> int: ...

    @property
    def active(self) -> int: ...


class Database(Protocol):
    """What is asked of libs.postgres.Database."""

    def pool_stats(self) -> PoolStats: ...

    async def ping(self) -> bool: ...


class Bus(Protocol):
    """What is asked of libs.bus.Bus."""

    @property
    def connected(self) -> bool: ...


class StatusServicer(common_pb2_grpc.StatusServiceServicer):
    """`redis_ping` raises or answers False when Redis is away; `gauges` are the service's named figures, such as
    cache_hits."""

    def __init__(
        self,
        settings: ServiceSettings,
        service: str,
        *,
        database: Database,
        redis_ping: Probe,
        bus: Bus,
        gauges: Gauges = dict,
    ) -> None:
        self._settings = settings
        self._service = service
        self._database = database
        self._probes = (database.ping, redis_ping)
        self._bus = bus
        self._gauges = gauges
        self._seen: tuple[float, list[bool]] = (float("-inf"), [])
        self._lock = asyncio.Lock()

    async def GetStatus(self, request: common_pb2.GetStatusRequest, context: object) -> common_pb2.GetStatusResponse:
        database, redis = await self._connections()
        pool = self._database.pool_stats()
        return common_pb2.GetStatusResponse(
            service=self._service,
            instance=self._settings.instance,
            release=self._settings.release,
            uptime_seconds=int(time.monotonic() - _started),
            database_connected=database,
            redis_connected=redis,
            queue_connected=self._bus.connected,
            pool_total=pool.total,
            pool_idle=pool.idle,
            pool_active=pool.active,
            gauges={**_process_figures(), **self._gauges()},
        )

    async def _connections(self) -> list[bool]:
        async with self._lock:
            at, connections = self._seen
            if time.monotonic() - at >= _FRESH_SECONDS:
                connections = await asyncio.gather(*(_answers(probe) for probe in self._probes))
                self._seen = (time.monotonic(), connections)
            return connections


def _process_figures() -> dict[str, float]:
    """What the gateway's /metrics shows of each instance."""
    return {
        "cpu_seconds": time.process_time(),
        "memory_bytes": _resident_bytes(),
        "cache_hits": _counted(CACHE_HITS),
        "cache_misses": _counted(CACHE_MISSES),
        # Both are known to the replica that publishes and consumes, and 0 in the others.
        "outbox_lag_seconds": _largest(OUTBOX_LAG_SECONDS),
        "dead_events": _largest(EVENTS_DEAD),
    }


def _resident_bytes() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return float(pages * resource.getpagesize())


def _counted(counter: Counter) -> float:
    """The sum over a counter's labels."""
    return sum(sample.value for family in counter.collect() for sample in family.samples if "_total" in sample.name)


def _largest(gauge: Gauge) -> float:
    """Over a gauge's labels; 0 without a value."""
    return max((sample.value for family in gauge.collect() for sample in family.samples), default=0.0)


async def _answers(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await probe() is not False
    except Exception:
        return False
