"""Replies and pushes: what the server sends in the Centrifugo client protocol, JSON v2. Pure.

Zero values are left out. `data` is raw embedded JSON. Source: client.proto of centrifugal/protocol.
"""

from __future__ import annotations

import msgspec

PING = b"{}"


class Error(msgspec.Struct, omit_defaults=True):
    code: int
    message: str
    temporary: bool = False


class Publication(msgspec.Struct, omit_defaults=True):
    data: msgspec.Raw
    offset: int = 0


class SubscribeResult(msgspec.Struct, omit_defaults=True):
    recoverable: bool = False
    positioned: bool = False
    epoch: str = ""
    offset: int = 0
    recovered: bool = False
    was_recovering: bool = False
    publications: list[Publication] = []


class ConnectResult(msgspec.Struct, omit_defaults=True):
    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0
    ping: int = 0
    pong: bool = False
    # Of emulated connections alone: where their commands go.
    session: str = ""
    node: str = ""
    # Of unidirectional connections alone: the channels that they asked for.
    subs: dict[str, SubscribeResult] = {}


class HistoryResult(msgspec.Struct):
    """Unlike elsewhere all three are always written."""

    publications: list[Publication]
    epoch: str
    offset: int


class RefreshResult(msgspec.Struct, omit_defaults=True):
    client: str
    expires: bool
    ttl: int


class ClientInfo(msgspec.Struct):
    """Both are always written."""

    user: str
    client: str


class PresenceResult(msgspec.Struct):
    presence: dict[str, ClientInfo]


class PresenceStatsResult(msgspec.Struct):
    num_clients: int
    num_users: int


class Empty(msgspec.Struct):
    pass


class Reply(msgspec.Struct, omit_defaults=True):
    id: int
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    history: HistoryResult | None = None
    refresh: RefreshResult | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    error: Error | None = None


INTERNAL = Error(100, "internal server error", temporary=True)
PERMISSION_DENIED = Error(103, "permission denied")
METHOD_NOT_FOUND = Error(104, "method not found")
ALREADY_SUBSCRIBED = Error(105, "already subscribed")
LIMIT_EXCEEDED = Error(106, "limit exceeded")
BAD_REQUEST = Error(107, "bad request")
NOT_AVAILABLE = Error(108, "not available")
TOKEN_EXPIRED = Error(109, "token expired")
UNRECOVERABLE = Error(112, "unrecoverable position")

_encoder = msgspec.json.Encoder()


def encode(reply: Reply) -> bytes:
    return _encoder.encode(reply)


def encode_push(channel: str, data: bytes, offset: int) -> bytes:
    """The bytes that every subscriber of the channel gets, made once. `data` is JSON without raw newlines."""
    position = b',"offset":%d' % offset if offset else b""
    return b'{"push":{"channel":%b,"pub":{"data":%b%b}}}' % (_encoder.encode(channel), data, position)


def encode_joined(channel: str, kind: str, info: ClientInfo) -> bytes:
    """`kind` is join or leave. SDKs stop at one without info."""
    return _encoder.encode({"push": {"channel": channel, kind: {"info": info}}})


def encode_connect(result: ConnectResult) -> bytes:
    """Said on unidirectional connections, which have no replies."""
    return _encoder.encode({"push": {"connect": result}})


def encode_disconnect(code: int, reason: str) -> bytes:
    """Said on emulated connections, which have no close frame."""
    return _encoder.encode({"push": {"disconnect": {"code": code, "reason": reason}}})


def encode_unsubscribe(channel: str, code: int, reason: str) -> bytes:
    """Both code and reason are always written: SDKs misread a push without either."""
    push = {"push": {"channel": channel, "unsubscribe": {"code": code, "reason": reason}}}
    return _encoder.encode(push)
