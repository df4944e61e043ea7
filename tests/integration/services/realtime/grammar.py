"""The grammar of everything that the server says: each outbound frame of each test of this folder is checked.

SDKs stop, or loop for ever, at a frame that breaks it. The checks are stricter than the protocol: a field that it does
not know is a fault here.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec

RESULTS = frozenset(
    ("connect", "subscribe", "unsubscribe", "history", "refresh", "presence", "presence_stats", "error")
)  # fmt: skip
PUSHES = frozenset(("pub", "join", "leave", "unsubscribe", "disconnect", "connect"))
# The fields of each object that has no others.
_FIELDS = {
    "subscribe": {"recoverable", "positioned", "epoch", "offset", "recovered", "was_recovering", "publications"},
    "connect": {"client", "version", "expires", "ttl", "ping", "pong", "session", "node", "subs"},
    "refresh": {"client", "expires", "ttl"},
    "history": {"publications", "epoch", "offset"},
    "presence": {"presence"},
    "presence_stats": {"num_clients", "num_users"},
    "error": {"code", "message", "temporary"},
    "unsubscribe": {"code", "reason"},
    "disconnect": {"code", "reason"},
    "pub": {"data", "offset"},
    "join": {"info"},
    "leave": {"info"},
}
# Bytes of the reason in a close frame.
_MOST_REASON = 123


class Ungrammatical(AssertionError):
    """A frame that the protocol does not allow."""


def check_message(frame: bytes, unidirectional: bool = False) -> None:
    """Raises Ungrammatical unless the frame is one message, without a raw newline."""
    try:
        message = msgspec.json.decode(frame)
    except msgspec.DecodeError as error:
        raise Ungrammatical(f"no message: {frame!r}") from error
    _require(isinstance(message, dict) and b"\n" not in frame, message)
    if message:
        _check_kind(message, unidirectional)


def check_reason(code: int, reason: str) -> None:
    """What a close frame says."""
    _require(1000 <= code < 5000 and 0 < len(reason.encode()) <= _MOST_REASON, (code, reason))
    try:
        json.loads(reason)
    except ValueError:
        return
    raise Ungrammatical(f"JavaScript reads the reason {reason!r} as JSON")


def _check_kind(message: dict[str, Any], unidirectional: bool) -> None:
    if "push" in message:
        _require(message.keys() == {"push"}, message)
        _check_push(message["push"], unidirectional)
        return
    kinds = message.keys() & RESULTS
    _require(not unidirectional and len(kinds) == 1 and message.keys() == {"id", *kinds}, message)
    _require(type(message["id"]) is int and 0 < message["id"] < 2**32, message)
    _check_result(kinds.pop(), message)


def _check_push(push: dict[str, Any], unidirectional: bool) -> None:
    kinds = push.keys() & PUSHES
    _require(len(kinds) == 1 and push.keys() <= {"channel", *kinds}, push)
    (kind,) = kinds
    body = push[kind]
    _require(("channel" in push) == (kind not in ("disconnect", "connect")), push)
    _require(push.get("channel", "x") != "" and body.keys() <= _FIELDS[kind], push)
    if kind == "pub":
        _check_publication(body)
    elif kind in ("join", "leave"):
        _require(body.keys() == {"info"}, push)
        _check_info(body["info"])
    elif kind == "connect":
        _require(unidirectional, push)
        _check_connect(body)
    else:
        _require(type(body["code"]) is int and bool(body["reason"]), push)
        if kind == "disconnect":
            check_reason(body["code"], body["reason"])


def _check_result(kind: str, message: dict[str, Any]) -> None:
    body = message[kind]
    if kind == "unsubscribe":
        _require(body == {}, message)
        return
    _require(body.keys() <= _FIELDS[kind], message)
    if kind == "error":
        _require(100 <= body["code"] <= 113 and bool(body["message"]), message)
        _require(body.get("temporary", False) is (body["code"] in (100, 111, 113)), message)
    elif kind == "connect":
        _check_connect(body)
    elif kind == "refresh":
        _require(body["expires"] is True and body["ttl"] >= 1, message)
    elif kind == "subscribe":
        _check_subscribed(body)
    elif kind == "history":
        _require(body.keys() == _FIELDS[kind] and bool(body["epoch"]), message)
        for publication in body["publications"]:
            _check_publication(publication)
    elif kind == "presence":
        for client, info in body["presence"].items():
            _check_info(info)
            _require(info["client"] == client, message)
    else:
        _require(body.keys() == _FIELDS[kind] and 0 <= body["num_users"] <= body["num_clients"], message)


def _check_connect(body: dict[str, Any]) -> None:
    _require(len(body["client"]) == 36 and body["ping"] > 0, body)
    _require(body["expires"] is True and type(body["ttl"]) is int and body["ttl"] >= 1, body)
    _require(("session" in body) == ("node" in body), body)
    for result in body.get("subs", {}).values():
        _check_subscribed(result)


def _check_subscribed(body: dict[str, Any]) -> None:
    _require(bool(body.get("recoverable")) == bool(body.get("positioned")) == bool(body.get("epoch")), body)
    publications = body.get("publications", [])
    _require("publications" not in body or bool(publications), body)
    _require(not publications or bool(body.get("recovered")), body)
    _require(not body.get("recovered") or bool(body.get("was_recovering")), body)
    for publication in publications:
        _check_publication(publication)
    # Without gaps only for a client that hears of all agents; what a limited one misses no frame tells.
    offsets = [body.get("offset", 0), *(one["offset"] for one in publications)]
    _require(all(one < next_one for one, next_one in itertools.pairwise(offsets)), body)


def _check_publication(body: dict[str, Any]) -> None:
    _require("data" in body and body.keys() <= _FIELDS["pub"], body)
    _require("offset" not in body or (type(body["offset"]) is int and 0 < body["offset"] < 2**53), body)


def _check_info(info: dict[str, Any]) -> None:
    _require(info.keys() == {"user", "client"} and bool(info["client"]), info)


def _require(holds: bool, what: object) -> None:
    if not holds:
        raise Ungrammatical(str(what))
