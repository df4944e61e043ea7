"""Sheds load: refuses at once what would only wait (docs/adr/0044-load-shedding.md).

A limit that adapts to how long answers take bounds the requests that run. Lanes share it: organizations by max-min
fairness, callers without a credential by address, deliveries by path once one was accepted; those of which neither path
nor address is known have places of their own. Bodies and answers on their way hold places of lanes of their own,
because they wait for the client and not for us. Inside authentication, which knows the organization, and outside
everything that costs.
"""

import logging
import random
import time
from collections.abc import Hashable
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.request import Request, request_of
from gateway.http.routing import UNLIMITED, Route, match_of
from gateway.principals import Credential
from libs.addresses import address_prefix
from libs.cache import Memory
from libs.errors import OVERLOADED, AppError, Unavailable
from libs.resilience import AdaptiveLimit, Lane
from libs.telemetry.metrics import HTTP_SERVER_PLACES, HTTP_SERVER_SHED

log = logging.getLogger("gateway.admission")

# Seconds after which a refused client may try again, drawn at random, so that they do not all return at once.
_RETRY_SECONDS = (1.0, 3.0)
# Places of a gateway that has just started. More: a sudden flood makes its first requests wait for longer.
_START = 64
# Places that a gateway has at least: enough to keep the services busy.
_LEAST = 8
# The part of the limit that callers without a credential have in addition to it.
_ANONYMOUS_PART = 4
# Fewest places of callers without a credential.
_ANONYMOUS_LEAST = 4
# Fewest places of deliveries, which carry money, and of questions to identity, of which each is one short statement.
_RESERVED = 32
# Credentials whose organization is remembered, and paths and addresses of deliveries. 300 bytes each, at most 700.
_REMEMBERED = 8_192
# Seconds between log lines about shedding; http_server_shed_total counts every refusal.
_TELL_SECONDS = 10.0
# What a service answers that has too much to do; one that is away is not relieved by fewer requests.
_STRAINED = frozenset(
    (OVERLOADED, "database_busy", "database_exhausted", "database_timeout", "deadline_exceeded", "dependency_timeout")
)


def overloaded() -> Unavailable:
    """503 with a Retry-After."""
    return Unavailable(
        OVERLOADED,
        "Too many requests are running. Try again.",
        retry_after=random.uniform(*_RETRY_SECONDS),  # noqa: S311 - jitter needs no secrecy
    )


class Lanes:
    """The lanes of a process; `places` is the most that run at once for organizations."""

    def __init__(self, places: int) -> None:
        self.adaptive = AdaptiveLimit(places, start=_START, least=_LEAST)
        self.organizations = Lane("organizations", lambda: self.adaptive.limit)
        self.anonymous = Lane("anonymous", lambda: max(_ANONYMOUS_LEAST, self.adaptive.limit // _ANONYMOUS_PART))
        self.deliveries = Lane("deliveries", lambda: max(_RESERVED, self.adaptive.limit))
        self.first_deliveries = Lane("first_deliveries", lambda: _RESERVED)
        self.lookups = Lane("lookups", lambda: max(_RESERVED, self.adaptive.limit))
        self.transfers = Lane("transfers", lambda: places)
        self.anonymous_transfers = Lane("anonymous_transfers", lambda: places)
        self.delivery_transfers = Lane("delivery_transfers", lambda: max(_RESERVED, places))
        self.first_delivery_transfers = Lane("first_delivery_transfers", lambda: max(_RESERVED, places))
        self.answers = Lane("answers", lambda: places)
        self.all = (
            self.organizations, self.anonymous, self.deliveries, self.first_deliveries, self.lookups, self.transfers,
            self.anonymous_transfers, self.delivery_transfers, self.first_delivery_transfers, self.answers,
        )  # fmt: skip
        self._transfers = {
            self.organizations: self.transfers,
            self.anonymous: self.anonymous_transfers,
            self.deliveries: self.delivery_transfers,
            self.first_deliveries: self.first_delivery_transfers,
        }
        self._told = -_TELL_SECONDS
        # Secret -> organization, so that a refusal needs no question to identity. Only secrets that identity vouched
        # for, whatever stood beside them in the request: an invented one pushes no other out. It says nothing but
        # whose place is wanted: the layers refuse a credential that has been revoked since, once there is a place.
        self._organizations: Memory[str, str] = Memory("organizations_shown", max_entries=_REMEMBERED)
        # Paths and addresses of deliveries that were accepted. Anyone can invent another path, and many addresses
        # together could hold all places. Apart, so that many addresses forget no path.
        self._accepted_paths: Memory[str, bool] = Memory("delivery_paths", max_entries=_REMEMBERED)
        self._accepted_addresses: Memory[str, bool] = Memory("delivery_addresses", max_entries=_REMEMBERED)
        for lane in self.all:
            HTTP_SERVER_PLACES.labels(lane.name, "held").set_function(partial(getattr, lane, "total"))
            HTTP_SERVER_PLACES.labels(lane.name, "limit").set_function(partial(getattr, lane, "limit"))

    def of(self, route: Route[Any, Any] | None, *, known: bool) -> Lane | None:
        """The lane of a request; None for probes, which hold no place. `known`: its organization is, or its sender."""
        if route is not None and route.limited == UNLIMITED:
            return None
        if route is not None and route.limited == "webhook":
            return self.deliveries if known else self.first_deliveries
        if route is not None and route.body_kind in ("multipart", "stream"):
            return self.transfers if known else self.anonymous_transfers
        return self.organizations if known else self.anonymous

    def remember(self, credential: Credential, organization: str) -> None:
        """Whose credential this is. One that names the organization itself may stand for several."""
        secret = credential.secret
        if not credential.organization_id and self._organizations.peek(secret) != organization:
            self._organizations.put(secret, organization)

    def organization_of(self, secret: str) -> str:
        """The organization of a credential that was accepted before, else the empty string."""
        return self._organizations.peek(secret) or ""

    @property
    def running(self) -> int:
        """Requests that the suite works for."""
        deliveries = self.deliveries.total + self.first_deliveries.total
        return self.organizations.total + self.anonymous.total + deliveries + self.lookups.total

    def transfers_of(self, lane: Lane) -> Lane:
        """Where the bodies of the lane's requests arrive."""
        return self._transfers.get(lane, lane)

    def sender(self, request: Request[Any, Any, Any]) -> tuple[str, bool]:
        """Who holds the place of a delivery, and whether one of the same was accepted: its path, because a provider
        delivers for many organizations from few addresses; its address where the path may be invented."""
        address = holder_of_address(request)
        if self._accepted_paths.peek(request.path):
            return request.path, True
        return address, bool(self._accepted_addresses.peek(address))

    def accept(self, path: str, address: str) -> None:
        """A delivery under the path was verified, which came from the address."""
        for accepted, known in ((self._accepted_paths, path), (self._accepted_addresses, address)):
            if not accepted.peek(known):
                accepted.put(known, True)

    def refuse(self, lane: Lane) -> Unavailable:
        """The error to raise."""
        self.count(lane)
        return overloaded()

    def count(self, lane: Lane) -> None:
        HTTP_SERVER_SHED.labels(lane.name).inc()
        now = time.monotonic()
        if now - self._told > _TELL_SECONDS:
            self._told = now
            log.warning("requests are refused", extra={"lane": lane.name, "held": lane.total, "limit": lane.limit})


class Place:
    """Where one request stands: in its own lane while we work for it, in another while its client sends or reads. After
    `leave` nothing changes it, because a load that others share may outlive the request that began it."""

    __slots__ = ("_at", "_begun", "_holder", "_lanes", "_own", "_running")

    def __init__(self, lanes: Lanes, own: Lane, holder: str) -> None:
        self._lanes, self._own, self._holder = lanes, own, holder
        self._at: Lane | None = own
        self._begun, self._running = time.monotonic(), lanes.running
        if not own.enter(holder):
            raise lanes.refuse(own)

    def receive(self) -> None:
        """The body begins to arrive."""
        transfers = self._lanes.transfers_of(self._own)
        if self._at is self._own and transfers is not self._own:
            if not transfers.enter(self._holder):
                raise self._lanes.refuse(transfers)
            self._own.leave(self._holder)
            self._at = transfers

    def work(self) -> None:
        """What the request needs of its client is here. It was admitted, so that its body was not sent in vain,
        unless its holder alone has all places by now."""
        if self._at is None:
            return
        self._begun, self._running = time.monotonic(), self._lanes.running
        if self._at is not self._own:
            if not self._own.insist(self._holder):
                raise self._lanes.refuse(self._own)
            self._at.leave(self._holder)
            self._at = self._own

    def answer(self, kind: Hashable, error: AppError | None = None) -> None:
        """The work is done, and its answer goes to the client. The time of an organization's request is a sample for
        the limit, which is theirs; an error that says nothing of the load is none."""
        adaptive = self._lanes.adaptive
        if self._at is self._own is self._lanes.organizations:
            if error is None:
                adaptive.add(kind, self._begun, self._running)
            elif error.reason in _STRAINED:
                adaptive.refused(self._begun, self._running)
        self.deliver()

    def deliver(self) -> None:
        """The answer goes to the client, from wherever it came."""
        if self._at is self._own:
            self._lanes.answers.add(self._holder)
            self._own.leave(self._holder)
            self._at = self._lanes.answers

    def leave(self) -> None:
        if self._at is not None:
            self._at.leave(self._holder)
            self._at = None


class Admission:
    """503 `overloaded` for a request without a place."""

    def __init__(self, app: ASGIApp, *, lanes: Lanes) -> None:
        self._app = app
        self._lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        route, principal = match_of(request).route, request.principal_or_none
        organization = principal.org_id if principal is not None else ""
        delivers = route is not None and route.limited == "webhook"
        if delivers:
            holder, known = self._lanes.sender(request)
        else:
            holder, known = organization or holder_of_address(request), bool(organization)
        lane = self._lanes.of(route, known=known)
        if lane is None:
            await self._app(scope, receive, send)
            return
        # Files are streamed for as long as their reader takes, so that a reader of many gets no further one.
        if route is not None and route.etag == "content" and not self._lanes.answers.has_place(holder):
            raise self._lanes.refuse(self._lanes.answers)
        if organization:
            self._lanes.remember(request.shown_credential, organization)
        request.place = place = Place(self._lanes, lane, holder)
        try:
            await self._app(scope, receive, send)
            if delivers:
                self._lanes.accept(request.path, holder_of_address(request))
        finally:
            place.leave()


class Lookup:
    """A place while identity is asked whose credential this is. Asking again for one that is remembered needs none:
    there is one question for each at a time."""

    __slots__ = ("_holder", "_lane", "_lanes")

    def __init__(self, lanes: Lanes, request: Request[Any, Any, Any]) -> None:
        self._lanes, self._lane = lanes, lanes.lookups
        credential: Credential = request.shown_credential
        known = not credential.organization_id and lanes.organization_of(credential.secret)
        self._holder = "" if known else holder_of_address(request)

    def __enter__(self) -> None:
        if self._holder and not self._lane.enter(self._holder):
            raise self._lanes.refuse(self._lane)

    def __exit__(self, *_: object) -> None:
        if self._holder:
            self._lane.leave(self._holder)


def holder_of_address(request: Request[Any, Any, Any]) -> str:
    return address_prefix(request.client_address) or "unknown"
