"""What the protocol's clients meet at the worst moment: unmodified SDKs of Python and JavaScript, and bare sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
import websockets

from libs.bus import Bus
from libs.config import load
from libs.errors import Unavailable
from local.demo.listening import leave
from local.stores import Stores
from services.realtime.config import RealtimeSettings
from services.realtime.doors.opening import Doors
from services.realtime.protocol import connection as connections
from services.realtime.protocol.connection import Connection
from services.realtime.storage.event_log import EventLog
from tests.integration.services.realtime.driving import Realtime, emit_and_sweep, until
from tests.integration.services.realtime.javascript import JavaScript, javascript
from tests.integration.services.realtime.talking import talking
from tests.integration.services.realtime.test_javascript_sdk import Client

# Rounds of a race, as the checklist of the protocol asks for.
ROUNDS = 1_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def js(realtime: Realtime) -> AsyncIterator[JavaScript]:
    async with javascript() as sdk:
        yield sdk
        assert [event for event in sdk.events if event["on"] == "unhandled"] == []


def connection_of(realtime: Realtime, org: str) -> Connection:
    sockets = [socket.connection for socket in realtime.doors.sockets.sockets if socket.connection is not None]
    return next(one for one in sockets if one.grant is not None and one.grant.org_id == org)


def lose(realtime: Realtime, org: str, channel: str) -> bool:
    """Whether the client had a subscription that it must take again."""
    connection = connection_of(realtime, org)
    subscription = connection.subscription(channel)
    if subscription is not None:
        connection.lose_position(subscription)
        connection.flush()
    return subscription is not None


@contextlib.asynccontextmanager
async def written(realtime: Realtime, org: str) -> AsyncIterator[list[str]]:
    """Events are written one after another for as long as the block runs."""
    stop, ids = asyncio.Event(), list[str]()

    async def write() -> None:
        while not stop.is_set():
            ids.append(await realtime.emit(org, call_id=f"call_{len(ids)}"))

    writing = asyncio.create_task(write())
    try:
        yield ids
    finally:
        stop.set()
        await writing


async def test_events_published_while_python_subscribes_anew_come_once_and_in_order(realtime: Realtime) -> None:
    org, channel = "org_race_py", "org:org_race_py:calls"
    client = realtime.client(org)
    await client.sdk.connect()
    heard = await client.subscribe(channel)
    async with written(realtime, org) as ids:
        for round_ in range(ROUNDS):
            assert lose(realtime, org, channel)
            await until(lambda wanted=round_ + 2: len(heard.subscribed) >= wanted)  # type: ignore[misc]
    await until(lambda: len(heard.publications) >= len(ids))
    assert [data["id"] for _, data in heard.publications] == ids
    assert all(context.recovered for context in heard.subscribed[1:])
    assert client.disconnects == []
    await leave(client.sdk)


async def test_events_published_while_javascript_subscribes_anew_come_once_and_in_order(
    realtime: Realtime, js: JavaScript
) -> None:
    client = Client(js, realtime, "racejs")
    await client.connected()
    await client.subscribed()
    async with written(realtime, client.org) as ids:
        for round_ in range(ROUNDS):
            assert lose(realtime, client.org, client.channel)
            await client.until("subscribed", round_ + 2)
    await client.js.until(lambda _: len(client.told("publication")) >= len(ids))
    assert [event["data"]["id"] for event in client.told("publication")] == ids
    assert all(event["recovered"] for event in client.told("subscribed")[1:])
    assert [event["code"] for event in client.told("connecting")] == [0]
    await client.do("disconnect")


async def test_a_refresh_that_lost_a_right_ends_its_subscriptions_and_no_others(
    realtime: Realtime, js: JavaScript
) -> None:
    """Unsubscribe code 2000: the client stays out."""
    client = Client(js, realtime, "narrowed")
    fewer = frozenset({"agents:read"})
    tokens = [realtime.token(client.org, seconds=2), realtime.token(client.org, scopes=fewer)]
    await client.connected(tokens=tokens)
    await client.subscribed()
    await client.subscribed(f"org:{client.org}:agents")
    (ended,) = await client.until("unsubscribed")
    assert (ended["channel"], ended["code"], ended["reason"]) == (client.channel, 2000, "server unsubscribe")
    await realtime.emit(client.org)
    await realtime.emit(client.org, topic="agent.created", agentId="agt_1")
    (told,) = await client.until("publication")
    assert told["channel"] == f"org:{client.org}:agents"
    assert len(client.told("subscribed")) == 2
    await client.do("disconnect")


async def test_an_invalidated_state_is_subscribed_anew_without_recovery(realtime: Realtime, js: JavaScript) -> None:
    """Unsubscribe code 2502: both SDKs forget their position."""
    client = Client(js, realtime, "invalidated")
    await client.connected()
    await client.subscribed()
    python = realtime.client(client.org)
    await client.emit(2)
    await client.until("publication", 2)
    subscription = connection_of(realtime, client.org).subscription(client.channel)
    assert subscription is not None
    subscription.connection._end(subscription, 2502, "state invalidated")
    subscription.connection.flush()
    await client.until("subscribed", 2)
    again = client.told("subscribed")[-1]
    assert (again["wasRecovering"], again["recovered"]) == (True, False)
    assert [event["code"] for event in client.told("subscribing")] == [0, 2502]
    await client.do("disconnect")
    await python.sdk.connect()
    heard = await python.subscribe(client.channel)
    subscription = connection_of(realtime, client.org).subscription(client.channel)
    assert subscription is not None
    subscription.connection._end(subscription, 2502, "state invalidated")
    subscription.connection.flush()
    await until(lambda: len(heard.subscribed) == 2)
    assert not heard.subscribed[-1].recovered
    await leave(python.sdk)


async def test_a_temporary_error_is_tried_again_on_the_same_connection(realtime: Realtime, js: JavaScript) -> None:
    client = Client(js, realtime, "temporary")
    await client.connected()
    connection = connection_of(realtime, client.org)
    around, failures = connection._around, [Unavailable("database_unavailable", "Try again.")] * 2

    async def failing(org_id: str, channel: str, after: int, limit: int) -> Any:
        if failures:
            raise failures.pop()
        return await around.read_history(org_id, channel, after, limit)

    connection._around = dataclasses.replace(around, read_history=failing)
    await client.subscribed(minResubscribeDelay=1, maxResubscribeDelay=5)
    assert [event["error"]["code"] for event in client.told("error")] == [100, 100]
    assert [event["code"] for event in client.told("connecting")] == [0]
    await client.do("disconnect")


async def test_a_channel_without_presence_says_so(realtime: Realtime, js: JavaScript) -> None:
    client = Client(js, realtime, "nopresence")
    await client.connected()
    await client.subscribed("job:job_1")
    assert (await client.call("presence", "job:job_1"))["error"]["code"] == 108
    await client.do("disconnect")


async def test_a_server_that_stops_to_ping_is_left(
    realtime: Realtime, js: JavaScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 1)
    with monkeypatch.context() as silent:
        silent.setattr(Connection, "_ping", lambda connection: None)
        client = Client(js, realtime, "unpinged")
        await client.connected(options={"maxServerPingDelay": 100})
        await client.js.until(lambda _: len(client.told("connecting")) == 2)
    assert [(event["code"], event["reason"]) for event in client.told("connecting")][1] == (2, "no ping")
    await client.do("disconnect")


async def test_pings_go_on_while_events_come(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 1)
    monkeypatch.setattr(connections, "PONG_SECONDS", 0.5)
    org, seen = "org_pinged", list[str]()
    async with talking(realtime, org) as talk, written(realtime, org):
        await talk.ask(subscribe={"channel": f"org:{org}:calls"})
        while seen.count("{}") < 3:
            lines = str(await talk.socket.recv()).splitlines()
            seen += lines
            if "{}" in lines:
                await talk.socket.send("{}")
    assert len(seen) > 3


async def test_a_socket_that_says_nothing_is_closed(realtime: Realtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    assert await realtime.raw([]) == 3502


async def test_a_binary_frame_is_refused(realtime: Realtime) -> None:
    async with websockets.connect(realtime.url) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {"token": realtime.token("org_binary")}}).encode())
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 3501


@pytest.mark.parametrize("offered", [["centrifuge-json"], ["other", "centrifuge-json"], ["centrifuge-protobuf"]])
async def test_a_subprotocol_is_chosen_only_from_what_is_offered(realtime: Realtime, offered: list[Any]) -> None:
    async with websockets.connect(realtime.url, subprotocols=offered) as socket:
        assert socket.subprotocol == ("centrifuge-json" if "centrifuge-json" in offered else None)


async def test_what_a_server_need_not_offer_is_left_out_of_the_result(realtime: Realtime) -> None:
    """Deltas, filters, numbers for channels, tokens of subscriptions, data, and fields of no version."""
    asked = {
        "channel": "call:call_offered", "token": "x", "data": {"a": 1}, "delta": "fossil", "flag": 3, "type": 1,
        "tf": {"op": "", "key": "k", "cmp": "eq", "val": "v"}, "positioned": True, "recoverable": True, "new": [1],
    }  # fmt: skip
    async with talking(realtime, "org_offered") as talk:
        result = (await talk.ask(subscribe=asked, of_a_later_version={}))["subscribe"]
    assert result.keys() == {"recoverable", "positioned", "epoch"}


async def test_a_gap_beyond_the_limit_is_not_recovered_in_part(realtime: Realtime) -> None:
    org, channel = "org_gap", "org:org_gap:calls"
    await realtime.emit_together(org, [f"call_{number}" for number in range(301)])
    async with talking(realtime, org) as talk:
        for offset, recovered, count in ((0, False, 0), (1, True, 300)):
            request = {"channel": channel, "recover": True, "offset": offset}
            result = (await talk.ask(subscribe=request))["subscribe"]
            assert (result.get("recovered", False), len(result.get("publications", []))) == (recovered, count)
            await talk.ask(unsubscribe={"channel": channel})


async def test_a_position_before_the_retention_is_not_recovered(realtime: Realtime) -> None:
    org, channel = "org_swept", "org:org_swept:calls"
    await emit_and_sweep(realtime, org, 3)
    await realtime.emit(org, call_id="call_3")
    async with talking(realtime, org) as talk:
        result = (await talk.ask(subscribe={"channel": channel, "recover": True, "offset": 1}))["subscribe"]
        assert (result["was_recovering"], result.get("recovered", False), result["offset"]) == (True, False, 4)
        assert "publications" not in result
        await talk.ask(unsubscribe={"channel": channel})
        result = (await talk.ask(subscribe={"channel": channel, "recover": True, "offset": 3}))["subscribe"]
        assert (result["recovered"], [one["offset"] for one in result["publications"]]) == (True, [4])


@pytest_asyncio.fixture(loop_scope="session")
async def leaving(
    stores: Stores, realtime: Realtime, service_environment: Callable[[str, str], dict[str, str]]
) -> AsyncIterator[Doors]:
    """Another instance; the test drains it."""
    environment = {
        **service_environment("realtime", "unused"), "REALTIME_WS_ADDRESS": "127.0.0.1:0",
        "REALTIME_HTTP_ADDRESS": "127.0.0.1:0", "DRAIN_SECONDS": "2", "CONNECTIONS_PER_ADDRESS": "0",
    }  # fmt: skip
    bus = await Bus.connect(stores.nats_url, "test-realtime-leaving")
    settings = load(RealtimeSettings, environment)
    yield await Doors.open(settings, bus, EventLog(realtime.database), realtime.tokens)
    await bus.close()


async def test_a_drain_tells_a_thousand_clients_to_come_back_and_takes_no_new_one(
    realtime: Realtime, leaving: Doors
) -> None:
    url = f"ws://{leaving.addresses['ws']}/connection/websocket"
    connect = json.dumps({"id": 1, "connect": {"token": realtime.token("org_drained")}})
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for _ in range(1_000):
            socket = await stack.enter_async_context(websockets.connect(url, compression=None, ping_interval=None))
            await socket.send(connect)
            sockets.append(socket)
        for socket in sockets:
            assert "connect" in json.loads(await socket.recv())
        await leaving.close()
        for socket in sockets:
            await socket.wait_closed()
        assert {(socket.close_code, socket.close_reason) for socket in sockets} == {(3001, "shutdown")}
    with pytest.raises(OSError, match="Connect call failed"):
        await websockets.connect(url)
