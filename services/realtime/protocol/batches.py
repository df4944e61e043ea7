"""Messages that leave together: one write to a socket, in which each message is a frame of its own. Pure.

The protocol also allows several messages in one frame. Frames of one message are needed for their order: the JavaScript
SDK (5.7.4) mixes the messages of frames that arrive in one turn of Node's event loop, unless each frame has one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

# FIN and the opcode of text (RFC 6455, 5.2). A server masks nothing.
_TEXT = 0x81
# Lengths from which a frame's header has another form.
_TWO_BYTES, _EIGHT_BYTES = 126, 2**16


class Batch:
    """Encoded once for all who get it: as messages, and as WebSocket frames."""

    __slots__ = ("frames", "messages")

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = messages
        self.frames = b"".join([_header(len(message)) + message for message in messages])


def _header(length: int) -> bytes:
    if length < _TWO_BYTES:
        return struct.pack("!BB", _TEXT, length)
    if length < _EIGHT_BYTES:
        return struct.pack("!BBH", _TEXT, 126, length)
    return struct.pack("!BBQ", _TEXT, 127, length)
