"""Health of the suite for people, and probes of this process for orchestrators.

No probe asks another process: a part that is down must not make every gateway restart.
"""

import time
from collections.abc import Iterable

from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from gateway.http import responses
from gateway.http.responses import NO_STORE
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.health import Connection, Connections, Health, Pool, Probe, ServiceHealth, ServicesHealth
from gateway.state import ApiRequest
from libs.telemetry import loop_lag

_MAX_LAG_SECONDS = 1.0

Status = common_pb2.GetStatusResponse


async def get_health(request: ApiRequest[NoQuery, NoBody]) -> Response:
    statuses = await request.app.status.read()
    answering = [status for status in statuses.values() if status is not None]
    connections = Connections(
        database=_connected(status.database_connected for status in answering),
        redis=_connected(status.redis_connected for status in answering),
        queue=_connected(status.queue_connected for status in answering),
    )
    healthy = len(answering) == len(statuses) and all(map(_is_healthy, answering))
    health = Health(
        status="healthy" if healthy else "unhealthy",
        uptime=int(time.monotonic() - request.app.started),
        connections=connections,
        pool=Pool(
            total=sum(status.pool_total for status in answering),
            idle=sum(status.pool_idle for status in answering),
            active=sum(status.pool_active for status in answering),
        ),
    )
    return _fresh(health, healthy)


async def get_services(request: ApiRequest[NoQuery, NoBody]) -> Response:
    statuses = await request.app.status.read()
    healthy = all(status is not None and _is_healthy(status) for status in statuses.values())
    services = [_service(name, status) for name, status in statuses.items()]
    return _fresh(ServicesHealth(status="healthy" if healthy else "unhealthy", services=services), healthy)


async def get_live(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return _fresh(Probe(status="live"), True)


async def get_ready(request: ApiRequest[NoQuery, NoBody]) -> Response:
    prompt = loop_lag.last() < _MAX_LAG_SECONDS
    return _fresh(Probe(status="ready" if prompt else "unready"), prompt)


def _fresh(answer: object, good: bool) -> Response:
    return responses.ok(answer, 200 if good else 503, headers={"cache-control": NO_STORE})


def _connected(parts: Iterable[bool]) -> Connection:
    seen = list(parts)
    return "connected" if seen and all(seen) else "disconnected"


def _is_healthy(status: Status) -> bool:
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
        status="healthy" if _is_healthy(status) else "unhealthy",
        instance=status.instance,
        release=status.release or None,
        uptime=status.uptime_seconds,
        connections=Connections(
            database=_connected([status.database_connected]),
            redis=_connected([status.redis_connected]),
            queue=_connected([status.queue_connected]),
        ),
        pool=Pool(total=status.pool_total, idle=status.pool_idle, active=status.pool_active),
    )


ROUTES = tagged(
    "Health",
    Route("GET", "/health", get_health, "Is the suite well?", public=True, answer=Health, problems=(503,)),
    Route(
        "GET",
        "/health/services",
        get_services,
        "Each service's own account",
        public=True,
        answer=ServicesHealth,
        problems=(503,),
    ),
    Route("GET", "/health/live", get_live, "Does this process run?", public=True, answer=Probe),
    Route(
        "GET",
        "/health/ready",
        get_ready,
        "May this process be sent requests?",
        public=True,
        answer=Probe,
        problems=(503,),
    ),
)
