"""What lives as long as the gateway does, in one value that every call can reach. No behaviour."""

import time
from dataclasses import dataclass, field

from gateway.clients import Clients
from gateway.config import GatewaySettings
from gateway.middleware.authentication import Principals
from gateway.middleware.telemetry import RecentRequests
from gateway.suite_status import SuiteStatus
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
    started: float = field(default_factory=time.monotonic)
