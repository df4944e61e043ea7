"""The last hour of the suite as operators see it."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from gateway.http.schema import Answer, Query
from gateway.schemas.health import ServiceHealth
from gateway.schemas.jobs import Queue


class FiguresQuery(Query):
    after: Annotated[datetime, Meta(tz=True, description="Only points after this time.")] | None = None


class Point(Answer):
    """Ten seconds. Response times and errors are those of the minute before, of all gateways together."""

    time: str
    requests_per_second: Annotated[float, Meta(description="Requests a second.")]
    p50_ms: Annotated[float, Meta(description="Half of the requests took at most so many milliseconds.")]
    p95_ms: Annotated[float, Meta(description="95 % of the requests took at most so many milliseconds.")]
    p99_ms: Annotated[float, Meta(description="99 % of the requests took at most so many milliseconds.")]
    errors4xx_per_second: Annotated[float, Meta(description="Refusals (4xx) a second.")]
    errors5xx_per_second: Annotated[float, Meta(description="Failures (5xx) a second.")]
    pool_active: Annotated[int, Meta(description="Database connections in use, of one replica of each service.")]
    pool_total: Annotated[int, Meta(description="Database connections that these replicas may open.")]
    cache_hit_ratio: Annotated[
        dict[str, float], Meta(description="The share of reads since the last point that the cache answered, by class.")
    ]
    cache_heartbeat_seconds: Annotated[
        dict[str, float], Meta(description="The age of the last evidence that invalidations arrive, by class.")
    ]
    job_run_p95_seconds: Annotated[float, Meta(description="Processing time of jobs, of the slowest queue.")]
    jobs_waiting: Annotated[int, Meta(description="Jobs that are due, of all queues.")]
    outbox_lag_seconds: Annotated[
        dict[str, float], Meta(description="The age of the oldest event that was not published yet, by service.")
    ]
    sockets: Annotated[float, Meta(description="Open client connections of one realtime replica.")]
    memory_mib: Annotated[dict[str, float], Meta(description="Memory of one replica, by service.")]
    cpu_cores: Annotated[dict[str, float], Meta(description="Cores in use by one replica, by service.")]


class CacheRow(Answer):
    """One class of cached values, summed over all gateways since their starts."""

    name: Annotated[str, Meta(description="The class, as in docs/caching.md.")]
    hits: Annotated[int, Meta(description="Reads that memory or Redis answered.")]
    misses: Annotated[int, Meta(description="Reads that went to the service.")]
    stale_answers: Annotated[int, Meta(description="Older values within the bound, because the source was away.")]
    heartbeat_seconds: Annotated[float, Meta(description="The age of the last evidence that invalidations arrive.")]


class ServiceFigures(ServiceHealth):
    memory_mib: Annotated[float | None, Meta(description="Memory of the replica that answered.")]
    outbox_lag_seconds: Annotated[
        float | None, Meta(description="The age of the oldest event that was not published yet.")
    ]
    dead_events: Annotated[int | None, Meta(description="Events that the service gave up and did not handle since.")]


class Figures(Answer):
    """What operators look at first."""

    gateways: Annotated[list[str], Meta(description="The gateways whose requests are counted.")]
    points: Annotated[list[Point], Meta(description="At most an hour, oldest first.")]
    caches: Annotated[list[CacheRow], Meta(description="The cached classes that were read.")]
    services: Annotated[list[ServiceFigures], Meta(description="One replica of each service, as it answered last.")]
    queues: Annotated[list[Queue], Meta(description="The queues of all organizations together.")]
