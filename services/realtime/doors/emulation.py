"""The protocol without a WebSocket: replies and pushes over one response, commands by further requests.

As the JavaScript SDK emulates it: `/connection/sse` and `/connection/http_stream` open a connection, `/emulation`
brings its later commands to any instance, which hands them to the one that has the connection. `/connection/uni_sse`
and `/connection/uni_http_stream` take no commands: channels come with the request, bare pushes come back. Source: the
transports of centrifuge-js and Centrifugo. The protocol itself is services.realtime.protocol's.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.bus import Bus, subjects
from libs.errors import Violation
from libs.telemetry import metrics
from services.realtime.doors.problems import Refused
from services.realtime.doors.streaming import UNBUFFERED, EndedStream
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.commands import parse_connect
from services.realtime.protocol.connection import Connection, Wire
from services.realtime.protocol.disconnects import Disconnect
from services.realtime.protocol.messages import PING, encode_disconnect
from services.realtime.protocol.unidirectional import UnidirectionalConnection
from services.realtime.protocol.websocket import MAX_MESSAGE_BYTES, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES

# A session's name opens it to commands, so it cannot be guessed.
_SESSION_BYTES = 24
# Names of instances, of which a subject is made.
_NODE = re.compile(r"[0-9a-f]{16}")
_PATHS = (
    "/connection/sse", "/connection/http_stream", "/connection/uni_sse", "/connection/uni_http_stream", "/emulation",
)  # fmt: skip
_BEFORE_PUSH, _AFTER_PUSH = b'{"push":', b"}"

NewConnection = Callable[[Wire, str, str], Connection]
NewUnidirectional = Callable[[Wire], UnidirectionalConnection]


@dataclasses.dataclass(frozen=True, slots=True)
class _Form:
    """How messages look in a response, and what comes before the first one."""

    media_type: str
    message: bytes
    greeting: bytes = b""


# Where a request has what its connection begins with: in a parameter of the query, or as its body.
_PARAMETER, _BODY = "#/cf_connect", "#"


@dataclasses.dataclass(frozen=True, slots=True)
class _First:
    """What a connection begins with, and where it came from."""

    text: bytes
    pointer: str

    def refused(self, code: str, rule: str, detail: str) -> Refused:
        return Refused(400, code, detail, [Violation(self.pointer, rule, detail)])


_SSE = _Form("text/event-stream", b"data: %b\n\n", b"\r\n")
_LINES = _Form("application/x-ndjson", b"%b\n")


class _Command(msgspec.Struct):
    """The body of a request to /emulation; `data` are commands, joined by newlines."""

    session: str = ""
    node: str = ""
    data: str = ""


_commands = msgspec.json.Decoder(_Command)


class EmulatedWire:
    """What waits for the response of one connection; its reader may be as slow as that of a socket."""

    def __init__(self) -> None:
        self._waiting: collections.deque[bytes] = collections.deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._ended = False

    def send(self, batches: Sequence[Batch]) -> bool:
        # What waited before decides: a reader that keeps up is not slow because much came at once.
        keeps_up = self._bytes <= MAX_QUEUED_BYTES and len(self._waiting) <= MAX_QUEUED_MESSAGES
        for batch in batches:
            for message in batch.messages:
                self._put(message)
        return keeps_up

    def close(self, disconnect: Disconnect) -> None:
        """The push that says why, and then the end of the response."""
        metrics.REALTIME_DISCONNECTS.labels(code=str(disconnect.code)).inc()
        self._put(encode_disconnect(disconnect.code, disconnect.reason))
        self._ended = True

    def _put(self, message: bytes) -> None:
        self._waiting.append(message)
        self._bytes += len(message)
        self._news.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """One reply or push after another, until the connection is closed."""
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                self._bytes -= len(message)
                yield message
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()


class Emulation:
    def __init__(
        self,
        new_connection: NewConnection,
        new_unidirectional: NewUnidirectional,
        bus: Bus,
        allowed_origins: tuple[str, ...],
    ) -> None:
        self.node = secrets.token_hex(8)
        self._new_connection = new_connection
        self._new_unidirectional = new_unidirectional
        self._bus = bus
        self._allowed_origins = allowed_origins
        self._connections: dict[str, Connection] = {}

    @property
    def connections(self) -> list[Connection]:
        return list(self._connections.values())

    def routes(self) -> list[Route]:
        return [
            Route("/connection/sse", self._sse, methods=["GET", "POST"]),
            Route("/connection/http_stream", self._http_stream, methods=["POST"]),
            Route("/connection/uni_sse", self._uni_sse, methods=["GET", "POST"]),
            Route("/connection/uni_http_stream", self._uni_http_stream, methods=["POST"]),
            Route("/emulation", self._command, methods=["POST"]),
            *(Route(path, self._preflight, methods=["OPTIONS"]) for path in _PATHS),
        ]

    async def open(self) -> None:
        """Hear what other instances hand on."""
        await self._bus.subscribe_core(subjects.realtime_emulation(self.node), self._on_handed_on)

    async def _sse(self, request: Request) -> Response:
        return self._commanded(request, await _first(request), _SSE)

    async def _http_stream(self, request: Request) -> Response:
        return self._commanded(request, _First(await _body(request), _BODY), _LINES)

    def _commanded(self, request: Request, first: _First, form: _Form) -> Response:
        if not first.text:
            code = "invalid_query" if first.pointer == _PARAMETER else "malformed_json"
            raise first.refused(code, "required", "Send the first commands as cf_connect, or as the body of a POST.")
        headers = self._accept(request, first)
        session, wire = secrets.token_urlsafe(_SESSION_BYTES), EmulatedWire()
        connection = self._new_connection(wire, session, self.node)
        response = self._stream(session, connection, wire.messages(), form, headers)
        connection.feed(first.text)
        return response

    async def _uni_sse(self, request: Request) -> Response:
        return self._unidirectional(request, await _first(request), _SSE)

    async def _uni_http_stream(self, request: Request) -> Response:
        return self._unidirectional(request, _First(await _body(request), _BODY), _LINES)

    def _unidirectional(self, request: Request, first: _First, form: _Form) -> Response:
        headers = self._accept(request, first)
        try:
            asked = parse_connect(first.text)
        except ValueError:
            detail = "Send a connect request: token and subs."
            raise first.refused("malformed_json", "invalid_value", detail) from None
        session, wire = secrets.token_urlsafe(_SESSION_BYTES), EmulatedWire()
        connection = self._new_unidirectional(wire)
        response = self._stream(session, connection, _bare(wire.messages()), form, headers)
        connection.begin(asked)
        return response

    def _accept(self, request: Request, first: _First) -> dict[str, str]:
        """The header fields of the response."""
        headers = {**UNBUFFERED, **self._cors(request)}
        if len(first.text) > MAX_MESSAGE_BYTES:
            raise Refused(413, "payload_too_large", f"Send at most {MAX_MESSAGE_BYTES} bytes.")
        return headers

    def _stream(
        self, session: str, conn: Connection, messages: AsyncIterator[bytes], form: _Form, headers: dict[str, str]
    ) -> Response:
        """A response that carries the messages and keeps the connection until it ends."""
        self._connections[session] = conn
        gauge = metrics.SOCKETS.labels("emulated")
        gauge.set(len(self._connections))

        async def events() -> AsyncIterator[bytes]:
            if form.greeting:
                yield form.greeting
            async for message in messages:
                yield form.message % message

        def ended() -> None:
            self._connections.pop(session, None)
            gauge.set(len(self._connections))
            conn.closed()

        return EndedStream(events(), form.media_type, headers, ended)

    async def _command(self, request: Request) -> Response:
        headers, body = self._cors(request), await _body(request)
        if len(body) > MAX_MESSAGE_BYTES:
            raise Refused(413, "payload_too_large", f"Send at most {MAX_MESSAGE_BYTES} bytes.")
        try:
            command = _commands.decode(body)
        except msgspec.MsgspecError:
            refusal = _First(body, _BODY).refused("malformed_json", "invalid_value", "Send session, node and data.")
            raise refusal from None
        if not _NODE.fullmatch(command.node):
            raise Refused(404, "connection_not_found", "Connect again.")
        if command.node != self.node:
            await self._bus.publish_core(subjects.realtime_emulation(command.node), body)
        elif not self._feed(command):
            raise Refused(404, "connection_not_found", "Connect again.")
        return Response(status_code=204, headers=headers)

    async def _on_handed_on(self, subject: str, body: bytes) -> None:
        self._feed(_commands.decode(body))

    def _feed(self, command: _Command) -> bool:
        connection = self._connections.get(command.session)
        if connection is None:
            return False
        connection.feed(command.data.encode())
        return True

    async def _preflight(self, request: Request) -> Response:
        headers = {
            **self._cors(request),
            "access-control-allow-methods": "GET, POST, OPTIONS",
            "access-control-allow-headers": "content-type",
            "access-control-max-age": "600",
            "allow": "GET, POST, OPTIONS",
        }
        return Response(status_code=204, headers=headers)

    def _cors(self, request: Request) -> dict[str, str]:
        """No credential travels by itself: the token is in the first command, the session in the body."""
        origin = request.headers.get("origin")
        if origin is None:
            return {"vary": "origin"}
        if self._allowed_origins != ("*",) and origin not in self._allowed_origins:
            raise Refused(403, "origin_refused", "This origin is not allowed.")
        return {"vary": "origin", "access-control-allow-origin": origin}


async def _bare(messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pushes as unidirectional clients read them; a ping stays as it is."""
    async for message in messages:
        yield message.removeprefix(_BEFORE_PUSH).removesuffix(_AFTER_PUSH) if message != PING else message


async def _first(request: Request) -> _First:
    text = request.query_params.get("cf_connect", "").encode()
    if text or request.method != "POST":
        return _First(text, _PARAMETER)
    return _First(await _body(request), _BODY)


async def _body(request: Request) -> bytes:
    """The body, cut one byte after the limit."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_MESSAGE_BYTES:
            break
    return bytes(body)
