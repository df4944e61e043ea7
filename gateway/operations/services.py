"""What each service says of itself, for operators: connections, pool, release and uptime."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from echosenseix.common.v1 import common_pb2
from gateway.http.responses import encode_json
from gateway.schemas.health import Connection, Connections, Pool, ServiceHealth, ServicesHealth
from libs.telemetry.ops import Page

if TYPE_CHECKING:
    from gateway.state import Gateway

Status = common_pb2.GetStatusResponse


async def services(gateway: "Gateway") -> Page:
    """`/health/services` of the operations port; 503 unless every service is healthy."""
    statuses = await gateway.status.read()
    healthy = all(status is not None and is_healthy(status) for status in statuses.values())
    answer = ServicesHealth(
        status="healthy" if healthy else "unhealthy",
        services=[_service(name, status) for name, status in statuses.items()],
    )
    return Page(200 if healthy else 503, encode_json(answer), "application/json")


def connected(parts: Iterable[bool]) -> Connection:
    """Connected if there is a part and every part is."""
    seen = list(parts)
    return "connected" if seen and all(seen) else "disconnected"


def is_healthy(status: Status) -> bool:
    """Whether the service reaches its database, Redis and the bus."""
    return status.database_connected and status.redis_connected and status.queue_connected


def _service(name: str, status: Status | None) -> ServiceHealth:
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
