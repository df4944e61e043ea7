"""`GET /api/events/stream`: the organization's log as server-sent events, resumed by Last-Event-ID.

Each event's id is its position in the log; `?after=` says the same for a first connect, and both may name an event's id
instead. `?types=` filters. The connection token comes as `Authorization: Bearer` or, because EventSource cannot set
headers, as `?token=`. An event `expired` says that events after the position are kept no longer, or that the log ends
before it; what follows begins at its `oldest`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence, Set
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from libs.clock import utcnow
from libs.errors import AppError, InvalidArgument, Violation, step
from libs.ids import is_id
from libs.telemetry import metrics
from services.realtime.domain.channels import LOG
from services.realtime.domain.history import is_position
from services.realtime.doors import problems
from services.realtime.doors.emulation import Emulation
from services.realtime.doors.feed import Feed, Frame, chunks
from services.realtime.doors.problems import Refused, RequestIds
from services.realtime.doors.streaming import UNBUFFERED, EndedStream
from services.realtime.protocol.hearing import heard_topics, is_about
from services.realtime.protocol.hub import Hub
from services.realtime.protocol.tokens import ConnectionTokens, Grant, TokenExpired, TokenInvalid
from services.realtime.storage.event_log import EventLog

# Seconds between comments on an idle stream; proxies close idle connections after 30 to 60 s.
KEEP_ALIVE_SECONDS = 15.0
_MEDIA_TYPE = "text/event-stream"
PARAMETERS = frozenset(("after", "token", "types"))


def create_app(streams: EventStreams, emulation: Emulation) -> Starlette:
    routes = [
        *emulation.routes(),
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


class _Reader:
    """One open stream. It reads its organization's feed at its own pace, woken by `news`."""

    def __init__(self, grant: Grant, token: str) -> None:
        self.grant = grant
        self.token = token
        self.is_revoked = False
        self.news = asyncio.Event()


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
        self._readers: set[_Reader] = set()
        self._feeds: dict[str, Feed] = {}

    def end_where(self, concerned: Callable[[Grant], bool]) -> None:
        """End the streams of revoked grants."""
        for reader in self._readers:
            if concerned(reader.grant):
                reader.is_revoked = True
                reader.news.set()

    async def stream(self, request: Request) -> Response:
        token = _token(request)
        grant = self._grant(token)
        after, heard = _asked(request, grant)
        if request.method == "HEAD":
            return Response(media_type=_MEDIA_TYPE, headers=UNBUFFERED)
        # Counted before the first await, so that streams opened at one instant are counted, too.
        reader = self._counted(grant, token)
        try:
            position = await self._position(request, grant.org_id, after)
        except BaseException:
            self._readers.discard(reader)
            raise
        events = self._events(reader, position, heard)
        return EndedStream(events, _MEDIA_TYPE, UNBUFFERED, lambda: self._readers.discard(reader))

    async def _position(self, request: Request, org_id: str, after: str) -> int | None:
        """The position that is asked for, which may be the id of an event."""
        if not after.startswith("evt_"):
            return int(after) if after else None
        try:
            position = await self._log.position_of(org_id, LOG, after)
        except AppError:
            raise Refused(503, "database_unavailable", "The event log does not answer. Try again.") from None
        if position is None:
            raise _refused([_no_position(request)])
        return position

    def _counted(self, grant: Grant, token: str) -> _Reader:
        mine = [reader for reader in self._readers if reader.grant.org_id == grant.org_id]
        of_token = sum(reader.token == token for reader in mine)
        limits = self._limits
        if (limits.per_organization and len(mine) >= limits.per_organization) or (
            limits.per_token and of_token >= limits.per_token
        ):
            raise Refused(429, "too_many_streams", "Close a stream before you open another.")
        reader = _Reader(grant, token)
        self._readers.add(reader)
        return reader

    def _grant(self, token: str) -> Grant:
        try:
            grant = self._tokens.verify(token)
        except (TokenExpired, TokenInvalid):
            raise Refused(401, "token_invalid", "Get a fresh token from POST /api/realtime/token.") from None
        if "*" not in grant.scopes and "realtime:read" not in grant.scopes:
            raise Refused(403, "missing_scope", "This needs the scope realtime:read.")
        return grant

    async def _events(self, reader: _Reader, after: int | None, heard: Set[str]) -> AsyncIterator[bytes]:
        """Events of the topics in `heard` after the position, then new ones, until the token expires. The client
        reconnects with a new token."""
        gauge = metrics.SOCKETS.labels("sse")
        gauge.inc()
        try:
            async with self._feed(reader) as feed:
                position = await feed.start_after(after)
                yield b"retry: 1000\n\n"
                oldest = await self._log.oldest(reader.grant.org_id, LOG) if position < feed.top else position + 1
                # Behind what is kept, or ahead of the log: a position of a log that was restored since.
                if after and (position + 1 < oldest or position < after):
                    yield b'event: expired\ndata: {"after":%d,"oldest":%d}\n\n' % (after, oldest)
                while not (self._stopping.is_set() or reader.is_revoked) and utcnow() < reader.grant.expires_at:
                    reader.news.clear()
                    frames, reached = await feed.after(position)
                    for piece in chunks([frame for frame in frames if _hears(frame, heard, reader.grant.agents)]):
                        yield piece
                    if reached == position and not await _wait(reader.news, KEEP_ALIVE_SECONDS):
                        yield b": keep-alive\n\n"
                    position = reached
        finally:
            gauge.dec()

    @contextlib.asynccontextmanager
    async def _feed(self, reader: _Reader) -> AsyncIterator[Feed]:
        """The feed of the reader's organization, which lives as long as it has readers."""
        org_id = reader.grant.org_id
        feed = self._feeds.get(org_id)
        if feed is None:
            feed = self._feeds[org_id] = Feed(org_id, self._hub, self._log)
        feed.readers.add(reader.news)
        try:
            await feed.open()
            yield feed
        finally:
            feed.readers.discard(reader.news)
            if not feed.readers and self._feeds.get(org_id) is feed:
                del self._feeds[org_id]
                feed.close()


def _hears(frame: Frame, heard: Set[str], agents: Set[str] | None) -> bool:
    return frame.topic in heard and (agents is None or is_about(frame.envelope, agents))


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


def _asked(request: Request, grant: Grant) -> tuple[str, Set[str]]:
    """What the request names as the last event that was read (empty: nothing; Last-Event-ID goes before `after`), and
    the topics that the grant opens, of those that it names."""
    asked = request.query_params
    wrong = []
    for name in asked:
        if name not in PARAMETERS:
            wrong.append(Violation(step("#", name), "unknown_parameter", "This operation has no such query parameter."))
        elif len(asked.getlist(name)) > 1:
            wrong.append(Violation(step("#", name), "invalid_value", "Send the parameter once."))
    text = request.headers.get("last-event-id") or asked.get("after") or ""
    if text and not is_position(text) and not is_id(text, "evt"):
        wrong.append(_no_position(request))
    heard: Set[str] = frozenset()
    try:
        named = asked["types"].split(",") if "types" in asked else ()
        heard = frozenset(heard_topics(grant.scopes, named, limited=grant.agents is not None))
    except InvalidArgument as error:
        wrong += error.violations
    if wrong:
        raise _refused(wrong)
    return text, heard


def _no_position(request: Request) -> Violation:
    name = "Last-Event-ID" if request.headers.get("last-event-id") else "after"
    return Violation(step("#", name), "invalid_value", f"Set {name} to a position, or an id of an event that is kept.")


def _refused(wrong: Sequence[Violation]) -> Refused:
    return Refused(400, "invalid_query", " ".join(dict.fromkeys(one.detail for one in wrong)), wrong)
