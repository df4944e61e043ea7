"""picows' protocol behind the limits that every public listener has, before the upgrade.

A connection counts from its first packet. The head is held back until it is whole and passes the checks of
libs.http.request_head; only then picows reads it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Any

import aiofastnet
import picows
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its types leave the class out

from libs.http import request_head
from libs.http.connection_limits import ConnectionLimits
from libs.http.request_head import Refused, UpgradeHead

# Bytes read at a time before the upgrade. One buffer serves all connections, because a read is handed over in the turn
# in which it is made.
_HEAD = memoryview(bytearray(4096))
# Bytes of picows' read buffer at the start: its least. It grows with larger messages.
_READ_BUFFER_BYTES = 2 * 1024
# No logger, because picows makes a child of a logger for each connection. It logs each connection below WARNING.
_log = logging.LoggerAdapter(logging.getLogger("picows.server"))
_log.setLevel(logging.WARNING)
# What becomes of a request whose head is whole: see picows.ws_create_server.
Accept = Callable[[picows.WSUpgradeRequest], picows.WSListener | picows.WSUpgradeResponseWithListener | None]


class GuardedSocket(WSProtocol):  # type: ignore[misc]  # as above
    """One connection. picows' own settings are the defaults of `picows.ws_create_server`."""

    def __init__(self, limits: ConnectionLimits, accept: Accept, max_frame_size: int) -> None:
        super().__init__(
            None, None, False, accept, _log, True, request_head.HEADER_SECONDS,
            False, 20, 20, picows.WSAutoPingStrategy.PING_WHEN_IDLE, True, max_frame_size, None, _READ_BUFFER_BYTES,
        )  # fmt: skip
        self._limits = limits
        self._counted: str | None = None
        self._head: UpgradeHead | None = UpgradeHead()

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if self._limits.take(address):
            self._counted = address
        else:
            # Not at once: the transport begins to read after this callback, closed or not, and a reader that is left
            # behind breaks the next connection with the same file descriptor.
            asyncio.get_running_loop().call_soon(self._refuse, request_head.TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted is not None:
            self._limits.release(self._counted)
            self._counted = None
        super().connection_lost(exc)

    def get_buffer(self, size_hint: int) -> Any:
        return super().get_buffer(size_hint) if self._head is None else _HEAD

    def buffer_updated(self, nbytes: int) -> None:
        if self._head is None:
            super().buffer_updated(nbytes)
            return
        if self.transport.underlying_transport.is_closing():
            return
        try:
            whole = self._head.feed(_HEAD[:nbytes])
        except Refused as refused:
            self._refuse(refused.answer)
            return
        if whole is not None:
            self._head = None
            self._hand_over(memoryview(whole))

    def _hand_over(self, data: memoryview) -> None:
        while data and not self.transport.underlying_transport.is_closing():
            room = super().get_buffer(-1)
            size = min(len(room), len(data))
            room[:size] = data[:size]
            super().buffer_updated(size)
            data = data[size:]

    def _refuse(self, answer: bytes) -> None:
        if self.transport.underlying_transport.is_closing():
            return
        self.transport.underlying_transport.write(answer)
        self.transport.underlying_transport.close()


async def serve(host: str, port: int, limits: ConnectionLimits, accept: Accept, max_frame_size: int) -> asyncio.Server:
    """Listen as `picows.ws_create_server` does, with guarded connections."""
    protocol = functools.partial(GuardedSocket, limits, accept, max_frame_size)
    loop = asyncio.get_running_loop()
    server: asyncio.Server = await aiofastnet.create_server(loop, protocol, host=host, port=port, backlog=4096)
    return server
