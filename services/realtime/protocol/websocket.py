"""The WebSocket listener: picows sockets that carry the protocol.

Authentication happens after the upgrade, because an HTTP status never stops an SDK from trying again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import collections
import logging
import random
from collections.abc import Callable, Sequence

import picows

from libs.http.connection_limits import ConnectionLimits
from libs.telemetry import metrics
from services.realtime.protocol import disconnects, guarded_socket
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.connection import Connection, Wire
from services.realtime.protocol.disconnects import Disconnect

_log = logging.getLogger(__name__)

PATH = "/connection/websocket"
# Bytes of a message from a client. Commands are small.
MAX_MESSAGE_BYTES = 64 * 1024
# Bytes that wait for a slow reader: Centrifugo's default. Then it is disconnected and recovers from the log.
MAX_QUEUED_BYTES = 1024 * 1024
# Messages that wait for a slow reader.
MAX_QUEUED_MESSAGES = 256
# Seconds that a reader may stay behind.
SLOW_SECONDS = 5.0
# The name of the protocol's JSON form, for clients that offer one.
_SUBPROTOCOL = "centrifuge-json"
_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}

_SOCKETS = metrics.SOCKETS.labels("websocket")

NewConnection = Callable[[Wire], Connection]


class Socket(picows.WSListener):
    """One WebSocket: whole text messages in, a bounded queue of frames out."""

    __slots__ = (
        "_door", "_fragments", "_paused", "_queued", "_queued_bytes", "_queued_messages", "_slow", "_transport",
        "connection",
    )  # fmt: skip

    def __init__(self, door: WebSocketDoor) -> None:
        super().__init__()
        self._door = door
        self._transport: picows.WSTransport | None = None
        self._fragments = b""
        # Made when the reader is slow for the first time.
        self._queued: collections.deque[Batch] | None = None
        self._queued_bytes = self._queued_messages = 0
        self._paused = False
        self._slow: asyncio.TimerHandle | None = None
        self.connection: Connection | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        self.connection = self._door.new_connection(self)
        self._door.sockets.add(self)
        _SOCKETS.set(len(self._door.sockets))
        # picows keeps both for as long as the connection lasts.
        transport.request.headers.clear()
        transport.response.headers.clear()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._stop_waiting()
        self._door.sockets.discard(self)
        _SOCKETS.set(len(self._door.sockets))
        if self.connection is not None:
            self.connection.closed()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (picows.WSMsgType.TEXT, picows.WSMsgType.CONTINUATION):
            self._on_text(frame)
        elif frame.msg_type == picows.WSMsgType.BINARY:
            self.close(disconnects.BAD_REQUEST)

    def _on_text(self, frame: picows.WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if len(self._fragments) + len(payload) > MAX_MESSAGE_BYTES:
            self.close(disconnects.TOO_LARGE)
        elif not frame.fin:
            self._fragments += payload
        elif self.connection is not None:
            message, self._fragments = self._fragments + payload, b""
            self.connection.feed(message)

    # -- Wire

    def send(self, batches: Sequence[Batch]) -> bool:
        if self._transport is None or self._transport.is_disconnected:
            return True
        if not self._paused:
            # Beside picows' own `send`, which makes each frame anew for each socket and writes it apart.
            frames = batches[0].frames if len(batches) == 1 else b"".join([batch.frames for batch in batches])
            self._transport.underlying_transport.write(frames)
            return True
        # What waited before decides: a reader that keeps up is not slow because much came at once.
        keeps_up = self._queued_bytes <= MAX_QUEUED_BYTES and self._queued_messages <= MAX_QUEUED_MESSAGES
        if self._queued is None:
            self._queued = collections.deque()
        for batch in batches:
            self._queued.append(batch)
            self._queued_bytes += len(batch.frames)
            self._queued_messages += len(batch.messages)
        return keeps_up

    def abort(self) -> None:
        """Drop the connection without a close frame, as a network failure does."""
        if self._transport is not None:
            self._transport.underlying_transport.abort()

    def close(self, disconnect: Disconnect) -> None:
        transport = self._transport
        if transport is None or transport.is_disconnected:
            return
        metrics.REALTIME_DISCONNECTS.labels(code=str(disconnect.code)).inc()
        if self._paused:
            # A reader that goes on reads the reason behind what is buffered. Another one is dropped.
            self._queued = None
            self._stop_waiting()
            self._slow = asyncio.get_running_loop().call_later(SLOW_SECONDS, self.abort)
        transport.send_close(disconnect.code, disconnect.reason.encode())  # type: ignore[arg-type]
        transport.disconnect()

    def pause_writing(self) -> None:
        self._paused = True
        self._slow = asyncio.get_running_loop().call_later(SLOW_SECONDS, self._too_slow)

    def resume_writing(self) -> None:
        self._paused = False
        self._stop_waiting()
        while self._queued and not self._paused:
            batch = self._queued.popleft()
            self._queued_bytes -= len(batch.frames)
            self._queued_messages -= len(batch.messages)
            self.send((batch,))

    def _too_slow(self) -> None:
        if self.connection is not None:
            self.connection.disconnect(disconnects.SLOW)

    def _stop_waiting(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


class WebSocketDoor:
    def __init__(
        self, new_connection: NewConnection, allowed_origins: tuple[str, ...], limits: ConnectionLimits
    ) -> None:
        self.limits = limits
        self.new_connection = new_connection
        self.sockets: set[Socket] = set()
        self._allowed_origins = allowed_origins
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen; the address that was bound."""
        frame_bytes = MAX_MESSAGE_BYTES * 2
        self._server = await guarded_socket.serve(host, port, self.limits, self._listener, frame_bytes)
        bound: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return bound

    def _listener(self, request: picows.WSUpgradeRequest) -> Socket | picows.WSUpgradeResponseWithListener | None:
        path = bytes(request.path).partition(b"?")[0].decode("latin-1")
        if path != PATH:
            return _refused(404, b"There is nothing at this path.")
        origin = request.headers.get("Origin")
        if origin is not None and self._allowed_origins != ("*",) and origin not in self._allowed_origins:
            return _refused(403, b"This origin is not allowed.")
        if not _asks_for_websocket(request):
            return _refused(400, b"Ask for an upgrade to WebSocket, version 13.")
        if _SUBPROTOCOL not in _tokens(request, "Sec-WebSocket-Protocol"):
            return Socket(self)
        # A browser that offers names gives up unless one of them is chosen.
        response = picows.WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": _SUBPROTOCOL})
        return picows.WSUpgradeResponseWithListener(response, Socket(self))

    def disconnect_where(self, is_meant: Callable[[Connection], bool], disconnect: Disconnect) -> int:
        """End every connection that the predicate names; how many."""
        meant = [s.connection for s in list(self.sockets) if s.connection is not None and is_meant(s.connection)]
        for connection in meant:
            connection.disconnect(disconnect)
        return len(meant)

    async def drain(self, seconds: float) -> None:
        """Stop listening and disconnect the clients over `seconds`, so that they do not all reconnect at the same
        instant."""
        if self._server is not None:
            self._server.close()
        sockets = list(self.sockets)
        random.shuffle(sockets)
        for index, socket in enumerate(sockets):
            if socket.connection is not None:
                socket.connection.disconnect(disconnects.SHUTDOWN)
            if index % 50 == 49:
                await asyncio.sleep(seconds * 50 / len(sockets))


def _asks_for_websocket(request: picows.WSUpgradeRequest) -> bool:
    """RFC 6455, 4.2.1."""
    headers = request.headers
    if headers.get("Upgrade", "").lower() != "websocket" or "upgrade" not in _tokens(request, "Connection"):
        return False
    if headers.get("Sec-WebSocket-Version") != "13":
        return False
    try:
        return len(base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)) == 16
    except binascii.Error:
        return False


def _tokens(request: picows.WSUpgradeRequest, field: str) -> list[str]:
    return [token.strip().lower() for token in request.headers.get(field, "").split(",")]


def _refused(status: int, text: bytes) -> picows.WSUpgradeResponseWithListener:
    response = picows.WSUpgradeResponse.create_error_response(status, text, extra_headers=_NO_SNIFFING)
    return picows.WSUpgradeResponseWithListener(response, None)
