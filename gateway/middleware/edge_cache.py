"""Answers hot reads from final bytes, without a call to a service (docs/caching.md).

The layer inside authentication and authorization: who may not read gets no cached answer. A key holds the
organization, the permissions and all of the request that the answer depends on.
"""

import functools
import hashlib
import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.conditional import demanded_version, require_reached, require_version
from gateway.http.json_body import JSON_LIMIT
from gateway.http.negotiation import choose_coding
from gateway.http.request import Request, request_of
from gateway.http.routing import Route, match_of
from gateway.http.stored import CODEC, HotRead, Recorder, StoredResponse, absence, response_messages
from libs.cache.invalidation import EVENT_HEADER
from libs.cache.process import Caches
from libs.cache.spec import CacheClass
from libs.cache.tiered import Cache
from libs.cache.values import Answer, Loaded, Loader, Place, Source
from libs.errors import NotFound
from libs.rpc.context import response_headers
from libs.rpc.principal import Principal

_MISS = (b"x-cache", b"MISS")
# Tags that name the version of what is shown (gateway.http.routing).
_VERSIONED = frozenset(("version", "match"))
# Places that are remembered, so that a hot read computes no digest. 1 KB each.
_RECENT_PLACES = 4_096
# Characters of a path and query whose place is remembered. Longer ones would fill the memory.
_SHORT = 300


class EdgeCache:
    """`schema` names the shape of all answers, so that a release does not answer what another one stored. `kinds` are
    the classes of the routes by name, as they are tuned."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        caches: Caches,
        routes: tuple[Route[Any, Any], ...],
        kinds: Mapping[str, CacheClass],
        schema: str,
    ) -> None:
        self._app = app
        self._tombstones = caches.tombstones
        self._schema = schema
        used = {route.cached.name for route in routes if route.cached is not None}
        self._kinds = kinds
        self._caches: dict[str, Cache[StoredResponse]] = {name: caches.open(kinds[name], CODEC) for name in used}
        self._recent_place = functools.lru_cache(maxsize=_RECENT_PLACES)(self._place_of)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope)
        route, principal = match_of(request).route, request.principal_or_none
        kind = route.cached if route is not None else None
        if principal is None or not principal.org_id:
            await self._pass(request, receive, send)
        elif route is None or kind is None or route.writes_through:
            send = send if route is None or route.reads else self._renewing(principal, send)
            if kind is not None and not scope["query_string"]:
                await self._write_through(kind, principal, request, (scope, receive, send))
            else:
                await self._app(scope, receive, send)
        # It asks for more than the stored bytes, or must reach its service.
        elif request.has_header("range") or request.has_header("idempotency-key"):
            await self._pass(request, receive, send)
        else:
            await self._answer(kind, principal, request, (scope, receive, send))

    async def _pass(self, request: Request[Any, Any, Any], receive: Receive, send: Send) -> None:
        await request.admitted()
        await self._app(request.scope, receive, send)

    def _renewing(self, principal: Principal, send: Send) -> Send:
        """A write through this gateway: before its writer hears of it, what the memory holds of the organization is
        given up. The service has replaced the values in Redis by then."""

        async def renewing(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._tombstones.note((principal.org_id,))
            await send(message)

        return renewing

    async def _write_through(
        self, kind: CacheClass, principal: Principal, request: Request[Any, Any, Any], asgi: tuple[Scope, Receive, Send]
    ) -> None:
        """A write whose answer is what a read of its path shows: it is in Redis before its writer hears of it."""
        scope, receive, send = asgi
        cache, place = self._caches[kind.name], await self._place(kind, principal, request)
        noted = await cache.note(place)
        if noted is None:
            await self._app(scope, receive, send)
            return
        recorder = Recorder()

        async def storing(message: Message) -> None:
            await recorder.send(message)
            if message.get("more_body") or message["type"] != "http.response.body":
                return
            event_id = response_headers().get(EVENT_HEADER, "")
            if event_id and recorder.status == 200:
                stored = await recorder.stored()
                await cache.write(place, noted, event_id, Loaded(stored, stored.version))
            for held in recorder.messages:
                await send(held)

        await self._app(scope, receive, storing)

    async def _answer(
        self, kind: CacheClass, principal: Principal, request: Request[Any, Any, Any], asgi: tuple[Scope, Receive, Send]
    ) -> None:
        scope, receive, send = asgi
        min_version, route = demanded_version(request), match_of(request).route
        versioned = route is not None and route.etag in _VERSIONED
        if min_version and not versioned:
            # A list has no version by which the cache could tell that it is new enough.
            request.response_headers.append(_MISS)
            await self._pass(request, receive, send)
            return
        wanted = request.header("if-none-match"), request.header("if-match")
        place = await self._place(kind, principal, request)
        load = self._loader(request, scope, receive)
        cache = self._caches[kind.name]
        begun = cache.begin(place, load, min_version=min_version)
        # Both questions are under way. A refused reader's load ends by itself; refusals are remembered for a second.
        await request.admitted()
        answer = begun if isinstance(begun, Answer) else await cache.finish(begun)
        request.response_headers += _told(answer)
        stored = answer.value
        if stored.absent:
            raise NotFound(stored.reason, stored.detail)
        if versioned and stored.version:
            require_reached(min_version, stored.version)
        if wanted[1] and stored.version:
            request.replace_header("if-match", wanted[1])
            require_version(request, stored.version)
        unchanged = stored.is_named_by(wanted[0])
        coding = choose_coding(request.header("accept-encoding"))
        if isinstance(begun, Answer) and not kind.period_seconds and (entry := cache.fresh(place)) is not None:
            request.hot_read = HotRead(cache, place, entry, stored.forms[coding if coding in stored.forms else ""])
        request.place.deliver()
        for message in response_messages(stored, coding, (), unchanged=unchanged):
            await send(message)

    async def _place(self, kind: CacheClass, principal: Principal, request: Request[Any, Any, Any]) -> Place:
        scope = request.scope
        shown: str = scope["path_params"].get("id", "")
        asked = (request.path, scope["query_string"])
        period = int(time.time()) // kind.period_seconds if kind.period_seconds else 0
        if request.method == "POST":
            body = await request.read_body(JSON_LIMIT)
            return self._place_of(kind.name, principal, shown, *asked, period, request.header("content-type"), body)
        if len(asked[0]) + len(asked[1]) > _SHORT:
            return self._place_of(kind.name, principal, shown, *asked, period)
        return self._recent_place(kind.name, principal, shown, *asked, period)

    def _place_of(self, kind: str, principal: Principal, shown: str, *asked: object) -> Place:
        """`asked` is all of the request that the answer depends on; repr separates its parts, whatever a client puts
        into one of them."""
        parts = repr((self._schema, _permissions(principal), *asked))
        digest = hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()
        tags = self._kinds[kind].tags(principal.org_id, shown)
        return Place(f"{principal.org_id}:{digest}", tags, principal.org_id)

    def _loader(self, request: Request[Any, Any, Any], scope: Scope, receive: Receive) -> Loader[StoredResponse]:
        async def load() -> Loaded[StoredResponse]:
            # Conditions are the reader's own; what is stored must answer everyone's.
            request.replace_header("if-none-match", "")
            request.replace_header("if-match", "")
            request.replace_header("x-min-version", "")
            request.fills_cache = True
            recorder = Recorder()
            try:
                await self._app(scope, receive, recorder.send)
            except NotFound as error:
                return Loaded(absence(error), negative=True)
            if recorder.status != 200:
                raise RuntimeError(f"a cached route answered {recorder.status}")
            stored = await recorder.stored()
            return Loaded(stored, stored.version)

        return load


@functools.lru_cache(maxsize=4_096)
def _permissions(principal: Principal) -> str:
    """What may make two principals of one organization see different answers."""
    grants = principal.grants
    limits = None if grants is None else (sorted(grants.readable), sorted(grants.writable))
    return repr((principal.org_id, principal.role, sorted(principal.scopes), limits))


def _told(answer: Answer[StoredResponse]) -> list[tuple[bytes, bytes]]:
    told = [(b"x-cache", answer.source.value.encode())]
    if answer.source is not Source.MISS:
        told.append((b"age", str(int(answer.age_seconds)).encode()))
    return told
