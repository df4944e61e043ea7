"""Health of the suite, and probes of this process for orchestrators.

A probe asks no other process, because a store that is down must not make every gateway restart. The operations port
shows the status of each service (gateway.operations.services).
"""

import time

from starlette.responses import Response

from gateway.http import responses
from gateway.http.responses import NO_STORE
from gateway.http.routing import UNLIMITED, Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.health import Connections, Health, Pool, Probe, connected, is_healthy
from gateway.state import ApiRequest
from libs.telemetry import loop_lag

# Seconds of event loop lag from which the process reports that it is not ready.
_MAX_LAG_SECONDS = 1.0


async def get_health(request: ApiRequest[NoQuery, NoBody]) -> Response:
    statuses = await request.app.status.read()
    answering = [status for status in statuses.values() if status is not None]
    connections = Connections(
        database=connected(status.database_connected for status in answering),
        redis=connected(status.redis_connected for status in answering),
        queue=connected(status.queue_connected for status in answering),
    )
    healthy = len(answering) == len(statuses) and all(map(is_healthy, answering))
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


async def get_live(request: ApiRequest[NoQuery, NoBody]) -> Response:
    return _fresh(Probe(status="live"), True)


async def get_ready(request: ApiRequest[NoQuery, NoBody]) -> Response:
    prompt = loop_lag.last() < _MAX_LAG_SECONDS
    return _fresh(Probe(status="ready" if prompt else "unready"), prompt)


def _fresh(answer: object, good: bool) -> Response:
    return responses.ok(answer, 200 if good else 503, headers={"cache-control": NO_STORE})


ROUTES = tagged(
    "Health",
    Route(
        "GET",
        "/health",
        get_health,
        "Health of the suite",
        public=True,
        limits=UNLIMITED,
        answer=Health,
        also={503: "A part does not answer"},
    ),
    Route("GET", "/health/live", get_live, "Liveness of this process", public=True, limits=UNLIMITED, answer=Probe),
    Route(
        "GET",
        "/health/ready",
        get_ready,
        "Readiness of this process",
        public=True,
        limits=UNLIMITED,
        answer=Probe,
        also={503: "The process cannot serve now"},
    ),
)
