"""Commands that the server does not offer, or cannot read: each is answered with its error, and no connection ends."""

from __future__ import annotations

import random
from typing import Any

import centrifuge
import msgspec
import pytest

from local.demo.listening import leave
from services.realtime.protocol.commands import REQUESTS
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.talking import code, talking

CHANNEL = "call:call_1"
# These end a connection by the protocol: a second connect, the client's own ping, and send without a handler.
_ENDING = ("connect", "ping", "send")
ANSWERABLE = [name for name in REQUESTS if name not in _ENDING]
NASTY: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**53 + 1, 2**63, 2**64, 10**40, 1e300, "", "x", "\u0000", "\N{SNOWMAN}", "call:",
    "x" * 256, "job:job_1", "org:org_other:calls", [], [None], {}, {"offset": -1}, {"offset": "1"}, {"offset": 2**63},
    {"offset": 2**64, "epoch": "_"}, {"epoch": 5}, [[[[[[]]]]]],
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_of", "expected"),
    [
        ({"presence": {"channel": "call:not_subscribed"}}, 103),
        ({"presence_stats": {"channel": "call:not_subscribed"}}, 103),
        ({"publish": {"channel": CHANNEL, "data": {}}}, 103),
        ({"rpc": {"method": "anything", "data": {}}}, 104),
        ({"rpc": {}}, 104),
        ({"sub_refresh": {"channel": CHANNEL, "token": "x"}}, 103),
        ({"sub_refresh": {"channel": CHANNEL}}, 107),
        ({"history": {"channel": "call:not_subscribed"}}, 103),
        ({"history": {"channel": CHANNEL, "reverse": True, "since": {"offset": 0}}}, 107),
        ({"history": {"channel": CHANNEL, "since": {"offset": 1, "epoch": "foreign"}}}, 112),
        ({"subscribe": {"channel": CHANNEL}}, 105),
        ({"subscribe": {"channel": "org:org_other:calls"}}, 103),
        ({"subscribe": {"channel": "call:\N{SNOWMAN}"}}, 107),
        ({"subscribe": {"channel": "x" * 256}}, 107),
        *(({name: {"channel": 5}}, 107) for name in ANSWERABLE if name not in ("rpc", "refresh")),
        *(({name: [1]}, 107) for name in ANSWERABLE),
        *(({name: {}}, 107) for name in ANSWERABLE if name not in ("rpc", "refresh")),
    ],
    ids=str,
)
async def test_a_command_that_is_refused_is_answered_and_the_connection_lives(
    realtime: Realtime, request_of: dict[str, Any], expected: int
) -> None:
    async with talking(realtime, "org_refused") as talk:
        assert "subscribe" in await talk.ask(subscribe={"channel": CHANNEL})
        assert code(await talk.ask(**request_of)) == expected
        assert "history" in await talk.ask(history={"channel": CHANNEL})


def test_the_commands_above_are_all_of_the_protocol() -> None:
    assert set(ANSWERABLE) | set(_ENDING) == set(REQUESTS)


@pytest.mark.parametrize("name", [name for name in ANSWERABLE if name != "refresh"])
async def test_no_value_of_a_field_ends_a_connection(realtime: Realtime, name: str) -> None:
    """Each field of each command with each nasty value, then pairs of them at random."""
    fields = [*(field.name for field in msgspec.structs.fields(REQUESTS[name])), "data", "unknown"]
    chosen = random.Random(name)
    bodies: list[Any] = [*NASTY, *({field: value} for field in fields for value in NASTY)]
    bodies += [{field: chosen.choice([CHANNEL, *NASTY]) for field in fields} for _ in range(100)]
    async with talking(realtime, "org_nasty") as talk:
        for body in bodies:
            if body is None:  # null is an absent request, so the command names none
                continue
            reply = await talk.ask(**{name: body})
            assert name in reply or code(reply) in range(100, 114), (body, reply)
            assert reply.get("error", {}).get("code") != 100, (body, reply)


async def test_a_null_field_means_its_zero_value(realtime: Realtime) -> None:
    async with talking(realtime, "org_null") as talk:
        request = {"channel": CHANNEL, "recover": None, "epoch": None, "offset": None, "token": None, "data": None}
        assert "subscribe" in await talk.ask(subscribe=request, presence=None, rpc=None)
        position = {"offset": None, "epoch": None}
        assert "history" in await talk.ask(history={"channel": CHANNEL, "limit": None, "since": position})
        assert "history" in await talk.ask(history={"channel": CHANNEL, "since": None, "reverse": None})


@pytest.mark.parametrize("offset", [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64])
async def test_a_position_beyond_the_log_is_not_recovered(realtime: Realtime, offset: int) -> None:
    org_id = f"org_beyond_{offset}"
    await realtime.emit(org_id)
    async with talking(realtime, org_id) as talk:
        request = {"channel": f"org:{org_id}:calls", "recover": True, "offset": offset}
        result = (await talk.ask(subscribe=request))["subscribe"]
        assert (result["was_recovering"], result.get("recovered", False), result["offset"]) == (True, False, 1)
        assert result.get("publications", []) == []
        history = {"channel": request["channel"], "limit": 5, "since": {"offset": offset}}
        assert (await talk.ask(history=history))["history"]["publications"] == []


async def test_what_the_server_does_not_offer_raises_in_the_sdk_and_the_subscription_goes_on(
    realtime: Realtime,
) -> None:
    client = realtime.client("org_offers")
    await client.sdk.connect()
    heard = await client.subscribe("org:org_offers:calls")
    with pytest.raises(centrifuge.CentrifugeError):
        await client.sdk.rpc("anything", {})
    with pytest.raises(centrifuge.CentrifugeError):
        await heard.subscription.publish({})
    await realtime.emit("org_offers")
    await until(lambda: bool(heard.publications))
    assert client.disconnects == []
    await leave(client.sdk)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ('{"id":2}', 3501),
        ('{"id":2,"presence":null}', 3501),
        ('{"id":2,"nothing_known":{}}', 3501),
        ('{"id":2,"ping":{}}', 3501),
        ('{"id":-2,"rpc":{}}', 3501),
        ('{"id":4294967296,"rpc":{}}', 3501),
        ('{"id":"2","rpc":{}}', 3501),
        ('{"id":2,"rpc":' + "[" * 20_000 + "]" * 20_000 + "}", 3501),
        ('{"id":2,"refresh":{}}', 3501),
        ('{"id":2,"refresh":{"token":"x"}}', 3500),
        ('{"send":{"data":{}}}', 3508),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_answered_ends_with_its_code(realtime: Realtime, frame: str, expected: int) -> None:
    connect = b'{"id":1,"connect":{"token":"%b"}}' % realtime.token("org_a").encode()
    assert await realtime.raw([connect, frame.encode()]) == expected
