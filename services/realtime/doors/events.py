"""`GET /api/events/stream`: the organisation's log as server-sent events, resumed by Last-Event-ID.

Each event's id is its position in the log; `?after=` says the same for a first connect. The connection token comes as
`Authorization: Bearer` or, because EventSource cannot set headers, as `?token=`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from libs.clock import utcnow
from libs.telemetry import metrics
from services.realtime.domain.channels import LOG
from services.realtime.domain.history import Published
from services.realtime.protocol.hub import Hub
from services.realtime.protocol.tokens import ConnectionTokens, Grant, TokenExpired, TokenInvalid
from services.realtime.storage.event_log import EventLog

KEEP_ALIVE_SECONDS = 15.0
_BATCH = 200


def create_app(hub: Hub, log: EventLog, tokens: ConnectionTokens, stopping: asyncio.Event) -> Starlette:
    streams = EventStreams(hub, log, tokens, stopping)
    routes = [
        Route("/api/events/stream", streams.stream, methods=["GET"]),
        Route("/health/live", _live, methods=["GET"]),
        Route("/health/ready", _live, methods=["GET"]),
    ]
    return Starlette(routes=routes)


async def _live(request: Request) -> Response:
    return PlainTextResponse("ok\n")


class _Waker:
    """A listener that only says that there is more to read: the stream reads the log, in its own time."""

    def __init__(self) -> None:
        self.news = asyncio.Event()

    def receive(self, published: Published, push: bytes) -> None:
        self.news.set()

    def flush(self) -> None:
        pass


class EventStreams:
    def __init__(self, hub: Hub, log: EventLog, tokens: ConnectionTokens, stopping: asyncio.Event) -> None:
        self._hub = hub
        self._log = log
        self._tokens = tokens
        self._stopping = stopping

    async def stream(self, request: Request) -> Response:
        try:
            grant = self._tokens.verify(_token(request))
        except (TokenExpired, TokenInvalid):
            return _problem(401, "token_invalid", "Get a fresh token from POST /api/realtime/token.")
        if "*" not in grant.scopes and "realtime:read" not in grant.scopes:
            return _problem(403, "scope_missing", "The scope realtime:read is needed.")
        after = request.headers.get("last-event-id") or request.query_params.get("after") or ""
        if after and not (after.isdecimal() and len(after) <= 18):
            return _problem(400, "invalid_query", "Last-Event-ID and after are positions: whole numbers.")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        events = self._events(grant, int(after) if after else None)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _events(self, grant: Grant, after: int | None) -> AsyncIterator[bytes]:
        """Everything after the position, then what comes, until the token ends: the client comes back with a fresh
        one.
        """
        waker, key = _Waker(), (grant.org_id, LOG)
        await self._hub.listen(key, waker)
        gauge = metrics.SOCKETS.labels("sse")
        gauge.inc()
        try:
            head = await self._log.read(*key, 0, 0)
            self._hub.stand_at(key, head.top)
            position = head.top if after is None else after
            yield b"retry: 1000\n\n"
            while not self._stopping.is_set() and utcnow() < grant.expires_at:
                waker.news.clear()
                async for published in self._read_on(grant, position):
                    position = published.offset
                    yield b"id: %d\ndata: %b\n\n" % (position, published.data)
                if not await _wait(waker.news, KEEP_ALIVE_SECONDS):
                    yield b": keep-alive\n\n"
        finally:
            gauge.dec()
            await self._hub.leave(key, waker)

    async def _read_on(self, grant: Grant, position: int) -> AsyncIterator[Published]:
        while True:
            history = await self._log.read(grant.org_id, LOG, position, _BATCH)
            for published in history.publications:
                position = published.offset
                yield published
            if len(history.publications) < _BATCH:
                return


async def _wait(news: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _token(request: Request) -> str:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential if scheme.lower() == "bearer" else request.query_params.get("token", "")


def _problem(status: int, code: str, detail: str) -> Response:
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, headers, media_type="application/problem+json")
