"""What lives as long as the gateway does, in one value that every request can reach. No behavior."""

import time
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.clients import Clients, SuiteStatus
from gateway.config import GatewaySettings
from gateway.console.assets import Console
from gateway.figures.history import History
from gateway.http.idempotency import Fingerprints
from gateway.http.request import Request
from gateway.http.signed_links import SignedLinks
from gateway.middleware.telemetry import RecentRequests
from gateway.principals import Principals
from libs.cache.process import Caches
from libs.paging import CursorCodec
from libs.ratelimit import RateLimiter

Q = TypeVar("Q")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's parts."""

    settings: GatewaySettings
    clients: Clients
    principals: Principals
    recent: RecentRequests
    status: SuiteStatus
    # Signs the cursors of lists that the gateway merges from several services.
    cursors: CursorCodec
    # Compares two requests under one Idempotency-Key.
    fingerprints: Fingerprints
    # Opens recordings for a few minutes without a credential.
    links: SignedLinks
    # None answers every read from its service, for tests of what lies behind.
    caches: Caches | None = None
    # None limits nothing, for tests of what lies behind.
    limiter: RateLimiter | None = None
    console: Console = field(default_factory=Console.read)
    # The last hour's figures, for operators.
    history: History = field(default_factory=History)
    # time.monotonic() at the start, in seconds.
    started: float = field(default_factory=time.monotonic)


# What a handler receives: its query has the type Q, its JSON body the type B.
ApiRequest = Request[Gateway, Q, B]
