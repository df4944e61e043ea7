"""`GET /api/events/stream`: the organisation's log as server-sent events, resumed by Last-Event-ID.

Each event's id is its position in the log; `?after=` says the same for a first connect. The connection token comes as
`Authorization: Bearer` or, because EventSource cannot set headers, as `?token=`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from libs.clock import utcnow
from libs.telemetry import metrics
from services.realtime.domain.channels import LOG
from services.realtime.domain.history import Published
from services.realtime.doors import problems
from services.realtime.doors.problems import Refused, RequestIds
from services.realtime.protocol.hearing import heard_topics
from services.realtime.protocol.hub import Hub
from services.realtime.protocol.tokens import ConnectionTokens, Grant, TokenExpired, TokenInvalid
from services.realtime.storage.event_log import EventLog

# Seconds between comments on an idle stream; proxies close idle connections after 30 to 60 s.
KEEP_ALIVE_SECONDS = 15.0
# Events per read of the log.
_BATCH = 200
_PARAMETERS = frozenset(("after", "token"))


def create_app(streams: EventStreams) -> Starlette:
    routes = [
        Route("/api/events/stream", streams.stream, methods=["GET"]),
        Route("/api/events/stream", _options, methods=["OPTIONS"]),
        Route("/health/live", _live, methods=["GET"]),
        Route("/health/ready", _live, methods=["GET"]),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(RequestIds)], exception_handlers={HTTPException: problems.show}
    )


async def _options(request: Request) -> Response:
    return Response(status_code=204, headers={"allow": "GET, HEAD, OPTIONS"})


async def _live(request: Request) -> Response:
    return PlainTextResponse("ok\n")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Streams that one organization and one token hold on this instance at a time; 0 means no limit."""

    per_organization: int = 200
    per_token: int = 8


class _Waker:
    """A listener that only signals new events. The stream reads the log at its own pace."""

    def __init__(self, grant: Grant, token: str) -> None:
        self.grant = grant
        self.token = token
        self.position = 0
        self.is_revoked = False
        self.news = asyncio.Event()

    def receive(self, published: Published, push: bytes) -> None:
        self.news.set()

    def flush(self) -> None:
        pass


class _Stream(StreamingResponse):
    """Events until the client leaves; `ended` is called however that comes about."""

    def __init__(self, events: AsyncIterator[bytes], headers: dict[str, str], ended: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


class EventStreams:
    def __init__(
        self,
        hub: Hub,
        log: EventLog,
        tokens: ConnectionTokens,
        stopping: asyncio.Event,
        limits: StreamLimits,
    ) -> None:
        self._limits = limits
        self._hub = hub
        self._log = log
        self._tokens = tokens
        self._stopping = stopping
        self._wakers: set[_Waker] = set()

    def end_where(self, concerned: Callable[[Grant], bool]) -> None:
        """End the streams of revoked grants."""
        for waker in self._wakers:
            if concerned(waker.grant):
                waker.is_revoked = True
                waker.news.set()

    async def stream(self, request: Request) -> Response:
        token = _token(request)
        grant = self._grant(token)
        after = _position(request)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=headers)
        # Counted before the first await, so that streams opened at one instant are counted, too.
        waker = self._counted(grant, token)
        return _Stream(self._events(waker, after), headers, lambda: self._wakers.discard(waker))

    def _counted(self, grant: Grant, token: str) -> _Waker:
        mine = [waker for waker in self._wakers if waker.grant.org_id == grant.org_id]
        of_token = sum(waker.token == token for waker in mine)
        limits = self._limits
        if (limits.per_organization and len(mine) >= limits.per_organization) or (
            limits.per_token and of_token >= limits.per_token
        ):
            raise Refused(429, "too_many_streams", "Close a stream before you open another.")
        waker = _Waker(grant, token)
        self._wakers.add(waker)
        return waker

    def _grant(self, token: str) -> Grant:
        try:
            grant = self._tokens.verify(token)
        except (TokenExpired, TokenInvalid):
            raise Refused(401, "token_invalid", "Get a fresh token from POST /api/realtime/token.") from None
        if "*" not in grant.scopes and "realtime:read" not in grant.scopes:
            raise Refused(403, "missing_scope", "This needs the scope realtime:read.")
        return grant

    async def _events(self, waker: _Waker, after: int | None) -> AsyncIterator[bytes]:
        """Events after the position, then new ones, until the token expires. The client reconnects with a new token."""
        grant, key = waker.grant, (waker.grant.org_id, LOG)
        await self._hub.listen(key, waker)
        gauge = metrics.SOCKETS.labels("sse")
        gauge.inc()
        try:
            head = await self._log.read(*key, 0, 0)
            self._hub.stand_at(key, head.top)
            # A position ahead of the log belongs to a log that no longer exists: only new events can be sent.
            waker.position = head.top if after is None else min(after, head.top)
            topics = heard_topics(grant.scopes)
            yield b"retry: 1000\n\n"
            while not (self._stopping.is_set() or waker.is_revoked) and utcnow() < grant.expires_at:
                waker.news.clear()
                async for published in self._read_on(waker, topics):
                    yield b"id: %d\ndata: %b\n\n" % (published.offset, published.data)
                if not await _wait(waker.news, KEEP_ALIVE_SECONDS):
                    yield b": keep-alive\n\n"
        finally:
            gauge.dec()
            await self._hub.leave(key, waker)

    async def _read_on(self, waker: _Waker, topics: Sequence[str]) -> AsyncIterator[Published]:
        """The events after the waker's position that the grant may see. The position also moves past the others."""
        org_id = waker.grant.org_id
        top = (await self._log.read(org_id, LOG, 0, 0)).top
        while True:
            rows = await self._log.read_log(org_id, LOG, waker.position, _BATCH, topics)
            for row in rows:
                waker.position = row["position"]
                yield Published(row["position"], row["envelope"].encode())
            if len(rows) < _BATCH:
                waker.position = max(waker.position, top)
                return


async def _wait(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _token(request: Request) -> str:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential if scheme.lower() == "bearer" else request.query_params.get("token", "")


def _position(request: Request) -> int | None:
    """The reader's position, if the request names it."""
    if any(name not in _PARAMETERS or len(request.query_params.getlist(name)) > 1 for name in request.query_params):
        raise Refused(400, "invalid_query", "Send nothing but after and token, each once.")
    text = request.headers.get("last-event-id") or request.query_params.get("after") or ""
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refused(400, "invalid_query", "Last-Event-ID and after are positions: whole numbers.")
    return int(text) if text else None
