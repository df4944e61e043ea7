"""What each service says of itself, for operators: connections, pool, release and uptime."""

from typing import TYPE_CHECKING

from gateway.http.responses import encode_json
from gateway.schemas.health import ServicesHealth, is_healthy, service_health
from libs.telemetry.ops import Page

if TYPE_CHECKING:
    from gateway.state import Gateway


async def services(gateway: "Gateway") -> Page:
    """`/health/services` of the operations port; 503 unless every service is healthy."""
    statuses = await gateway.status.read()
    healthy = all(status is not None and is_healthy(status) for status in statuses.values())
    answer = ServicesHealth(
        status="healthy" if healthy else "unhealthy",
        services=[service_health(name, status) for name, status in statuses.items()],
    )
    return Page(200 if healthy else 503, encode_json(answer), "application/json")
