"""The bytes between caller and child: a length of four bytes, then one msgpack value.

Only data crosses, never code: a child that hostile input took over can hand back nothing but values.
"""

import struct
from typing import Any, BinaryIO

import msgspec

HEADER = struct.Struct(">I")


def pack(*message: Any) -> bytes:
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body


def unpack(body: bytes) -> list[Any]:
    """The message as a list. Raises msgspec.MsgspecError when the bytes are none."""
    return msgspec.msgpack.decode(body, type=list[Any])


def read(source: BinaryIO) -> list[Any]:
    """The next message of a blocking stream. Raises EOFError at its end."""
    header = source.read(HEADER.size)
    if len(header) < HEADER.size:
        raise EOFError
    return unpack(source.read(HEADER.unpack(header)[0]))
