"""Unidirectional streams by plain HTTP: channels come with the request, pushes come back bare, errors are codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.realtime.protocol import connection as connections
from services.realtime.protocol.connection import Connection
from tests.integration.services.realtime.driving import Realtime, until

CHANNEL = "org:{}:calls"


@asynccontextmanager
async def opened(realtime: Realtime, request: Any, path: str = "uni_sse") -> AsyncIterator[AsyncIterator[Any]]:
    """The messages of one stream."""
    text = request if isinstance(request, str) else json.dumps(request)
    url = f"http://{realtime.doors.addresses['http']}/connection/{path}"
    async with httpx.AsyncClient(timeout=20) as http:
        asked = (
            http.stream("GET", url, params={"cf_connect": text}, headers={"accept": "text/event-stream"})
            if path == "uni_sse"
            else http.stream("POST", url, content=text)
        )
        async with asked as answer:
            assert answer.status_code == 200
            yield messages(answer)


async def messages(answer: httpx.Response) -> AsyncIterator[Any]:
    async for line in answer.aiter_lines():
        if text := line.removeprefix("data: ").strip():
            yield json.loads(text)


@pytest.mark.parametrize("path", ["uni_sse", "uni_http_stream"])
async def test_it_connects_hears_and_recovers(realtime: Realtime, path: str) -> None:
    org = f"org_{path.replace('_', '')}"
    channel = CHANNEL.format(org)
    subs: dict[str, Any] = {channel: {}, "call:call_1": {"join_leave": True}}
    request = {"token": realtime.token(org), "subs": subs}
    async with opened(realtime, request, path) as said:
        connect = (await anext(said))["connect"]
        assert connect["subs"].keys() == subs.keys()
        assert connect["subs"][channel]["recoverable"]
        assert "pong" not in connect
        joined = await anext(said)
        assert (joined["channel"], joined["join"]["info"]["client"]) == ("call:call_1", connect["client"])
        await realtime.emit(org, call_id="call_0")
        told = await anext(said)
        assert (told["channel"], told["pub"]["offset"], told["pub"]["data"]["type"]) == (channel, 1, "call.ended")
    for number in range(1, 4):
        await realtime.emit(org, call_id=f"call_{number}")
    epoch = connect["subs"][channel]["epoch"]
    request["subs"] = {channel: {"recover": True, "epoch": epoch, "offset": 1}}
    async with opened(realtime, request, path) as said:
        result = (await anext(said))["connect"]["subs"][channel]
        assert result["recovered"]
        assert [one["offset"] for one in result["publications"]] == [2, 3, 4]
        await realtime.emit(org, call_id="call_4")
        assert (await anext(said))["pub"]["offset"] == 5


@pytest.mark.parametrize(
    ("request_of", "code"),
    [
        ({}, 3501),
        ({"token": "forged"}, 3500),
        ({"seconds": -1}, 3005),
        ({"subs": {"org:org_another:calls": {}}}, 3507),
        ({"subs": {"no channel": {}}}, 3501),
        ({"subs": {f"call:call_{number}": {} for number in range(129)}}, 3505),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_refusal_is_a_disconnect_and_the_end(realtime: Realtime, request_of: dict[str, Any], code: int) -> None:
    seconds, asked = request_of.pop("seconds", 300), dict(request_of)
    if seconds < 0 or "subs" in asked:
        asked["token"] = realtime.token("org_uni", seconds=seconds)
    async with opened(realtime, asked) as said:
        everything = [message async for message in said]
    assert [message["disconnect"]["code"] for message in everything] == [code]
    assert everything[0]["disconnect"]["reason"]


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"subs":[]}', '{"token":5}', '{"subs":{"call:x":{"offset":-1}}}'])
async def test_a_request_that_is_none_is_refused(realtime: Realtime, text: str) -> None:
    url = f"http://{realtime.doors.addresses['http']}/connection/uni_sse"
    async with httpx.AsyncClient(timeout=20) as http:
        answers = [await http.get(url, params={"cf_connect": text}), await http.post(url, content=text)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert {answer.json()["code"] for answer in answers} == {"malformed_json"}


async def test_pings_come_and_no_pong_is_waited_for(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 1)
    monkeypatch.setattr(connections, "PONG_SECONDS", 0.1)
    async with opened(realtime, {"token": realtime.token("org_uniping")}) as said:
        assert "connect" in await anext(said)
        assert [await anext(said) for _ in range(3)] == [{}] * 3


async def test_a_lost_position_is_a_reason_to_connect_again(realtime: Realtime) -> None:
    org, channel = "org_unilost", CHANNEL.format("org_unilost")
    async with opened(realtime, {"token": realtime.token(org), "subs": {channel: {}}}) as said:
        await anext(said)
        connection = _of(realtime, org)
        subscription = connection.subscription(channel)
        assert subscription is not None
        connection.lose_position(subscription)
        assert [message["disconnect"]["code"] async for message in said] == [3010]


async def test_it_leaves_the_channels_when_the_client_has_gone(realtime: Realtime) -> None:
    org = "org_unigone"
    before = realtime.doors.hub.channel_count
    async with opened(realtime, {"token": realtime.token(org), "subs": {CHANNEL.format(org): {}}}) as said:
        await anext(said)
        assert realtime.doors.hub.channel_count == before + 1
    await until(lambda: realtime.doors.hub.channel_count == before)
    await asyncio.sleep(0)


def _of(realtime: Realtime, org: str) -> Connection:
    return next(one for one in realtime.doors.emulated if one.grant is not None and one.grant.org_id == org)
