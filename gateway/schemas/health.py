"""The health of the suite. `Health` has exactly the four keys of the specification."""

from collections.abc import Iterable
from typing import Literal

from echosenseix.common.v1 import common_pb2
from gateway.http.schema import Answer

Connection = Literal["connected", "disconnected"]
Status = common_pb2.GetStatusResponse


class Connections(Answer):
    database: Connection
    redis: Connection
    queue: Connection


class Pool(Answer):
    """One replica of each service: the sum of the configured maxima, and how many are idle and in use now."""

    total: int
    idle: int
    active: int


class Health(Answer):
    status: Literal["healthy", "unhealthy"]
    uptime: int
    connections: Connections
    pool: Pool


class ServiceHealth(Answer):
    service: str
    status: Literal["healthy", "unhealthy", "unreachable"]
    instance: str | None
    release: str | None
    uptime: int | None
    connections: Connections | None
    pool: Pool | None


class ServicesHealth(Answer):
    status: Literal["healthy", "unhealthy"]
    services: list[ServiceHealth]


class Probe(Answer):
    status: Literal["live", "ready", "unready"]


def connected(parts: Iterable[bool]) -> Connection:
    """Connected if there is a part and every part is."""
    seen = list(parts)
    return "connected" if seen and all(seen) else "disconnected"


def is_healthy(status: Status) -> bool:
    """Whether the service reaches its database, Redis and the bus."""
    return status.database_connected and status.redis_connected and status.queue_connected


def service_health(name: str, status: Status | None) -> ServiceHealth:
    """`status` is None for a service that did not answer."""
    if status is None:
        return ServiceHealth(
            service=name,
            status="unreachable",
            instance=None,
            release=None,
            uptime=None,
            connections=None,
            pool=None,
        )
    return ServiceHealth(
        service=name,
        status="healthy" if is_healthy(status) else "unhealthy",
        instance=status.instance,
        release=status.release or None,
        uptime=status.uptime_seconds,
        connections=Connections(
            database=connected([status.database_connected]),
            redis=connected([status.redis_connected]),
            queue=connected([status.queue_connected]),
        ),
        pool=Pool(total=status.pool_total, idle=status.pool_idle, active=status.pool_active),
    )
