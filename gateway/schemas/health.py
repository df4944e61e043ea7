"""The health of the suite. `Health` has exactly the four keys of the specification."""

from typing import Literal

from gateway.http.schema import Answer

Connection = Literal["connected", "disconnected"]


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
