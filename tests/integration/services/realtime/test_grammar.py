"""The grammar of outbound frames refuses each fault at which an SDK stops or loops (docs/realtime-protocol.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.realtime.protocol import disconnects
from services.realtime.protocol.batches import Batch
from services.realtime.protocol.connection import Connection
from services.realtime.protocol.disconnects import Disconnect
from tests.integration.services.realtime.driving import Realtime
from tests.integration.services.realtime.grammar import Ungrammatical, check_message, check_reason
from tests.integration.services.realtime.talking import talking

CLIENT = "0b0e8f0a-5d2c-4d3a-9c60-0c5f4f5c8f11"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}\n{}",
        b"{}\n",
        b"[]",
        b'{"id":1}',
        b'{"id":0,"unsubscribe":{}}',
        b'{"id":1,"unsubscribe":{},"error":{"code":100,"message":"x"}}',
        b'{"id":1,"error":{"code":100,"message":""}}',
        b'{"id":1,"error":{"code":100,"message":"internal server error"}}',
        b'{"id":1,"error":{"code":103,"message":"permission denied","temporary":true}}',
        b'{"id":1,"connect":{"client":"","ping":25,"pong":true,"expires":true,"ttl":1}}',
        b'{"id":1,"connect":{"client":"%b","ping":25,"pong":true,"expires":true}}' % CLIENT.encode(),
        b'{"id":1,"connect":{"client":"%b","ping":25,"pong":true,"expires":true,"ttl":0}}' % CLIENT.encode(),
        b'{"id":1,"subscribe":{"publications":null}}',
        b'{"id":1,"subscribe":{"recoverable":true,"positioned":true}}',
        b'{"id":1,"subscribe":{"recoverable":true,"positioned":true,"epoch":"e","publications":[{"data":1,"offset":1}]}}',
        b'{"id":1,"history":{"publications":[],"offset":1}}',
        b'{"id":1,"presence":{"presence":{"a":{"user":"u"}}}}',
        b'{"push":{}}',
        b'{"push":{"pub":{"data":1}}}',
        b'{"push":{"channel":"c","pub":{"offset":1}}}',
        b'{"push":{"channel":"c","pub":{"data":1,"offset":"1"}}}',
        b'{"push":{"channel":"c","join":{}}}',
        b'{"push":{"channel":"c","unsubscribe":{"code":2500,"reason":""}}}',
        b'{"push":{"channel":"c","unsubscribe":{"reason":"insufficient state"}}}',
        b'{"push":{"disconnect":{"code":3503,"reason":""}}}',
        b'{"push":{"channel":"c","new_kind":{}}}',
        b'{"push":{"connect":{"client":"%b","ping":25,"expires":true,"ttl":1}}}' % CLIENT.encode(),
    ],
)
def test_a_fault_is_found(frame: bytes) -> None:
    with pytest.raises((Ungrammatical, KeyError, AttributeError, TypeError)):
        check_message(frame)


@pytest.mark.parametrize(("code", "reason"), [(3500, ""), (3001, "1"), (3500, '{"reconnect":true}'), (5000, "x")])
def test_a_reason_that_an_sdk_misreads_is_found(code: int, reason: str) -> None:
    with pytest.raises(Ungrammatical):
        check_reason(code, reason)


def test_every_disconnect_says_a_code_and_plain_words() -> None:
    known = [value for value in vars(disconnects).values() if isinstance(value, Disconnect)]
    assert len(known) == len({one.code for one in known}) >= 12
    for one in known:
        check_reason(*one)


async def test_the_frames_of_these_tests_are_checked(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in what a connection sends is noted by the fixture that serves all tests of this folder."""
    noted: list[str] = []
    monkeypatch.setattr(realtime, "faults", noted)
    async with talking(realtime, "org_grammar"):
        found = [s.connection for s in realtime.doors.sockets.sockets if s.connection is not None]
        connection = next(one for one in found if one.grant is not None and one.grant.org_id == "org_grammar")
        connection.collect(Batch((b'{"push":{}}',)))
        connection.flush()
    assert len(noted) == 1


def test_frames_leave_by_one_way() -> None:
    """Which the fixture watches."""
    source = Path(Connection.__init__.__code__.co_filename).read_text("utf-8")
    assert re.findall(r"_wire\.(\w+)", source).count("send") == 1
