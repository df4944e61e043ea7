"""Pipelined commands in their order, and what a client recovers from a position, command by command."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import websockets

from tests.integration.services.realtime.driving import Realtime
from tests.integration.services.realtime.talking import Talk, code, talking


async def test_pipelined_commands_are_answered_in_their_order(realtime: Realtime) -> None:
    """As centrifuge-js sends them: connect and its subscribes in one frame."""
    channel = {"channel": "call:call_1"}
    requests: list[dict[str, Any]] = [
        {"connect": {"token": realtime.token("org_pipe")}}, {"subscribe": channel}, {"subscribe": channel},
        {"unsubscribe": channel}, {"unsubscribe": channel}, {"subscribe": channel}, {"history": channel},
    ]  # fmt: skip
    frame = "\n".join(json.dumps({**request, "id": number}) for number, request in enumerate(requests, 7))
    async with websockets.connect(realtime.url) as socket:
        await socket.send(frame)
        replies: list[dict[str, Any]] = []
        while len(replies) < len(requests):
            replies += map(json.loads, str(await socket.recv()).splitlines())
    assert [reply["id"] for reply in replies] == list(range(7, 14))
    kinds = [next(name for name in reply if name != "id") for reply in replies]
    assert kinds == ["connect", "subscribe", "error", "unsubscribe", "unsubscribe", "subscribe", "history"]
    assert code(replies[2]) == 105


@pytest.mark.parametrize(
    ("position", "recovered", "missed"),
    [
        ({"offset": 3}, True, [4, 5]),
        ({"offset": 5}, True, []),
        ({"offset": 0}, True, [1, 2, 3, 4, 5]),
        ({"offset": 3, "epoch": "another"}, False, []),
        ({"offset": 3, "epoch": "_"}, False, []),
        ({"offset": 0, "epoch": "_"}, False, []),
        ({"offset": 6}, False, []),
        ({"offset": 2**62}, False, []),
    ],
    ids=str,
)
async def test_a_position_is_recovered_whole_or_not_at_all(
    realtime: Realtime, position: dict[str, Any], recovered: bool, missed: list[int]
) -> None:
    org_id, channel = "org_positions", "org:org_positions:calls"
    async with talking(realtime, org_id) as talk:
        top = await _top(talk, channel)
        for _ in range(5 - top):
            await realtime.emit(org_id)
        result = (await talk.ask(subscribe={"channel": channel, "recover": True, **position}))["subscribe"]
    assert (result["was_recovering"], result.get("recovered", False)) == (True, recovered)
    assert [publication["offset"] for publication in result.get("publications", [])] == missed
    assert result.get("offset", 0) == (position["offset"] if recovered else 5)


async def _top(talk: Talk, channel: str) -> int:
    first = (await talk.ask(subscribe={"channel": channel}))["subscribe"]
    await talk.ask(unsubscribe={"channel": channel})
    return int(first.get("offset", 0))


async def test_a_stream_from_a_position_ahead_of_the_log_gets_what_is_new(realtime: Realtime) -> None:
    """The position is of a log that is gone: nothing can be given back, and nothing new may be lost."""
    await realtime.emit("org_ahead", call_id="call_old")
    url = f"http://{realtime.doors.addresses['http']}/api/events/stream"
    params = {"token": realtime.token("org_ahead"), "after": "900000000000000000"}
    async with httpx.AsyncClient(timeout=20) as http, http.stream("GET", url, params=params) as answer:
        lines = answer.aiter_lines()
        assert [await anext(lines) for _ in range(3)] == ["retry: 1000", "", "event: expired"]
        await realtime.emit("org_ahead", call_id="call_new")
        assert json.loads((await anext(lines))[5:]) == {"after": 900000000000000000, "oldest": 2}
        async for line in lines:
            if line.startswith("data:"):
                assert json.loads(line[5:])["data"]["callId"] == "call_new"
                break


async def test_events_that_are_logged_together_follow_each_other_in_every_channel(realtime: Realtime) -> None:
    org_id = "org_together"
    async with talking(realtime, org_id) as talk:
        for channel in (f"org:{org_id}:calls", "call:call_a"):
            await talk.ask(subscribe={"channel": channel})
        for calls in (["call_a"], ["call_b", "call_c", "call_d"], ["call_a", "call_e"]):
            await realtime.emit_together(org_id, calls)
        history = (await talk.ask(history={"channel": f"org:{org_id}:calls", "limit": 100}))["history"]
        of_a_call = (await talk.ask(history={"channel": "call:call_a", "limit": 100}))["history"]
    told = [(one["offset"], one["data"]["subject"]) for one in history["publications"]]
    assert told == list(enumerate(["call_a", "call_b", "call_c", "call_d", "call_a", "call_e"], 1))
    assert [one["offset"] for one in of_a_call["publications"]] == [1, 2]
