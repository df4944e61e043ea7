"""The one table of services: names, ports and permission areas.

Everything that lists services is made from it: the gateway's peers, the scopes, the local runner, the OpenAPI document.
Kubernetes, the Tiltfile and the folders under services/ are compared with it by tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Service:
    """One service: a process that serves gRPC and a worker process, each scaled by itself."""

    name: str  # its Python package, its schema in PostgreSQL and the issuer of its principals
    area: str  # `<area>:read` and `<area>:write` are the scopes of its jobs, queues and dead letters
    grpc_port: int  # on one machine; so are the next two
    ops_port: int
    worker_ops_port: int
    deployable: str = ""  # its name in Kubernetes and URLs, where that differs from `name`
    events_area: str = ""  # `<area>:read` is the scope of its events, where that differs from `area`

    def __post_init__(self) -> None:
        object.__setattr__(self, "deployable", self.deployable or self.name)
        object.__setattr__(self, "events_area", self.events_area or self.area)

    @property
    def processes(self) -> tuple[str, str]:
        """The names of its two processes on one machine."""
        return self.name, f"{self.name}-worker"

    @property
    def address_setting(self) -> str:
        """The environment variable by which other processes find it."""
        return f"{self.name.upper()}_GRPC"

    @property
    def local_address(self) -> str:
        """host:port of its gRPC server on one machine."""
        return f"127.0.0.1:{self.grpc_port}"


IDENTITY = Service("identity", area="members", grpc_port=7401, ops_port=7501, worker_ops_port=7511)
AGENT = Service("agent", area="agents", grpc_port=7402, ops_port=7502, worker_ops_port=7512)
KNOWLEDGE = Service("knowledge", area="knowledge", grpc_port=7403, ops_port=7503, worker_ops_port=7513)
CALLLOG = Service("calllog", area="calls", grpc_port=7404, ops_port=7504, worker_ops_port=7514, deployable="call-log")
BILLING = Service("billing", area="billing", grpc_port=7405, ops_port=7505, worker_ops_port=7515)
REALTIME = Service(
    "realtime", area="realtime", grpc_port=7406, ops_port=7506, worker_ops_port=7516, events_area="webhooks"
)


def _by_name(services: Iterable[Service]) -> Mapping[str, Service]:
    return MappingProxyType({service.name: service for service in services})


SERVICES = _by_name((IDENTITY, AGENT, KNOWLEDGE, CALLLOG, BILLING, REALTIME))
"""Name -> service."""

INTEGRATIONS = "integrations"
"""The area of accounts at providers: who manages agents need not reach the keys of the providers."""

ORGANIZATIONS = "organizations"
"""The area of an agency's customers. Who may read it acts in them, as far as the own role and the other scopes go."""

AREAS = (
    *dict.fromkeys(area for service in SERVICES.values() for area in (service.area, service.events_area)),
    INTEGRATIONS,
    ORGANIZATIONS,
)
"""Every permission area once."""

AUDIT_READ = "audit:read"
"""The scope of the audit log, which no request writes. Members and viewers do not have it."""

SCOPES = ("*", *(f"{area}:{verb}" for area in AREAS for verb in ("read", "write")), AUDIT_READ)
"""Every scope that can be granted."""


def process_names(text: str) -> str:
    """The text with each deployable's name replaced by its process's: call-log-worker becomes calllog-worker."""
    for service in SERVICES.values():
        text = text.replace(service.deployable, service.name)
    return text
