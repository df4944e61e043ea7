"""Commands of the Centrifugo client protocol, JSON v2: what a client sends, decoded in two steps. Pure.

A frame and the envelopes in it must be well formed, because an error needs a command's id. A request inside an envelope
that breaks its own schema is `Malformed`: it is answered with an error and costs no connection. In both, null and
an absent field mean the zero value, and unknown fields are ignored. Source: client.proto of centrifugal/protocol.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

_Unsigned = Annotated[int, Meta(ge=0)]


class SubscribeRequest(msgspec.Struct):
    channel: str = ""
    recover: bool = False
    epoch: str = ""
    offset: _Unsigned = 0
    join_leave: bool = False


class ConnectRequest(msgspec.Struct):
    token: str = ""
    # Channels and where to go on in each. Read on unidirectional connections alone.
    subs: dict[str, SubscribeRequest] = {}


class UnsubscribeRequest(msgspec.Struct):
    channel: str = ""


class StreamPosition(msgspec.Struct):
    offset: _Unsigned = 0
    epoch: str = ""


class HistoryRequest(msgspec.Struct):
    channel: str = ""
    # 0: position only; negative: everything up to the cap.
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


class RefreshRequest(msgspec.Struct):
    token: str = ""


class PublishRequest(msgspec.Struct):
    channel: str = ""


class PresenceRequest(msgspec.Struct):
    channel: str = ""


class PresenceStatsRequest(msgspec.Struct):
    channel: str = ""


class RpcRequest(msgspec.Struct):
    method: str = ""


class SubRefreshRequest(msgspec.Struct):
    channel: str = ""
    token: str = ""


class PingRequest(msgspec.Struct):
    pass


class SendRequest(msgspec.Struct):
    pass


class Malformed(msgspec.Struct):
    """A request of a known kind whose fields have other types than the protocol's."""


Request = (
    ConnectRequest
    | SubscribeRequest
    | UnsubscribeRequest
    | HistoryRequest
    | RefreshRequest
    | PublishRequest
    | PresenceRequest
    | PresenceStatsRequest
    | RpcRequest
    | SubRefreshRequest
    | PingRequest
    | SendRequest
)

# In the order in which a command that holds several is read.
REQUESTS: dict[str, type[Request]] = {
    "connect": ConnectRequest,
    "ping": PingRequest,
    "send": SendRequest,
    "subscribe": SubscribeRequest,
    "unsubscribe": UnsubscribeRequest,
    "history": HistoryRequest,
    "refresh": RefreshRequest,
    "publish": PublishRequest,
    "presence": PresenceRequest,
    "presence_stats": PresenceStatsRequest,
    "rpc": RpcRequest,
    "sub_refresh": SubRefreshRequest,
}


class Command(msgspec.Struct):
    """`request` is None where the command names none that the protocol knows."""

    id: int
    request: Request | Malformed | None

    @property
    def is_pong(self) -> bool:
        return self.id == 0 and not isinstance(self.request, SendRequest)


_Id = Annotated[int, Meta(ge=0, lt=2**32)]
_envelopes = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ids = msgspec.json.Decoder(_Id | None)


def parse_frame(frame: bytes) -> list[Command]:
    """Raises ValueError for what cannot be answered: an empty frame, a blank line between objects, an object that is
    malformed, an id that is none."""
    if frame.endswith(b"\n"):
        frame = frame[:-1]
    try:
        return [_command(_envelopes.decode(line)) for line in frame.split(b"\n")]
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("no frame of commands") from error


def parse_connect(text: bytes) -> ConnectRequest:
    """The request of a unidirectional connection, which is no command. Raises ValueError for anything else."""
    try:
        request = _request(msgspec.Raw(text or b"{}"), ConnectRequest)
    except msgspec.MsgspecError as error:
        raise ValueError("no connect request") from error
    if not isinstance(request, ConnectRequest):
        raise ValueError("no connect request")
    return request


def _command(envelope: dict[str, msgspec.Raw]) -> Command:
    command_id = _ids.decode(envelope["id"]) if "id" in envelope else 0
    for name, kind in REQUESTS.items():
        if name in envelope and bytes(envelope[name]) != b"null":
            return Command(command_id or 0, _request(envelope[name], kind))
    return Command(command_id or 0, None)


def _request(raw: msgspec.Raw, kind: type[Request]) -> Request | Malformed:
    try:
        return msgspec.convert(_without_nulls(msgspec.json.decode(raw)), kind)
    except (msgspec.MsgspecError, RecursionError):
        return Malformed()


def _without_nulls(value: Any) -> Any:
    """The object without its null fields, and without those of objects in it."""
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(field) for name, field in value.items() if field is not None}
