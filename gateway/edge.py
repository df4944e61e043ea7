"""What lives as long as the gateway does, in one value that every call can reach. No behaviour."""

import time
from dataclasses import dataclass, field

from gateway.clients import Clients, SuiteStatus
from gateway.config import GatewaySettings
from gateway.http.idempotency import Fingerprints
from gateway.middleware.telemetry import RecentRequests
from gateway.principals import Principals
from libs.paging import CursorCodec


@dataclass(frozen=True, slots=True)
class Edge:
    """The gateway's parts."""

    settings: GatewaySettings
    clients: Clients
    principals: Principals
    recent: RecentRequests
    status: SuiteStatus
    # Of lists that are merged here from several services.
    cursors: CursorCodec
    fingerprints: Fingerprints
    started: float = field(default_factory=time.monotonic)
